namespace PgBackup.IntegrationTests.Backup;

/// <summary>
/// Migrations in the minute of the backup. A run has one database's turn come late (<c>dump.jobs: 1</c>, the dump before it is held), so
/// that what the tests do falls between its moment and its dump.
/// </summary>
[Collection("bad days")]
public sealed class MomentTests(BadDaysCluster cluster) : IAsyncLifetime
{
    private const string Shop = """
        CREATE TABLE users AS SELECT i AS id, md5(i::text) AS name FROM generate_series(1, 1000) i; CREATE INDEX users_name ON users (name);
        CREATE TABLE nights (at date, v int) PARTITION BY RANGE (at); CREATE TABLE nights_1 PARTITION OF nights FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); INSERT INTO nights VALUES ('2026-01-05', 1);
        CREATE TYPE color AS ENUM ('red', 'green'); CREATE TABLE paints (c color); INSERT INTO paints VALUES ('red');
        CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW names AS SELECT name FROM users; CREATE MATERIALIZED VIEW counts AS SELECT count(*) FROM users;
        CREATE SCHEMA old; CREATE DOMAIN old.positive AS int CHECK (VALUE > 0); CREATE SEQUENCE old.numbers; CREATE TYPE pair AS (a int, b int); CREATE TABLE pairs (p pair);
        CREATE ROLE named_by_a_value; CREATE TABLE owners (r regrole); INSERT INTO owners VALUES ('named_by_a_value');
        """;

    public async ValueTask InitializeAsync()
    {
        await cluster.Server.SqlAsync("postgres", "CREATE DATABASE shop");
        await cluster.Server.SqlAsync("shop", Shop);
    }

    public async ValueTask DisposeAsync()
    {
        await cluster.Server.SqlAsync("postgres", "DROP DATABASE shop WITH (FORCE)");
        await cluster.Server.SqlAsync("postgres", "DROP ROLE IF EXISTS named_by_a_value, named_otherwise");
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData("ALTER TABLE users ALTER id TYPE bigint")]
    [InlineData("TRUNCATE users; INSERT INTO users SELECT i, i::text FROM generate_series(1, 1000) i")]
    [InlineData(
        "CREATE TABLE fresh AS TABLE users; ALTER TABLE users RENAME TO gone; ALTER TABLE fresh RENAME TO users; DROP TABLE gone CASCADE"
    )]
    [InlineData("ALTER TABLE users SET UNLOGGED; ALTER TABLE users SET LOGGED")]
    public async Task A_migration_that_is_open_when_the_run_begins_is_waited_for_and_then_part_of_the_snapshot(string migration)
    {
        using Workspace own = Queued();
        Task<string> migrating = cluster.Server.SqlAsync("shop", $"BEGIN; {migration}; SELECT pg_sleep(3); COMMIT");
        await Shell.UntilAsync(
            async () =>
                (
                    await cluster.Server.SqlAsync(
                        "shop",
                        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = 'shop'"
                    )
                ).Trim() == "1",
            "the migration is open"
        );
        string id = await own.BackupAsync();
        await migrating;
        await ShouldBeAsync(own, id, rows: 1000);
    }

    [Theory]
    [InlineData("TRUNCATE users")]
    [InlineData("ALTER TABLE users ADD v double precision DEFAULT random()")]
    [InlineData("CLUSTER users USING users_name")]
    [InlineData("VACUUM FULL users")]
    [InlineData("DROP TABLE users CASCADE")]
    [InlineData("ALTER TABLE users RENAME TO people")]
    [InlineData("ALTER TABLE nights DETACH PARTITION nights_1")]
    [InlineData("DROP SCHEMA public CASCADE")]
    public async Task A_migration_of_tables_waits_from_the_moment_to_the_end_of_the_dump(string migration)
    {
        using Workspace own = Queued();
        using var hold = new Hold(own);
        await using RunningProgram run = own.Start();
        await hold.EnteredAsync(2); // the roles and the database before this one: its own turn has not come
        (await cluster.Server.TrySqlAsync("shop", $"SET lock_timeout = '200ms'; {migration}")).All.ShouldContain(
            "canceling statement due to lock timeout"
        );
        hold.Release();
        Outcome outcome = await run.EndAsync();
        outcome.ExitCode.ShouldBe(0, outcome.ToString());
        outcome.Errors.ShouldNotContain("new moment");
        await ShouldBeAsync(own, IdOf(outcome), rows: 1000);
        await cluster.Server.SqlAsync("shop", $"SET lock_timeout = '5s'; {migration}"); // nothing keeps it any more
    }

    [Theory]
    [InlineData("DROP FUNCTION one()", "function public.one is gone")]
    [InlineData("CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 2'", "function public.one was changed")]
    [InlineData("ALTER TYPE color RENAME VALUE 'red' TO 'crimson'", "enum label")]
    [InlineData("CREATE OR REPLACE VIEW names AS SELECT name || '' AS name FROM users", "view public.names was changed")]
    [InlineData("ALTER SCHEMA old RENAME TO older", "schema old was changed")]
    [InlineData("ALTER DOMAIN old.positive DROP CONSTRAINT positive_check", "constraint old.positive_check is gone")]
    [InlineData("DROP SEQUENCE old.numbers", "sequence old.numbers is gone")]
    [InlineData("ALTER MATERIALIZED VIEW counts RENAME TO numbers", "materialized view public.counts was changed")]
    [InlineData("ALTER INDEX users_name RENAME TO users_by_name", "index public.users_name was changed")]
    [InlineData("ALTER TYPE color RENAME TO colour", "type public.color was changed")]
    [InlineData("ALTER SEQUENCE old.numbers RESTART WITH 7", "sequence old.numbers was changed")]
    [InlineData("ALTER ROLE named_by_a_value RENAME TO named_otherwise", "role named_by_a_value was changed")]
    public async Task What_is_changed_or_dropped_under_a_dump_makes_all_databases_begin_again_from_a_new_moment(
        string migration,
        string told
    )
    {
        using Workspace own = Queued();
        using var hold = new Hold(own);
        await using RunningProgram run = own.Start();
        await hold.EnteredAsync(2);
        await cluster.Server.SqlAsync("shop", migration);
        hold.Release();
        Outcome outcome = await run.EndAsync();
        outcome.ExitCode.ShouldBe(0, outcome.ToString());
        outcome.Errors.ShouldContain("was changed while it was dumped");
        outcome.Errors.ShouldContain(told);
        outcome.Errors.ShouldContain("All databases are dumped again from a new moment (2 of 3).");
        Directory
            .GetDirectories(own.Store)
            .Select(Path.GetFileName)
            .Where(static d => char.IsAsciiDigit(d![0]))
            .ShouldBe([IdOf(outcome)], "nothing of the first moment is left");
        await ShouldBeAsync(own, IdOf(outcome), rows: 1000);
    }

    [Fact]
    public async Task While_one_database_is_waited_for_the_others_are_neither_locked_nor_at_their_moment()
    {
        await cluster.Server.SqlAsync("postgres", "CREATE DATABASE other");
        await cluster.Server.SqlAsync("other", "CREATE TABLE orders AS SELECT 1 AS id");
        using Workspace own = Workspace.ForContainer(cluster.Server.Name, "none", ["shop", "other"]);
        RunningProgram run;
        await using (await cluster.Server.HoldAsync("shop", "LOCK TABLE users IN ACCESS EXCLUSIVE MODE"))
        {
            run = own.Start();
            await Shell.UntilAsync(
                async () => (await cluster.Server.SqlAsync("postgres", "SELECT count(*) FROM pg_locks WHERE NOT granted")).Trim() == "1",
                "the run waits for the table"
            );
            await Task.Delay(1500, TestContext.Current.CancellationToken); // several attempts
            await cluster.Server.SqlAsync(
                "other",
                "SET lock_timeout = '5s'; ALTER TABLE orders ALTER id TYPE bigint; INSERT INTO orders VALUES (2)"
            );
        }

        await using (run)
        {
            Outcome outcome = await run.EndAsync();
            outcome.ExitCode.ShouldBe(0, outcome.ToString());
            own.Manifest(IdOf(outcome))
                .Databases.Single(static p => p.Database == "other")
                .Proof.Rows.ShouldBe(2, "what was committed while the run waited is in the snapshot");
        }

        await cluster.Server.SqlAsync("postgres", "DROP DATABASE other");
    }

    [Fact]
    public async Task What_comes_new_or_only_moves_data_is_no_reason_for_a_new_moment()
    {
        await cluster.Server.SqlAsync("postgres", "CREATE ROLE unrelated; CREATE ROLE lent");
        await cluster.Server.SqlAsync("shop", "ALTER DEFAULT PRIVILEGES " + "" + "" + "GRANT SELECT ON " + "SEQUENCES TO lent"); // the one thing here that depends on it
        using Workspace own = Queued();
        using var hold = new Hold(own);
        await using RunningProgram run = own.Start();
        await hold.EnteredAsync(2);
        await cluster.Server.SqlAsync(
            "shop",
            """
            CREATE TABLE new_one (i int); INSERT INTO users VALUES (1001, 'late'); REFRESH MATERIALIZED VIEW counts; ANALYZE; CREATE INDEX users_id ON users (id);
            CREATE FUNCTION two() RETURNS int LANGUAGE sql AS 'SELECT 2'; ALTER TYPE color ADD VALUE 'blue'; CREATE TEMP TABLE t (i int); DROP TABLE t; REINDEX INDEX users_name;
            CREATE TABLE nights_2 (LIKE nights); ALTER TABLE nights ATTACH PARTITION nights_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
            """
        );
        await cluster.Server.SqlAsync("shop", "VACUUM");
        await cluster.Server.SqlAsync("postgres", "CREATE ROLE passing; DROP ROLE passing; DROP ROLE unrelated");
        await cluster.Server.SqlAsync("shop", "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON SEQUENCES FROM lent");
        hold.Release();
        Outcome outcome = await run.EndAsync();
        outcome.ExitCode.ShouldBe(0, outcome.ToString());
        outcome.Errors.ShouldNotContain("new moment");
        await ShouldBeAsync(own, IdOf(outcome), rows: 1000);
        await cluster.Server.SqlAsync("postgres", "DROP DATABASE back");
        await cluster.Server.SqlAsync("postgres", "DROP ROLE lent");
    }

    [Fact]
    public async Task A_database_that_is_changed_without_end_fails_by_its_name_and_the_others_are_stored()
    {
        using Workspace own = Queued();
        using var stop = new CancellationTokenSource();
        Task changing = Task.Run(
            async () =>
            {
                for (int i = 0; !stop.IsCancellationRequested; i++)
                {
                    await cluster.Server.SqlAsync("shop", $"CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT {i}'");
                }
            },
            TestContext.Current.CancellationToken
        );
        Outcome outcome = await own.RunAsync(3);
        await stop.CancelAsync();
        await changing;
        outcome.Errors.ShouldContain("(3 of 3)");
        outcome.Errors.ShouldContain("PGB-0044");
        outcome.Errors.ShouldContain("FAILED: shop");
        own.Manifest(IdOf(outcome)).Databases.Select(static p => p.Database).ShouldBe(["big"]);
        Directory.GetFiles(own.SnapshotFolder(IdOf(outcome))).ShouldNotContain(static f => f.Contains("shop"));
        Directory.GetDirectories(own.Store).Select(Path.GetFileName).Where(static d => char.IsAsciiDigit(d![0])).ShouldBe([IdOf(outcome)]);
    }

    [Fact]
    public async Task A_migration_that_asks_for_a_table_before_its_dump_does_gets_through_and_the_next_moment_has_it()
    {
        using Workspace own = Queued("{ jobs: 1, lock_timeout: 2s }");
        using var hold = new Hold(own);
        await using RunningProgram run = own.Start();
        await hold.EnteredAsync(2);
        Task<string> migrating = cluster.Server.SqlAsync("shop", "ALTER TABLE users ADD late int DEFAULT 7");
        await Shell.UntilAsync(
            async () =>
                (
                    await cluster.Server.SqlAsync(
                        "shop",
                        "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
                    )
                ).Trim() == "1",
            "the migration waits for the run"
        );
        hold.Release();
        Outcome outcome = await run.EndAsync();
        outcome.ExitCode.ShouldBe(0, outcome.ToString());
        outcome.Errors.ShouldContain("shop: a migration asked for a table between the moment and its dump");
        await migrating;
        await ShouldBeAsync(own, IdOf(outcome), rows: 1000);
        (await cluster.Server.SqlAsync("back", "SELECT sum(late) FROM users")).Trim().ShouldBe("7000");
        await cluster.Server.SqlAsync("postgres", "DROP DATABASE back");
    }

    // The restored database, whose rows and definitions are those of the server's at the end of the test's migration.
    private async Task ShouldBeAsync(Workspace own, string id, int rows)
    {
        await cluster.Server.SqlAsync("postgres", "DROP DATABASE IF EXISTS back");
        Outcome restored = await own.RunAsync(
            0,
            "restore",
            id,
            "--database",
            "shop",
            "--as",
            "back",
            "--target",
            cluster.Server.Target,
            "-i",
            cluster.Keys.OpsSecret
        );
        restored.All.ShouldContain("equal");
        (await cluster.Server.SqlAsync("back", "SELECT count(*) FROM users")).Trim().ShouldBe($"{rows}");
        (await cluster.Server.SqlAsync("back", "SELECT count(*) FROM nights")).Trim().ShouldBe("1");
        (await cluster.Server.SqlAsync("back", "SELECT count(*) FROM paints")).Trim().ShouldBe("1");
    }

    private static string IdOf(Outcome outcome) =>
        outcome.Output.Split('\n').Last(static l => l.Length > 0 && char.IsAsciiDigit(l[0])).Split(' ')[0];

    private Workspace Queued(string dump = "{ jobs: 1 }") =>
        Workspace.ForContainer(cluster.Server.Name, Workspace.Gpg(cluster.Keys, Keys.Ops), ["big", "shop"], dump);
}
