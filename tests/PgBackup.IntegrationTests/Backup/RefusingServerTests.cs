namespace PgBackup.IntegrationTests.Backup;

/// <summary>What a server's own settings refuse to a backup, and what is told of it.</summary>
[Collection("bad days")]
public sealed class RefusingServerTests(BadDaysCluster cluster)
{
    [Fact]
    public async Task A_database_whose_sessions_run_as_another_role_is_backed_up_and_restored_as_the_superuser_who_logged_in()
    {
        await cluster.Server.SqlAsync(
            "postgres",
            "CREATE ROLE app; CREATE DATABASE borrowed TEMPLATE tiny; ALTER DATABASE borrowed SET role = app"
        );
        try
        {
            using Workspace own = cluster.Plain("borrowed");
            await own.BackupAsync();
            await own.RunAsync(0, "restore", "--swap", "-t", cluster.Server.Target);
            (await cluster.Server.SqlAsync("borrowed", "SELECT current_user")).ShouldBe("app\n");
        }
        finally
        {
            await cluster.Server.SqlAsync(
                "postgres",
                """
                SELECT format('DROP DATABASE %I', datname) FROM pg_database WHERE datname LIKE 'borrowed%'
                \gexec
                DROP ROLE app;
                """
            );
        }
    }

    [Fact]
    public async Task A_closed_and_an_invalid_database_are_told_with_what_to_do_and_the_others_are_stored()
    {
        await cluster.Server.SqlAsync(
            "postgres",
            "CREATE DATABASE closed ALLOW_CONNECTIONS false; CREATE DATABASE broken; UPDATE pg_database SET datconnlimit = -2 WHERE "
                + "datname = 'broken'"
        );
        try
        {
            using Workspace own = cluster.Plain("tiny", "closed", "broken");
            Outcome outcome = await own.RunAsync(3);
            outcome.Errors.ShouldContain("what to do: Somebody closed it: ALTER DATABASE");
            outcome.Errors.ShouldContain("what to do: A DROP DATABASE of it was interrupted");
        }
        finally
        {
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE closed; DROP DATABASE broken");
        }
    }

    [Fact]
    public async Task A_role_that_the_server_does_not_have_is_told_once()
    {
        using Workspace own = Workspace.ForContainer(cluster.Server.Name, "none", ["tiny", "small"], user: "nobody");
        Outcome outcome = await own.RunAsync(1);
        outcome.Errors.Split("Name a role that the server has").Length.ShouldBe(2, outcome.Errors);
    }

    [Fact]
    public async Task The_sessions_that_hold_the_moment_leave_connections_for_the_dumps_or_the_run_says_how_many_it_needs()
    {
        await cluster.Server.SqlAsync("postgres", "CREATE ROLE few LOGIN IN ROLE pg_read_all_data CONNECTION LIMIT 4");
        try
        {
            using Workspace own = Workspace.ForContainer(cluster.Server.Name, "none", ["tiny", "small", "big"], user: "few");
            Outcome refused = await own.RunAsync(1);
            refused.Errors.ShouldContain("PGB-0030");
            refused.Errors.ShouldContain("The run needs 3 + 3 + 1 = 7, and with dump.jobs: 1 still 5.");
            refused.Errors.ShouldContain("Lower dump.jobs, raise max_connections");

            await cluster.Server.SqlAsync("postgres", "ALTER ROLE few CONNECTION LIMIT 5");
            (await own.RunAsync(0)).Errors.ShouldContain("note: dumped 1 at a time, and not 3 (dump.jobs)");
        }
        finally
        {
            await cluster.Server.SqlAsync("postgres", "DROP ROLE few");
        }
    }
}
