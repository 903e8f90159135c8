namespace PgBackup.IntegrationTests.Restore;

/// <summary>Literals with backslashes come back as they were, wherever <c>standard_conforming_strings</c> was turned off.</summary>
[Collection("bad restores")]
public sealed class DatabaseCommentTests(BadDaysCluster cluster)
{
    private const string Comment = """back\slash, it's "quoted", \n and \\""";

    [Theory]
    [InlineData("ALTER DATABASE commented SET standard_conforming_strings = off")]
    [InlineData("ALTER ROLE postgres SET standard_conforming_strings = off")]
    [InlineData("ALTER ROLE postgres IN DATABASE commented SET standard_conforming_strings = off")]
    public async Task A_comment_comes_back_though_literals_escape_by_backslashes_at_the_source(string setting)
    {
        await cluster.Server.SqlAsync("postgres", "CREATE DATABASE commented");
        await cluster.Server.SqlAsync(
            "commented",
            $"""
            COMMENT ON DATABASE commented IS $${Comment}$$; CREATE TABLE t (v text DEFAULT $${Comment}$$); COMMENT ON TABLE t IS $${Comment}$$;
            INSERT INTO t VALUES (DEFAULT); {setting}
            """
        );
        try
        {
            using Workspace night = cluster.Plain("commented");
            await night.BackupAsync();
            await cluster.Server.SqlAsync("postgres", "ALTER ROLE postgres RESET standard_conforming_strings");

            (
                await night.RunAsync(0, "restore", "-t", cluster.Server.Target, "-d", "commented", "--as", "commented_back")
            ).Output.ShouldContain("proven equal");

            (
                await cluster.Server.SqlAsync(
                    "commented_back",
                    "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database(); SELECT "
                        + "obj_description('t'::regclass), v FROM t"
                )
            ).ShouldBe($"{Comment}\n{Comment}|{Comment}\n");
        }
        finally
        {
            await cluster.Server.SqlAsync("postgres", "ALTER ROLE postgres RESET standard_conforming_strings");
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE IF EXISTS commented_back");
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE commented");
        }
    }
}
