namespace PgBackup.IntegrationTests.Backup;

/// <summary>Signals, second runs, lost connections, locks and full disks, all in mid-dump.</summary>
[Collection("bad days")]
public sealed class InterruptedRunTests(BadDaysCluster cluster)
{
    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task A_signal_in_mid_dump_ends_everything_and_leaves_only_earlier_snapshots(string signal)
    {
        using Workspace own = cluster.Gpg("big", "small");
        string earlier = await own.BackupAsync();
        IReadOnlyDictionary<string, string> before = own.Contents();
        using var hold = new Hold(own);
        await using RunningProgram run = own.Start();
        await hold.EnteredAsync(3);
        await run.SignalAsync(signal);
        Outcome outcome = await run.EndAsync();

        outcome.ExitCode.ShouldBe(1, outcome.ToString());
        outcome.Errors.ShouldContain("PGB-0003");
        outcome.Errors.ShouldContain("SIG" + signal);
        await cluster.Server.ShouldBeCleanAsync();
        Workspace.HostShouldBeClean();
        own.Contents().ShouldBe(before);
        (await own.RunAsync(0, "list", "--json")).Output.ShouldContain(earlier);
        hold.Release();
        await own.BackupAsync();
        await own.RunAsync(0, "check", "--all", "--read-data", "-i", cluster.Keys.OpsSecret);
    }

    [Fact]
    public async Task A_killed_run_leaves_nothing_that_is_taken_for_a_snapshot_and_the_next_run_removes_it()
    {
        using Workspace own = cluster.Gpg("big", "small");
        string earlier = await own.BackupAsync();
        using (var hold = new Hold(own))
        {
            await using RunningProgram run = own.Start();
            await hold.EnteredAsync(3);
            await run.SignalAsync("KILL");
            (await run.EndAsync()).ExitCode.ShouldBe(137);
            await cluster.Server.ShouldBeCleanAsync();
            Workspace.HostShouldBeClean();

            string rest = Snapshots(own).Single(f => f != earlier);
            Directory
                .GetFiles(own.SnapshotFolder(rest))
                .Select(Path.GetFileName)
                .Where(static f => f![0] != '.')
                .ShouldBe(["IN-PROGRESS"], "only hidden partial files beside it");
            (await own.RunAsync(0, "list"))
                .Output.Split('\n')
                .Single(l => l.StartsWith(rest, StringComparison.Ordinal))
                .ShouldContain("unfinished");
            (await own.RunAsync(1, "show", rest)).Errors.ShouldContain("PGB-0062");
            (
                await own.RunAsync(
                    1,
                    "restore",
                    rest,
                    "-t",
                    cluster.Server.Target,
                    "-d",
                    "small",
                    "--as",
                    "ghost",
                    "-i",
                    cluster.Keys.OpsSecret
                )
            ).Errors.ShouldContain("PGB-0062");
            (await own.RunAsync(0, "show", "latest")).Output.ShouldContain(earlier);
            (await own.RunAsync(0, "check", "--all", "--read-data")).Output.ShouldNotContain(rest);
        }

        string next = await own.BackupAsync();
        Snapshots(own).ShouldBe([earlier, next], ignoreOrder: true);
        (await own.RunAsync(0, "log", "--json")).Output.ShouldContain("did not end in order; what it left of");
        await own.RunAsync(0, "check", "--all", "--read-data");
    }

    [Fact]
    public async Task A_second_run_is_refused_while_the_first_completes()
    {
        using Workspace own = cluster.Gpg("big", "small");
        using Workspace elsewhere = cluster.Plain("tiny", "small");
        using var hold = new Hold(own);
        await using RunningProgram first = own.Start();
        await hold.EnteredAsync(3);

        Outcome sameStore = await own.RunAsync(1);
        sameStore.Errors.ShouldContain("PGB-0042");
        sameStore.Errors.ShouldContain($"process {first.Id}");
        (await elsewhere.RunAsync(1)).Errors.ShouldContain("PGB-0042");
        elsewhere.Contents().ShouldBeEmpty();
        hold.Release();
        Outcome outcome = await first.EndAsync();
        outcome.ExitCode.ShouldBe(0, outcome.ToString());
        await elsewhere.BackupAsync();
    }

    [Theory]
    [InlineData("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'doomed'", true)]
    [InlineData("DROP DATABASE doomed WITH (FORCE)", false)]
    public async Task A_dump_that_loses_its_server_in_the_middle_fails_and_the_others_are_stored(string disaster, bool remains)
    {
        await cluster.Server.SqlAsync("postgres", "CREATE DATABASE doomed TEMPLATE big");
        using Workspace own = cluster.Gpg("doomed", "small");
        using var hold = new Hold(own);
        await using RunningProgram run = own.Start();
        await hold.EnteredAsync(3);
        await cluster.Server.SqlAsync("postgres", disaster);
        hold.Release();
        Outcome outcome = await run.EndAsync();

        outcome.ExitCode.ShouldBe(3, outcome.ToString());
        outcome.Errors.ShouldContain("FAILED: doomed");
        outcome.Errors.ShouldContain("server closed the connection unexpectedly");
        string id = outcome.Output.Split(' ')[0];
        own.Manifest(id).Databases.Select(static p => p.Database).ShouldBe(["small"]);
        Directory.GetFiles(own.SnapshotFolder(id)).ShouldNotContain(static f => f.Contains("doomed"));
        await own.RunAsync(0, "check", id, "--read-data", "-i", cluster.Keys.OpsSecret);
        if (remains)
        {
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE doomed");
        }
    }

    [Fact]
    public async Task A_table_that_a_migration_has_locked_fails_its_database_alone_after_the_timeout()
    {
        using Workspace own = Workspace.ForContainer(cluster.Server.Name, "none", ["small", "tiny"], dump: "{ lock_timeout: 1s }");
        await using (await cluster.Server.HoldAsync("small", "LOCK TABLE t IN ACCESS EXCLUSIVE MODE"))
        {
            Outcome outcome = await own.RunAsync(3);
            outcome.Errors.ShouldContain("FAILED: small");
            outcome.Errors.ShouldContain("PGB-0045");
            outcome.Errors.ShouldContain("tables of small were locked for 1 s: public.t by process ");
            outcome.Errors.ShouldContain("raise dump.lock_timeout");
            own.Manifest(outcome.Output.Split(' ')[0]).Databases.Select(static p => p.Database).ShouldBe(["tiny"]);
        }

        await own.BackupAsync();
    }

    [Fact]
    public async Task Time_limits_of_the_role_do_not_end_a_long_night()
    {
        await cluster.Server.SqlAsync(
            "postgres",
            """
            CREATE ROLE hasty SUPERUSER LOGIN; ALTER ROLE hasty SET statement_timeout = '400ms'; ALTER ROLE hasty SET idle_in_transaction_session_timeout = '400ms';
            ALTER ROLE hasty SET idle_session_timeout = '400ms'; ALTER ROLE hasty SET transaction_timeout = '400ms'; ALTER ROLE hasty SET lock_timeout = '1ms';
            """
        );
        try
        {
            using var own = Workspace.ForContainer(
                cluster.Server.Name,
                Workspace.Gpg(cluster.Keys, Keys.Ops),
                ["big", "small"],
                user: "hasty"
            );
            using var hold = new Hold(own);
            await using RunningProgram run = own.Start();
            await hold.EnteredAsync(3);
            await Task.Delay(1500, TestContext.Current.CancellationToken);
            hold.Release();
            Outcome outcome = await run.EndAsync();
            outcome.ExitCode.ShouldBe(0, outcome.ToString());
        }
        finally
        {
            await cluster.Server.SqlAsync("postgres", "DROP ROLE hasty");
        }
    }

    [Fact]
    public async Task A_disk_that_fills_in_mid_dump_leaves_no_half_object_and_earlier_snapshots_whole()
    {
        using Workspace own = cluster.Plain("small");
        string disk = Path.Combine(own.Folder, "disk");
        Directory.CreateDirectory(disk);
        await Shell.ReadAsync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", disk]);
        try
        {
            own.UseStore(Path.Combine(disk, "store"));
            string earlier = await own.BackupAsync();
            IReadOnlyDictionary<string, string> before = own.Contents();
            own.Configure(own.Config().Replace("[\"small\"]", "[\"big\", \"small\"]", StringComparison.Ordinal));
            Outcome outcome = await own.RunAsync();
            outcome.ExitCode.ShouldBeOneOf(1, 3);
            outcome.Errors.ShouldContain("is full");
            IReadOnlyDictionary<string, string> after = own.Contents();
            foreach ((string file, string digest) in before)
            {
                after[file].ShouldBe(digest);
            }

            after.Keys.ShouldNotContain(static f => f.Contains("partial") || f.Contains("big") || f.Contains("IN-PROGRESS"));
            if (outcome.ExitCode == 1)
            {
                after.ShouldBe(before);
            }

            (await own.RunAsync(0, "show", "latest")).Output.ShouldContain(earlier);
            await own.RunAsync(0, "check", "--all", "--read-data");
        }
        finally
        {
            await Shell.ReadAsync("umount", [disk]);
        }
    }

    [Fact]
    public async Task All_databases_are_of_one_moment_though_one_dump_starts_later()
    {
        using Workspace own = Workspace.ForContainer(
            cluster.Server.Name,
            Workspace.Gpg(cluster.Keys, Keys.Ops),
            ["big", "small", "tiny"],
            "{ jobs: 1 }"
        );
        await cluster.Server.SqlAsync("small", "CREATE TABLE moves (n int)");
        await cluster.Server.SqlAsync("tiny", "CREATE TABLE moves (n int)");
        const string Writer =
            "while [ ! -e /tmp/stop ]; do for d in small tiny; do psql -XqU postgres -d $d -c 'INSERT INTO moves VALUES (1)'; done; done";
        await using var writer = new RunningProgram("podman", ["exec", cluster.Server.Name, "sh", "-c", Writer], null, null, null);
        try
        {
            using var hold = new Hold(own);
            await using RunningProgram run = own.Start();
            await hold.EnteredAsync(2); // the roles and the first database: the turn of the others comes later
            long before = await MovesAsync();
            await Shell.UntilAsync(async () => await MovesAsync() > before + 5, "the writer goes on");
            hold.Release();
            Outcome outcome = await run.EndAsync();
            outcome.ExitCode.ShouldBe(0, outcome.ToString());
            Snapshots.Manifest manifest = own.Manifest(
                outcome.Output.Split('\n').Last(static l => l.Length > 0 && char.IsAsciiDigit(l[0])).Split(' ')[0]
            );
            long[] rows =
            [
                .. manifest
                    .Databases.Where(static p => p.Database != "big")
                    .Select(static p => p.Proof.Tables.Single(static t => t.Key.Contains("moves")).Value.Rows),
            ];
            // The writer goes to and fro between the two, and starts a psql of more than 5 ms for each row.
            Math.Abs(rows[0] - rows[1]).ShouldBeLessThanOrEqualTo(1 + (long)(manifest.SkewMs / 5));
            rows.Max().ShouldBeLessThanOrEqualTo(before, "rows that came after the moment are in neither");
        }
        finally
        {
            await cluster.Server.ExecAsync("touch", "/tmp/stop");
            await writer.EndAsync();
            await cluster.Server.SqlAsync("small", "DROP TABLE moves");
            await cluster.Server.SqlAsync("tiny", "DROP TABLE moves");
        }
    }

    private async Task<long> MovesAsync() => long.Parse(await cluster.Server.SqlAsync("small", "SELECT count(*) FROM moves"));

    [Fact]
    public async Task A_server_whose_container_dies_in_mid_dump_fails_the_run_at_once()
    {
        await using PostgresContainer doomed = await PostgresContainer.StartAsync("doomed");
        await doomed.SqlAsync("postgres", "CREATE DATABASE big");
        await doomed.SqlAsync(
            "big",
            "CREATE TABLE noise AS SELECT g, (SELECT string_agg(md5(format('%s/%s', g, i)), '') FROM generate_series(1, 30) i) AS v "
                + "FROM generate_series(1, 16000) g"
        );
        using var own = Workspace.ForContainer(doomed.Name, Workspace.Gpg(cluster.Keys, Keys.Ops), ["big"]);
        string earlier = await own.BackupAsync();
        IReadOnlyDictionary<string, string> before = own.Contents();
        using var hold = new Hold(own);
        await using RunningProgram run = own.Start();
        await hold.EnteredAsync(2);
        await Shell.ReadAsync("podman", ["kill", doomed.Name]);
        hold.Release();
        Outcome outcome = await run.EndAsync();
        outcome.ExitCode.ShouldBe(1, outcome.ToString());
        own.Contents().ShouldBe(before);
        (await own.RunAsync(0, "show", "latest")).Output.ShouldContain(earlier);
    }

    [Fact]
    public async Task A_cipher_that_stops_reading_fails_its_part_even_if_it_says_that_all_is_well()
    {
        using Workspace own = cluster.Gpg("big", "tiny");
        own.PutOnPath(
            "gpg",
            """
            #!/bin/sh
            case " $* " in
            *" --armor "*|*" --list-keys "*) exec /usr/bin/gpg "$@" ;;
            esac
            head -c 300000 | /usr/bin/gpg "$@"
            """
        );
        Outcome outcome = await own.RunAsync(3);
        outcome.Errors.ShouldContain("FAILED: big");
        own.Manifest(outcome.Output.Split(' ')[0]).Databases.Select(static p => p.Database).ShouldBe(["tiny"]);
        await own.RunAsync(0, "check", outcome.Output.Split(' ')[0], "-i", cluster.Keys.OpsSecret);
    }

    [Fact]
    public async Task A_cipher_that_is_killed_fails_its_part_and_leaves_no_half_object()
    {
        using Workspace own = cluster.Gpg("big", "tiny");
        own.PutOnPath(
            "gpg",
            """
            #!/bin/sh
            case " $* " in
            *" --armor "*|*" --list-keys "*) exec /usr/bin/gpg "$@" ;;
            esac
            exec perl -e 'read(STDIN, $d, 2000000); if (length($d) == 2000000) { print substr($d, 0, 100000); $| = 1; kill 9, $$ } open($g, "|-", "/usr/bin/gpg", @ARGV); print $g $d; close($g); exit($? >> 8)' -- "$@"
            """
        );
        Outcome outcome = await own.RunAsync(3);
        outcome.Errors.ShouldContain("FAILED: big");
        outcome.Errors.ShouldContain("gpg");
        string id = outcome.Output.Split(' ')[0];
        Directory.GetFiles(own.SnapshotFolder(id)).ShouldNotContain(static f => f.Contains("big"));
        await own.RunAsync(0, "check", id, "-i", cluster.Keys.OpsSecret);
    }

    private static IEnumerable<string> Snapshots(Workspace own) =>
        Directory.GetDirectories(own.Store).Select(static f => Path.GetFileName(f)).Where(static f => f.EndsWith('Z'));
}
