using System.Text.Json;

namespace PgBackup.IntegrationTests.Restore;

/// <summary>Restores into a server whose databases are in use: the restored ones take their places all at once, or none does.</summary>
[Collection("bad restores")]
public sealed class RestoreSwapTests(BadDaysCluster cluster) : IAsyncLifetime
{
    // Told apart by the name of the database, so that it is only so where it is restored.
    private const string SlowWhenRestored = """
        CREATE FUNCTION public.slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN IF current_database() <> 'vault' THEN PERFORM pg_catalog.pg_sleep(0.5); END IF; RETURN n; END $f$;
        CREATE TABLE t AS SELECT g, 'snapshot' AS v FROM generate_series(1, 10) g; CREATE INDEX ON t (public.slow(g));
        """;

    private PostgresContainer Server => cluster.Server;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await Server.SqlAsync(
            "postgres",
            """
            SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE NOT datistemplate AND datname NOT IN ('postgres', 'big', 'small', 'tiny')
            \gexec
            DROP ROLE IF EXISTS swap_owner, swap_app, keeper, stranger;
            """
        );
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_swap_ends_the_sessions_gives_the_name_to_the_snapshot_and_keeps_what_was_there()
    {
        await Server.SqlAsync(
            "postgres",
            "CREATE ROLE swap_owner; CREATE ROLE swap_app; CREATE DATABASE market OWNER swap_owner CONNECTION LIMIT 9"
        );
        await Server.SqlAsync(
            "market",
            """
            CREATE TABLE t AS SELECT 'snapshot' AS v; REVOKE CONNECT ON DATABASE market FROM PUBLIC; GRANT CONNECT ON DATABASE market TO swap_app;
            ALTER DATABASE market SET work_mem = '5MB'; ALTER ROLE swap_app IN DATABASE market SET work_mem = '6MB'; COMMENT ON DATABASE market IS 'the market';
            """
        );
        using Workspace own = cluster.Plain("market");
        await own.BackupAsync();
        string facts = await Fingerprint.OfDatabaseItselfAsync(Server, "market");
        string contents = await Fingerprint.OfContentsAsync(Server, "market");
        await Server.SqlAsync(
            "market",
            """
            UPDATE t SET v = 'later'; ALTER DATABASE market CONNECTION LIMIT 4; GRANT CREATE ON DATABASE market TO swap_app; ALTER DATABASE market SET work_mem = '7MB';
            ALTER ROLE swap_app IN DATABASE market SET work_mem = '8MB'; COMMENT ON DATABASE market IS 'later'; ALTER DATABASE market OWNER TO postgres;
            """
        );
        string laterFacts = await Fingerprint.OfDatabaseItselfAsync(Server, "market");
        string laterContents = await Fingerprint.OfContentsAsync(Server, "market");

        JsonElement done;
        await using (IAsyncDisposable session = await Server.HoldAsync("market", "SELECT count(*) FROM t"))
        {
            Outcome outcome = await own.RunAsync(0, "restore", "-t", Server.Target, "--swap", "--json");
            outcome.Errors.ShouldContain("restored beside (market, 3 objects");
            outcome.Errors.ShouldContain("1 sessions, which are ended");
            using var report = JsonDocument.Parse(outcome.Output);
            report.RootElement.GetProperty("plan").GetProperty("databases")[0].GetProperty("action").GetString().ShouldBe("swap");
            done = report.RootElement.GetProperty("databases")[0].Clone();
            (await Server.SqlAsync("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'holder-%'")).ShouldBe(
                "0\n"
            );
        }

        string kept = done.GetProperty("kept_as").GetString()!;
        kept.ShouldMatch("^market_before_[0-9]{8}T[0-9]{6}Z$");
        (await UserDatabasesAsync()).ShouldBe(["market", kept]);
        (await Server.SqlAsync("market", "SELECT v FROM t")).ShouldBe("snapshot\n");
        (await Fingerprint.OfDatabaseItselfAsync(Server, "market")).ShouldBeSameAs(facts, "the snapshot's");
        (await Fingerprint.OfContentsAsync(Server, "market")).ShouldBeSameAs(contents, "the snapshot's");
        (await Fingerprint.OfDatabaseItselfAsync(Server, kept)).ShouldBeSameAs(laterFacts, "what was there");
        (await Fingerprint.OfContentsAsync(Server, kept)).ShouldBeSameAs(laterContents, "what was there");

        await RunStatementsAsync(done.GetProperty("undo"));
        (await Fingerprint.OfDatabaseItselfAsync(Server, "market")).ShouldBeSameAs(laterFacts, "put back");
        (await Fingerprint.OfContentsAsync(Server, "market")).ShouldBeSameAs(laterContents, "put back");

        // Once more: what the undoing left is told, and the statement that drops what was replaced drops it.
        Outcome again = await own.RunAsync(0, "restore", "-t", Server.Target, "--swap");
        again.Errors.ShouldContain("market_restore_");
        again.Output.ShouldContain("what was there before is kept as market_before_");
        string drop = again.Output.Split('\n').Single(static l => l.Contains("DROP DATABASE \"market_before_")).Trim();
        await Server.SqlAsync("postgres", drop);
        (await UserDatabasesAsync()).ShouldAllBe(static d => !d.Contains("_before_"));
    }

    [Fact]
    public async Task A_session_that_tries_to_come_in_during_the_swap_reaches_the_old_or_the_new_and_nothing_else()
    {
        await Server.SqlAsync("postgres", "CREATE DATABASE market");
        await Server.SqlAsync("market", "CREATE TABLE t AS SELECT 'snapshot' AS v");
        using Workspace own = cluster.Plain("market");
        await own.BackupAsync();
        await Server.SqlAsync("market", "UPDATE t SET v = 'later'");
        await using RunningProgram restore = own.Start("restore", "-t", Server.Target, "--swap");
        List<Outcome> seen = [];
        while (!restore.HasExited)
        {
            seen.Add(await Server.TrySqlAsync("market", "SELECT v FROM t"));
        }

        (await restore.EndAsync()).ExitCode.ShouldBe(0);
        (await Server.SqlAsync("market", "SELECT v FROM t")).ShouldBe("snapshot\n");
        string[] answers = [.. seen.Where(static o => o.ExitCode == 0).Select(static o => o.Output.Trim())];
        answers.ShouldAllBe(static v => v == "later" || v == "snapshot");
        answers.SkipWhile(static v => v == "later").ShouldAllBe(static v => v == "snapshot");
    }

    [Fact]
    public async Task If_one_copy_differs_nothing_is_exchanged_and_the_copies_are_closed()
    {
        await Server.SqlAsync("postgres", "CREATE DATABASE good; CREATE DATABASE odd");
        await Server.SqlAsync("good", "CREATE TABLE t AS SELECT 'snapshot' AS v");
        // Building the index removes a row, but not in the original.
        await Server.SqlAsync(
            "odd",
            """
            CREATE TABLE t AS SELECT g FROM generate_series(1, 3) g; CREATE TABLE z AS SELECT 1 AS n;
            CREATE FUNCTION public.lose() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN IF current_database() <> 'odd' THEN DELETE FROM public.t WHERE g = 3; END IF; END $f$;
            CREATE FUNCTION public.odd(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.lose(); RETURN n; END $f$;
            CREATE INDEX ON z (public.odd(n));
            """
        );
        using Workspace own = cluster.Plain("good", "odd");
        await own.BackupAsync();
        await Server.SqlAsync("good", "UPDATE t SET v = 'later'");
        await Server.SqlAsync("odd", "UPDATE t SET g = g + 10");

        Outcome outcome = await own.RunAsync(1, "restore", "-t", Server.Target, "--swap");

        outcome.Output.ShouldContain("PGB-0074");
        outcome.Output.ShouldContain("table public.t: 3 rows expected, 2 found");
        outcome.Output.ShouldContain("PGB-0078");
        outcome.Output.ShouldContain("nothing was exchanged");
        outcome.Output.ShouldContain("restore FAILED");
        (await Server.SqlAsync("good", "SELECT v FROM t")).ShouldBe("later\n");
        (await Server.SqlAsync("odd", "SELECT min(g) FROM t")).ShouldBe("11\n");
        IReadOnlyList<string> all = await UserDatabasesAsync();
        all.Count.ShouldBe(4, string.Join(", ", all));
        (await Server.SqlAsync("postgres", "SELECT count(*), max(datconnlimit) FROM pg_database WHERE datname LIKE '%restore%'")).ShouldBe(
            "2|0\n"
        );
        string[] drops =
        [
            .. outcome
                .Output.Split('\n')
                .Select(static l => l.Trim())
                .Where(static l => l.StartsWith("DROP DATABASE", StringComparison.Ordinal)),
        ];
        foreach (string drop in drops)
        {
            await Server.SqlAsync("postgres", drop);
        }

        (await UserDatabasesAsync()).ShouldBe(["good", "odd"]);
    }

    [Fact]
    public async Task A_restore_that_is_killed_between_the_two_renames_leaves_everything_under_its_name()
    {
        using Workspace own = await VaultAsync();
        await using (RunningProgram restore = own.Start("restore", "-t", AsKeeper, "--swap"))
        {
            string copy = await CopyAsync();
            // The first rename is done, and not committed: the second waits for a session that its role cannot end.
            await using (IAsyncDisposable superuser = await Server.HoldAsync(copy, "SELECT 1"))
            {
                await Shell.UntilAsync(
                    async () =>
                        (
                            await Server.SqlAsync(
                                "postgres",
                                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'ALTER DATABASE "
                                    + "\"vault_restore_%'"
                            )
                        ).Trim() == "1",
                    "the second rename is waiting"
                );
                await restore.SignalAsync("KILL");
                (await restore.EndAsync()).ExitCode.ShouldBe(137);
                await Shell.UntilAsync(
                    async () =>
                        (
                            await Server.SqlAsync(
                                "postgres",
                                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'olympus-pgbackup%'"
                            )
                        ).Trim() == "0",
                    "no backend of the restore is left"
                );
            }

            (await UserDatabasesAsync()).ShouldBe(["vault", copy]);
            (await Server.SqlAsync("vault", "SELECT DISTINCT v FROM t")).ShouldBe("later\n");

            // An interrupted restore of several leaves those of the others, too.
            foreach (
                string other in (string[])
                    ["other_restore_20260101T000000Z", "other_before_20260101T000000Z", "other_restore_20261399T000000Z"]
            )
            {
                await Server.SqlAsync("postgres", $"CREATE DATABASE \"{other}\"");
            }

            Outcome again = await own.RunAsync(0, "restore", "-t", AsKeeper, "--swap");
            again.Errors.ShouldContain($"{copy} was left by an earlier restore");
            again.Errors.ShouldContain("other_restore_20260101T000000Z was left by an earlier restore beside other, and is not in use");
            again.Errors.ShouldContain(
                "other_before_20260101T000000Z is what an earlier swap replaced. To drop it: DROP DATABASE "
                    + "\"other_before_20260101T000000Z\";"
            );
            again.Errors.ShouldNotContain("other_restore_20261399T000000Z");
            again.Errors.ShouldContain($"DROP DATABASE \"{copy}\";");
            (await Server.SqlAsync("vault", "SELECT DISTINCT v FROM t")).ShouldBe("snapshot\n");
        }
    }

    [Fact]
    public async Task A_session_that_cannot_be_ended_prevents_the_swap_and_it_can_be_made_by_hand()
    {
        using Workspace own = await VaultAsync();
        JsonElement failure;
        await using (RunningProgram restore = own.Start("restore", "-t", AsKeeper, "--swap", "--json"))
        {
            string copy = await CopyAsync();
            await using (IAsyncDisposable superuser = await Server.HoldAsync("vault", "SELECT 1"))
            {
                Outcome outcome = await restore.EndAsync();
                outcome.ExitCode.ShouldBe(1, outcome.ToString());
                using var report = JsonDocument.Parse(outcome.Output);
                failure = report.RootElement.GetProperty("swap_failed").Clone();
            }

            failure.GetProperty("code").GetString().ShouldBe("PGB-0078");
            string message = failure.GetProperty("message").GetString()!;
            message.ShouldContain("being accessed by other users");
            message.ShouldContain("of postgres (holder-");
            message.ShouldContain("Nothing was exchanged");
            (await UserDatabasesAsync()).ShouldBe(["vault", copy]);
            (await Server.SqlAsync("vault", "SELECT DISTINCT v FROM t")).ShouldBe("later\n");
        }

        await RunStatementsAsync(failure.GetProperty("finish"));
        (await Server.SqlAsync("vault", "SELECT DISTINCT v FROM t")).ShouldBe("snapshot\n");
        (await Server.SqlAsync("postgres", "SELECT datdba::regrole FROM pg_database WHERE datname = 'vault'")).ShouldBe("keeper\n");
    }

    [Fact]
    public async Task A_restore_that_is_cancelled_names_its_copies_and_leaves_the_database_alone()
    {
        using Workspace own = await VaultAsync();
        await using RunningProgram restore = own.Start("restore", "-t", AsKeeper, "--swap");
        string copy = await CopyAsync();
        await restore.SignalAsync("TERM");
        Outcome outcome = await restore.EndAsync();
        outcome.ExitCode.ShouldBe(1, outcome.ToString());
        outcome.Errors.ShouldContain("PGB-0003");
        outcome.Errors.ShouldContain($"DROP DATABASE \"{copy}\";");
        (await Server.SqlAsync("vault", "SELECT DISTINCT v FROM t")).ShouldBe("later\n");
    }

    [Fact]
    public async Task Names_with_quotes_and_of_63_bytes_are_swapped_and_put_back()
    {
        string[] names =
        [
            "it's \"quoted\"",
            new string('x', 62) + "a",
            new string('x', 62) + "b",
            string.Concat(Enumerable.Repeat("漢", 21)),
        ];
        foreach (string name in names)
        {
            await Server.SqlAsync("postgres", $"CREATE DATABASE {Quoted(name)} TEMPLATE tiny");
        }

        using Workspace own = cluster.Plain(names);
        await own.BackupAsync();
        foreach (string name in names)
        {
            await Server.SqlAsync(name, "UPDATE t SET v = 'later'");
        }

        Outcome outcome = await own.RunAsync(0, "restore", "-t", Server.Target, "--swap", "--json");
        using var report = JsonDocument.Parse(outcome.Output);
        (await UserDatabasesAsync()).Count.ShouldBe(8);
        foreach (JsonElement database in report.RootElement.GetProperty("databases").EnumerateArray())
        {
            string name = database.GetProperty("restored_as").GetString()!;
            (await Server.SqlAsync(name, "SELECT v FROM t")).ShouldBe("one row\n");
            (await Server.SqlAsync(database.GetProperty("kept_as").GetString()!, "SELECT v FROM t")).ShouldBe("later\n");
            await RunStatementsAsync(database.GetProperty("undo"));
            (await Server.SqlAsync(name, "SELECT v FROM t")).ShouldBe("later\n");
        }
    }

    [Fact]
    public async Task The_database_to_which_the_target_connects_can_be_swapped_too()
    {
        await Server.SqlAsync("postgres", "CREATE TABLE public.mine AS SELECT 'snapshot' AS v");
        using Workspace own = cluster.Plain("postgres");
        await own.BackupAsync();
        await Server.SqlAsync("postgres", "UPDATE public.mine SET v = 'later'");
        Outcome outcome = await own.RunAsync(0, "restore", "-t", Server.Target, "--swap");
        (await Server.SqlAsync("postgres", "SELECT v FROM public.mine")).ShouldBe("snapshot\n");
        await Server.SqlAsync("postgres", "DROP TABLE public.mine");
        outcome.Output.ShouldContain("postgres_before_");
    }

    [Fact]
    public async Task A_role_that_may_not_rename_is_refused_before_anything_is_changed()
    {
        using Workspace own = await VaultAsync();
        await Server.SqlAsync("postgres", "CREATE ROLE stranger LOGIN CREATEDB");
        Outcome outcome = await own.RunAsync(1, "restore", "-t", "podman:stranger@" + Server.Name, "--swap");
        outcome.Errors.ShouldContain("PGB-0070");
        outcome.Errors.ShouldContain("cannot be renamed by this role");
        (await UserDatabasesAsync()).ShouldBe(["vault"]);
    }

    [Fact]
    public async Task The_source_is_no_target_without_a_word_about_what_is_there()
    {
        await Server.SqlAsync("postgres", "CREATE DATABASE market TEMPLATE tiny");
        using Workspace own = cluster.Plain("market");
        await own.BackupAsync();
        foreach (
            string[] words in (string[][])
                [
                    [],
                    ["--globals"],
                    ["-d", "market", "--as", "beside", "--globals"],
                ]
        )
        {
            (await own.RunAsync(1, ["restore", "-t", Server.Target, .. words])).Errors.ShouldContain("PGB-0076");
        }

        await own.RunAsync(0, "restore", "-t", Server.Target, "-d", "market", "--as", "beside");
        (await UserDatabasesAsync()).ShouldBe(["beside", "market"]);
    }

    private string AsKeeper => "podman:keeper@" + Server.Name;

    private static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"")}\"";

    private async Task<IReadOnlyList<string>> UserDatabasesAsync() => [.. (await Server.DatabasesAsync()).Except(["big", "small", "tiny"])];

    private Task<string> RunStatementsAsync(JsonElement statements) =>
        Server.SqlAsync("template1", string.Join('\n', statements.EnumerateArray().Select(static s => s.GetString())));

    // A database of a role that is no superuser, whose restore takes five seconds; changed since its snapshot.
    private async Task<Workspace> VaultAsync()
    {
        await Server.SqlAsync("postgres", "CREATE ROLE keeper LOGIN CREATEDB; CREATE DATABASE vault OWNER keeper");
        await Server.SqlAsync("vault", "SET ROLE keeper; " + SlowWhenRestored);
        Workspace own = cluster.Plain("vault");
        await own.BackupAsync();
        await Server.SqlAsync("vault", "UPDATE t SET v = 'later'");
        return own;
    }

    private async Task<string> CopyAsync()
    {
        string copy = "";
        await Shell.UntilAsync(
            async () =>
                (
                    copy = (
                        await Server.SqlAsync(
                            "postgres",
                            "SELECT d.datname FROM pg_database d JOIN pg_stat_activity a ON a.datid = d.oid WHERE d.datname LIKE "
                                + "'vault_restore_%' LIMIT 1"
                        )
                    ).Trim()
                ).Length > 0,
            "the copy is being filled"
        );
        return copy;
    }
}
