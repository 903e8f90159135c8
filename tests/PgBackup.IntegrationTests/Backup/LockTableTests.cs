namespace PgBackup.IntegrationTests.Backup;

/// <summary>A database of more tables than a server of default settings can lock at once.</summary>
public sealed class LockTableTests
{
    [Fact]
    public async Task A_database_of_many_tables_is_drilled_and_a_server_with_too_few_lock_slots_is_told_apart_from_a_waiting_lock()
    {
        await using PostgresContainer server = await PostgresContainer.StartAsync("locks");
        await RestartWithAsync(server, 1024);
        await MakeAsync(server, "wide", 35);
        using var own = Workspace.ForContainer(server.Name, "none", ["wide"]);
        own.Configure(
            $$"""
            {{own.Config()}}
            drill:
              image: {{Surroundings.Image}}
              checks:
                - { database: wide, name: slots, sql: "SELECT current_setting('max_locks_per_transaction')::int * current_setting('max_connections')::int", expect: ">= 16384" }
            """
        );
        await own.BackupAsync();

        await own.RunAsync(0, "drill");

        // Now the server itself holds no more than some 2,500.
        await RestartWithAsync(server, 10);
        Outcome night = await own.RunAsync();
        night.ExitCode.ShouldNotBe(0);
        night.Errors.ShouldContain("Raise max_locks_per_transaction");
        night.Errors.ShouldNotContain("dump.lock_timeout");
        night.Errors.Split('\n').Max(static l => l.Length).ShouldBeLessThan(1000);

        Outcome restored = await own.RunAsync(1, "restore", "--database", "wide", "--as", "again", "--target", server.Target);
        restored.Errors.ShouldContain("WARNING: PGB-0141: wide: it has 3,500 tables and sequences");
        restored.Errors.ShouldContain("Set max_locks_per_transaction = ");
        restored.All.ShouldContain("cannot be compared");
        restored.All.ShouldContain("what to do: The server's lock table is full");
    }

    private static async Task MakeAsync(PostgresContainer server, string database, int hundreds)
    {
        await server.SqlAsync("postgres", $"CREATE DATABASE {database}");
        await server.SqlAsync(
            database,
            $"""
            CREATE PROCEDURE make() LANGUAGE plpgsql AS $$
            BEGIN FOR i IN 1..{hundreds} LOOP FOR j IN 1..100 LOOP EXECUTE format('CREATE TABLE t_%s_%s (i int)', i, j); END LOOP; COMMIT; END LOOP; END $$;
            CALL make();
            """
        );
    }

    private static async Task RestartWithAsync(PostgresContainer server, int locks)
    {
        await server.SqlAsync("postgres", $"ALTER SYSTEM SET max_locks_per_transaction = {locks}");
        await Shell.ReadAsync("podman", ["restart", "--time", "5", server.Name]);
        await Shell.UntilAsync(
            async () => (await server.ExecAsync("pg_isready", "--quiet", "--host=127.0.0.1")).ExitCode == 0,
            "the server is up again"
        );
    }
}
