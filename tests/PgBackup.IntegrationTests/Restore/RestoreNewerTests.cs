namespace PgBackup.IntegrationTests.Restore;

/// <summary>Restores over something that is newer than the snapshot.</summary>
[Collection("bad restores")]
public sealed class RestoreNewerTests(BadDaysCluster cluster) : IAsyncLifetime
{
    private Workspace own = null!;

    private PostgresContainer Server => cluster.Server;

    public async ValueTask InitializeAsync()
    {
        await Server.SqlAsync("postgres", "CREATE DATABASE market; CREATE DATABASE other TEMPLATE tiny");
        // Times to come, by their name or by their value, tell nothing of when a row was written.
        await Server.SqlAsync(
            "market",
            """
            CREATE TABLE sessions (v text, issued_at timestamptz, expires_at timestamptz, renewal timestamp);
            INSERT INTO sessions VALUES ('snapshot', now() - interval '1 hour', now() + interval '1 second', now() + interval '1 day'), ('snapshot', now() - interval '2 hours', now() + interval '1 second', now() AT TIME ZONE 'UTC' + interval '1 second');
            """
        );
        own = cluster.Plain("market", "other");
        await own.BackupAsync();
        await Task.Delay(1100);
    }

    public async ValueTask DisposeAsync()
    {
        own.Dispose();
        await Server.SqlAsync(
            "postgres",
            """
            SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE NOT datistemplate AND datname NOT IN ('postgres', 'big', 'small', 'tiny')
            \gexec
            """
        );
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task What_is_newer_is_replaced_only_by_someone_who_says_yes_and_what_is_not_or_cannot_be_told_is_said()
    {
        Outcome same = await own.RunAsync(0, "restore", "-t", Server.Target, "--swap");
        same.Errors.ShouldContain("its newest row is of");
        same.Errors.ShouldContain("it is not known whether it has newer rows than the snapshot: no table has a column");

        await Server.SqlAsync("market", "INSERT INTO sessions VALUES ('later', now(), now() + interval '1 hour', NULL)");
        Outcome refused = await own.RunAsync(1, "restore", "-t", Server.Target, "--swap");
        refused.Errors.ShouldContain("PGB-0087");
        refused.Errors.ShouldContain("NEWER: it has rows of 20");
        refused.Errors.ShouldContain("(public.sessions.issued_at)");
        (await Server.SqlAsync("market", "SELECT max(v) FROM sessions WHERE v = 'later'")).ShouldBe("later\n");

        string[] command = ["restore", "-t", Server.Target, "--swap", "-d", "market"];
        Outcome no = await Typist.RunAsync(own, command, ("type yes: ", "y"));
        no.ExitCode.ShouldBe(1, no.ToString());
        no.Output.ShouldContain("PGB-0087");
        Outcome stopped = await Typist.RunAsync(own, command, ("type yes: ", Typist.Interrupt));
        stopped.ExitCode.ShouldBe(1, stopped.ToString());
        stopped.Output.ShouldContain("cancelled by SIGINT: nothing was changed.");
        (await Server.DatabasesAsync()).Count.ShouldBe(7);
        Outcome yes = await Typist.RunAsync(own, command, ("type yes: ", "yes"));
        yes.ExitCode.ShouldBe(0, yes.ToString());
        (await Server.SqlAsync("market", "SELECT count(*) FROM sessions WHERE v = 'later'")).ShouldBe("0\n");

        await Server.SqlAsync("market", "INSERT INTO sessions VALUES ('later', now(), now() + interval '1 hour', NULL)");
        Outcome clean = await own.RunAsync(0, "restore", "-t", Server.Target, "--clean", "--yes", "-d", "market");
        clean.Errors.ShouldContain("they are LOST");
        (await own.RunAsync(0, "restore", "-t", Server.Target, "--swap", "--yes", "-d", "market")).Errors.ShouldContain(
            "its newest row is of"
        );
    }
}
