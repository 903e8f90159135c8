namespace PgBackup.IntegrationTests.Restore;

/// <summary>Targets that do not give everything: no superuser, extensions that somebody else made or nobody can make, roles that are there
/// already.</summary>
[Collection("bad restores")]
public sealed class RestoreManagedTests(BadDaysCluster cluster) : IAsyncLifetime
{
    private const string Control = "/usr/share/postgresql/17/extension/pg_trgm.control";

    private PostgresContainer Server => cluster.Server;

    private string AsTenant => "podman:tenant@" + Server.Name;

    public async ValueTask InitializeAsync()
    {
        await Server.SqlAsync("postgres", "CREATE ROLE tenant LOGIN; CREATE DATABASE app OWNER tenant");
        await Server.SqlAsync(
            "app",
            "CREATE EXTENSION pg_trgm; CREATE EXTENSION pageinspect; SET ROLE tenant; CREATE TABLE t AS SELECT 'snapshot' AS v; "
                + "CREATE INDEX ON t USING gin (v public.gin_trgm_ops)"
        );
    }

    public async ValueTask DisposeAsync()
    {
        await Server.SqlAsync(
            "postgres",
            """
            SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE NOT datistemplate AND datname NOT IN ('postgres', 'big', 'small', 'tiny')
            \gexec
            DROP ROLE IF EXISTS tenant, guard;
            """
        );
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task An_owner_who_is_no_superuser_fills_a_database_with_an_administrators_extensions_and_their_comments_are_no_error()
    {
        using Workspace own = cluster.Plain("app");
        await own.BackupAsync();
        await Server.SqlAsync("postgres", "CREATE DATABASE given OWNER tenant");
        await Server.SqlAsync("given", "CREATE EXTENSION pg_trgm; CREATE EXTENSION pageinspect");
        Outcome outcome = await own.RunAsync(0, "restore", "-t", AsTenant, "-d", "app", "--as", "given");
        outcome.Output.ShouldContain("restored and proven equal");
        outcome.Errors.ShouldContain("COMMENT ON EXTENSION pageinspect");
        outcome.Errors.ShouldContain("not carried out, since the extension was made by another role");
        (await Server.SqlAsync("given", "SELECT v FROM t")).ShouldBe("snapshot\n");

        // One that it would have to make is refused before the plan is shown.
        outcome = await own.RunAsync(1, "restore", "-t", AsTenant, "-d", "app", "--as", "not_there");
        outcome.Errors.ShouldContain("PGB-0070: tenant may not make the database \"not_there\"; nothing was changed.");
        outcome.Errors.ShouldNotContain("plan:");
    }

    [Fact]
    public async Task What_only_a_superuser_may_do_is_told_before_and_after_and_the_rest_is_restored()
    {
        await Server.SqlAsync(
            "app",
            "CREATE PUBLICATION everything FOR ALL TABLES; ALTER PUBLICATION everything OWNER TO postgres; CREATE TABLE postgres_own "
                + "AS SELECT 1 AS n"
        );
        using Workspace own = cluster.Plain("app");
        await own.BackupAsync();
        await Server.SqlAsync("postgres", "CREATE DATABASE given OWNER tenant");
        await Server.SqlAsync("given", "CREATE EXTENSION pg_trgm");
        Outcome outcome = await own.RunAsync(1, "restore", "-t", AsTenant, "-d", "app", "--as", "given");
        outcome.Errors.ShouldContain("tenant is not a superuser: the server will refuse at least");
        outcome.Errors.ShouldContain("CREATE PUBLICATION everything FOR ALL TABLES");
        outcome.Errors.ShouldContain("CREATE EXTENSION IF NOT EXISTS pageinspect");
        outcome.Output.ShouldContain("PGB-0073");
        outcome.Output.ShouldContain("(in: CREATE PUBLICATION everything FOR ALL TABLES");
        outcome.Output.ShouldContain("what to do: The role that restores may not do this");
        (await Server.SqlAsync("given", "SELECT v FROM t; SELECT n FROM postgres_own")).ShouldBe("snapshot\n1\n");
    }

    [Fact]
    public async Task An_extension_that_the_targets_server_lacks_is_told_before_anything_is_changed_and_tables_without_it_can_be_had()
    {
        await Server.SqlAsync("app", "CREATE TABLE plain AS SELECT 'plain' AS v");
        using Workspace own = cluster.Plain("app");
        await own.BackupAsync();
        (await Server.ExecAsync("mv", Control, Control + ".gone")).ExitCode.ShouldBe(0);
        try
        {
            Outcome outcome = await own.RunAsync(1, "restore", "-t", Server.Target, "-d", "app", "--as", "again");
            outcome.Errors.ShouldContain("PGB-0070");
            outcome.Errors.ShouldContain("has no extension pg_trgm");
            (await Server.DatabasesAsync()).ShouldNotContain("again");
            await own.RunAsync(0, "restore", "-t", Server.Target, "-d", "app", "--as", "again", "--table", "public.plain");
            (await Server.SqlAsync("again", "SELECT v FROM plain")).ShouldBe("plain\n");
        }
        finally
        {
            await Server.ExecAsync("mv", Control + ".gone", Control);
        }
    }

    [Fact]
    public async Task A_role_that_exists_with_another_password_gets_the_snapshots_by_globals_and_keeps_its_own_without()
    {
        await Server.SqlAsync("postgres", "CREATE ROLE guard LOGIN PASSWORD 'of the snapshot'");
        const string Verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = 'guard'";
        string old = await Server.SqlAsync("postgres", Verifier);
        using Workspace own = cluster.Plain("tiny");
        await own.BackupAsync();
        await Server.SqlAsync("postgres", "ALTER ROLE guard PASSWORD 'another' CONNECTION LIMIT 3");
        string other = await Server.SqlAsync("postgres", Verifier);
        await own.RunAsync(0, "restore", "-t", Server.Target, "-d", "tiny", "--as", "beside");
        (await Server.SqlAsync("postgres", Verifier)).ShouldBe(other);
        await own.RunAsync(0, "restore", "-t", Server.Target, "-d", "tiny", "--swap", "--globals");
        (await Server.SqlAsync("postgres", Verifier)).ShouldBe(old);
        (await Server.SqlAsync("postgres", "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'guard'")).ShouldBe("-1\n");
    }
}
