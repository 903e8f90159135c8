namespace PgBackup.IntegrationTests.Restore;

/// <summary>A dump says only how a database's privileges differ from those of a new one: each kind of difference must come back.</summary>
[Collection("bad restores")]
public sealed class DatabasePrivilegesTests(BadDaysCluster cluster)
{
    [Theory]
    [InlineData("plain", "SELECT 1")]
    [InlineData("comment", "COMMENT ON DATABASE acl_comment IS 'nothing but a comment'")]
    [InlineData("extra", "GRANT CREATE ON DATABASE acl_extra TO pg_monitor")]
    [InlineData("closed", "REVOKE ALL ON DATABASE acl_closed FROM PUBLIC")]
    [InlineData("limit", "ALTER DATABASE acl_limit CONNECTION LIMIT 7")]
    public async Task The_privileges_of_a_database_come_back_whatever_they_were(string kind, string statement)
    {
        string name = "acl_" + kind;
        await cluster.Server.SqlAsync("postgres", $"CREATE DATABASE {name}");
        await cluster.Server.SqlAsync("postgres", statement);
        try
        {
            using Workspace night = cluster.Plain(name);
            await night.BackupAsync();

            (await night.RunAsync(0, "restore", "-t", cluster.Server.Target, "-d", name, "--as", name + "_back")).Output.ShouldContain(
                "proven equal"
            );

            (await AclAsync(name + "_back")).ShouldBe(await AclAsync(name));
        }
        finally
        {
            await cluster.Server.SqlAsync("postgres", $"DROP DATABASE IF EXISTS {name}_back");
            await cluster.Server.SqlAsync("postgres", $"DROP DATABASE {name}");
        }
    }

    // An absent list and one that spells the default out mean the same.
    private Task<string> AclAsync(string database) =>
        cluster.Server.SqlAsync(
            "postgres",
            $"SELECT string_agg(a::text, ' ' ORDER BY a::text), datconnlimit FROM pg_database, unnest(coalesce(datacl, "
                + $"acldefault('d', datdba))) a WHERE datname = '{database}' GROUP BY datconnlimit"
        );
}
