using System.Diagnostics;
using System.Text.Json;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Restore;
using PgBackup.Snapshots;
using PgBackup.Tests;

namespace PgBackup.IntegrationTests.Drill;

/// <summary>Rehearsed restores, good and bad. Every drill here has a config of cluster, stores and drill alone, and no source any
/// more.</summary>
[Collection("drill")]
public sealed class DrillTests(DrillSnapshots snapshots)
{
    private static readonly bool HasServer =
        Directory.Exists("/usr/lib/postgresql")
        && Directory.GetDirectories("/usr/lib/postgresql").Any(static f => File.Exists(Path.Combine(f, "bin", "initdb")));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_drill_restores_from_the_last_store_finds_everything_equal_and_leaves_only_its_report(bool byAge)
    {
        using Rehearsal own = await snapshots.RehearseAsync(
            """
            checks:
              - { database: olympus, name: "customers' settings", sql: "SELECT count(*) FROM ciam_settings;", expect: "> 0" }
              - { database: olympus, sql: "SELECT 'a:b\\' = E'a:b\\\\' -- a comment", expect: "true" }
            """,
            byAge: byAge
        );
        (await own.Workspace.RunAsync(0, "drill", "--list")).Output.ShouldContain("No drill was held yet");

        long start = Stopwatch.GetTimestamp();
        (Outcome outcome, DrillReport report) = await own.DrillAsync(0);
        double wall = Stopwatch.GetElapsedTime(start).TotalSeconds;

        outcome.Output.ShouldContain("The drill passed");
        report.Passed.ShouldBeTrue();
        report.Failures.ShouldBeEmpty();
        (report.Store, report.Snapshot, report.Encryption).ShouldBe(("offsite", own.Snapshot, byAge ? "age" : "gpg"));
        report
            .Databases.Select(static d => $"{d.Name} {d.Verdict.Word()}")
            .ShouldBe([.. DrillSnapshots.Databases.Select(static d => d + " equal")], ignoreOrder: true);
        report.Databases.ShouldAllBe(static d => d.Rows > 0 && d.Tables > 0);
        report.Questions.ShouldContain(static c =>
            c.Database == "ciam_kratos" && c.Name == "there are identities" && c.Passed && c.Answer == "50"
        );
        report.Questions.ShouldContain(static c => c.Database == "ciam_hydra" && c.Name == "there are OAuth2 clients" && c.Passed);
        report.Questions.ShouldContain(static c => c.Name == "customers' settings" && c.Passed && c.Expected == "> 0");
        report.Questions.ShouldContain(static c => c.Expected == "true" && c.Answer == "t" && c.Passed);
        double sum = report.Phases.Sum(static p => p.Seconds);
        sum.ShouldBe((report.Finished - report.Started).TotalSeconds, (sum * 0.02) + 0.05);
        sum.ShouldBeLessThan(wall);
        report.Phases.ShouldAllBe(static p => p.Seconds >= 0);
        own.Text().ShouldContain("UTC: PASSED");
        string key = report.DecryptedBy.ShouldHaveSingleItem();
        report.Recipients.ShouldHaveSingleItem().Fingerprint.ShouldBe(key);
        own.Text().ShouldContain($"Decrypted with the private key of `{key}`.");
        report.Notes.Texts().ShouldContain(static n => n.StartsWith("encrypted to one key alone", StringComparison.Ordinal));
        report.Notes.Texts().ShouldNotContain(static n => n.Contains("not tested in the last", StringComparison.Ordinal));
        own.Stores.ShouldAllBe(static s => Directory.GetFiles(Path.Combine(s, "keys"), "tested-*").Length == 1);
        (await own.Workspace.RunAsync(0, "keys"))
            .Output.Split('\n')
            .Single(l => l.StartsWith(key, StringComparison.Ordinal))
            .ShouldContain("  drill on ");
        own.Stores.ShouldAllBe(s => own.IsProven(s));
        foreach (string store in (string[])["local", "offsite"])
        {
            (await own.Workspace.RunAsync(0, "list", "--store", store))
                .Output.Split('\n')
                .Single(l => l.StartsWith(own.Snapshot, StringComparison.Ordinal))
                .ShouldContain("proven");
        }

        string listed = (await own.Workspace.RunAsync(0, "drill", "--list")).Output;
        listed.ShouldContain(own.Snapshot);
        listed.ShouldContain("passed");
        using var json = JsonDocument.Parse((await own.Workspace.RunAsync(0, "drill", "--list", "--store", "local", "--json")).Output);
        json.RootElement.GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task A_key_is_tested_by_itself_and_a_wrong_one_is_told_which_would_do()
    {
        using Rehearsal own = await snapshots.RehearseAsync();
        Outcome before = await own.Workspace.RunAsync(0, "keys");
        string fingerprint = before.Output.Split('\n')[1].Split(' ')[0];
        before.Output.ShouldContain("private keys not tested in the last 90 days: ops@example.com (never). Run ");

        Outcome wrong = await own.Workspace.RunAsync(1, "keys", "test", "--identity", snapshots.Keys.StrangerSecret);
        Outcome right = await own.Workspace.RunAsync(0, "keys", "test", "--identity", snapshots.Keys.OpsSecret);

        wrong.Errors.ShouldStartWith(
            $"olympus-pgbackup: PGB-0051: gpg has no secret key for this snapshot in {snapshots.Keys.StrangerSecret}; the snapshot "
                + $"can be decrypted by the secret key of {fingerprint}."
        );
        right.Output.ShouldContain($"{own.Snapshot} in offsite ");
        right.Output.ShouldContain(": the canary and "); // which the night has written
        right.Output.ShouldContain($"tested: the private key of {fingerprint} (ops@example.com), recorded in local, offsite");
        using var json = JsonDocument.Parse((await own.Workspace.RunAsync(0, "keys", "list", "--json")).Output);
        JsonElement key = json.RootElement.GetProperty("keys").EnumerateArray().ShouldHaveSingleItem();
        (key.GetProperty("fingerprint").GetString(), key.GetProperty("last_test").GetProperty("how").GetString()).ShouldBe(
            (fingerprint, "keys test")
        );
        json.RootElement.GetProperty("findings")
            .EnumerateArray()
            .ShouldHaveSingleItem()
            .GetProperty("what")
            .GetString()
            .ShouldNotBeNull()
            .ShouldStartWith("encrypted to one key alone");
        Workspace.HostShouldBeClean();
    }

    [Fact]
    public async Task A_wrong_key_is_a_drill_that_failed_and_the_report_says_why()
    {
        using Rehearsal own = await snapshots.RehearseAsync();

        (Outcome outcome, DrillReport report) = await own.DrillAsync(1, "--identity", snapshots.Keys.StrangerSecret);

        outcome.Errors.ShouldContain("PGB-0081");
        outcome.Errors.ShouldContain("PGB-0051");
        report.Failures.Lines().ShouldHaveSingleItem().ShouldContain("PGB-0051");
        report.DecryptedBy.ShouldBeEmpty();
        own.Stores.ShouldAllBe(static s => Directory.GetFiles(Path.Combine(s, "keys"), "tested-*").Length == 0);
        own.Text().ShouldContain("UTC: FAILED");
        own.Stores.ShouldAllBe(s => !own.IsProven(s));
        (await own.Workspace.RunAsync(0, "drill", "--list")).Output.ShouldContain("FAILED: PGB-0051");
    }

    [Fact]
    public async Task A_damaged_part_in_the_last_store_fails_the_drill_from_there_and_not_the_one_from_the_first()
    {
        using Rehearsal own = await snapshots.RehearseAsync();
        string part = Directory.GetFiles(Path.Combine(own.Stores[1], own.Snapshot), "*olympus.dump.gpg").Single();
        byte[] bytes = await File.ReadAllBytesAsync(part, TestContext.Current.CancellationToken);
        bytes[bytes.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(part, bytes, TestContext.Current.CancellationToken);

        (Outcome outcome, DrillReport report) = await own.DrillAsync(1);

        outcome.Errors.ShouldContain("PGB-0065");
        report.Failures.Lines().ShouldHaveSingleItem().ShouldContain(Path.GetFileName(part));
        own.Stores.ShouldAllBe(s => !own.IsProven(s));
        (_, report) = await own.DrillAsync(0, "--store", "local");
        report.Store.ShouldBe("local");
        own.IsProven(own.Stores[0]).ShouldBeTrue();
        own.Text().ShouldContain("FAILED |"); // the earlier one, in the trend
    }

    [Fact]
    public async Task A_snapshot_of_a_newer_server_than_the_image_is_told()
    {
        using Rehearsal own = await snapshots.RehearseAsync();
        string file = Path.Combine(own.Stores[1], own.Snapshot, SnapshotLayout.Manifest);
        string text = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
        string version = DrillSnapshots.Version(text);
        await File.WriteAllTextAsync(
            file,
            text.Replace($"\"server_version\": \"{version}\"", "\"server_version\": \"99.1\"", StringComparison.Ordinal),
            TestContext.Current.CancellationToken
        );

        (Outcome outcome, DrillReport report) = await own.DrillAsync(1);

        outcome.Errors.ShouldContain("PGB-0072");
        report.Failures.Lines().ShouldHaveSingleItem().ShouldContain("99.1");
    }

    [Fact]
    public async Task Without_a_container_engine_the_drill_fails_and_says_what_is_missing()
    {
        using Rehearsal own = await snapshots.RehearseAsync();
        own.Workspace.TakeFromPath("podman", "docker");

        (Outcome outcome, DrillReport report) = await own.DrillAsync(1);

        outcome.Errors.ShouldContain("PGB-0020");
        report.Failures.Lines().ShouldHaveSingleItem().ShouldContain("podman");
        report.Target.ShouldBe("no server");
    }

    [Fact]
    public async Task An_image_that_is_missing_is_named()
    {
        using Rehearsal own = await snapshots.RehearseAsync(scratch: "image: localhost/olympus-pgbackup-no-such-image:1");

        (Outcome outcome, DrillReport report) = await own.DrillAsync(1);

        outcome.Errors.ShouldContain("PGB-0080");
        report.Failures.Lines().ShouldHaveSingleItem().ShouldContain("localhost/olympus-pgbackup-no-such-image:1");
    }

    [Fact]
    public async Task A_question_with_another_answer_or_none_fails_the_drill_and_the_snapshot_does_not_count_as_proven()
    {
        using Rehearsal own = await snapshots.RehearseAsync(
            """
            checks:
              - { database: olympus, name: other, sql: "SELECT count(*) FROM ciam_settings", expect: "< 0" }
              - { database: olympus, name: missing, sql: "SELECT count(*) FROM no_such_table", expect: "0" }
              - { database: olympus, name: open quote, sql: "SELECT 'x", expect: "x" }
              - { database: olympus, name: own end, sql: "SELECT pg_terminate_backend(pg_backend_pid())", expect: rows }
              - { database: olympus, name: no rows, sql: "SELECT 1 WHERE false", expect: rows }
              - { database: olympus, name: right, sql: "SELECT 1", expect: "1" }
              - { database: elsewhere, name: lost, sql: "SELECT 1", expect: "1" }
            """
        );

        (Outcome outcome, DrillReport report) = await own.DrillAsync(1);

        report
            .Questions.Where(static c => !c.Passed)
            .Select(static c => c.Name)
            .ShouldBe(["other", "missing", "open quote", "own end", "no rows", "lost"]);
        report.Questions.Single(static c => c.Name == "right").Passed.ShouldBeTrue();
        report.Failures.Count.ShouldBe(6);
        outcome.Errors.ShouldContain("no_such_table");
        report.Databases.ShouldAllBe(static d => d.Verdict == RestoreVerdict.Equal);
        own.Stores.ShouldAllBe(s => !own.IsProven(s));
    }

    [Fact]
    public async Task A_restore_that_is_too_slow_or_too_old_fails_the_drill_but_the_snapshot_is_proven()
    {
        using Rehearsal own = await snapshots.RehearseAsync("rto: 1s\nrpo: 1s");

        (Outcome outcome, DrillReport report) = await own.DrillAsync(1);

        report.Failures.Count.ShouldBe(2);
        report.Failures[0].Line.ShouldContain("drill.rto");
        report.Failures[1].Line.ShouldContain("drill.rpo");
        outcome.Errors.ShouldContain("PGB-0081");
        own.Stores.ShouldAllBe(s => own.IsProven(s));
    }

    [Theory]
    [InlineData("KILL", "start")]
    [InlineData("KILL", "restore")]
    [InlineData("KILL", "checks")]
    [InlineData("TERM", "start")]
    [InlineData("TERM", "restore")]
    [InlineData("TERM", "checks")]
    public async Task A_drill_that_is_stopped_leaves_nothing_or_what_the_next_one_removes(string signal, string phase)
    {
        using Rehearsal own = await snapshots.RehearseAsync(
            phase == "checks" ? "checks: [ { database: olympus, sql: \"SELECT 1 FROM pg_sleep(600)\", expect: \"1\" } ]" : ""
        );
        string held = Path.Combine(own.Workspace.Folder, "held");
        using Hold? hold = phase == "restore" ? new Hold(own.Workspace, "--decrypt", passing: 8) : null;
        if (phase == "start")
        {
            string podman = (await Shell.ReadAsync("sh", ["-c", "command -v podman"])).Trim();
            own.Workspace.PutOnPath(
                "podman",
                $"""
                #!/bin/sh
                [ "$1" = run ] && [ ! -e {held} ] || exec {podman} "$@"
                {podman} "$@" || exit
                : >{held}
                while [ -e {held} ]; do sleep 0.1; done
                """
            );
        }

        await using RunningProgram drill = own.Start();
        switch (phase)
        {
            case "start":
                await Shell.UntilAsync(() => Task.FromResult(File.Exists(held)), "the container is started");
                break;
            case "restore":
                await hold!.EnteredAsync(1);
                break;
            default:
                await Shell.UntilAsync(async () => await SleepsAsync(drill.Id), "the question is asked");
                break;
        }

        await drill.SignalAsync(signal);
        Outcome outcome = await drill.EndAsync();
        outcome.ExitCode.ShouldBe(signal == "TERM" ? 1 : 137, outcome.ToString());
        own.ReportCount.ShouldBe(0);
        own.Stores.ShouldAllBe(s => !own.IsProven(s));
        File.WriteAllText(held, "");
        hold?.Release();
        if (signal == "TERM")
        {
            outcome.Errors.ShouldContain("PGB-0003");
        }
        else
        {
            (await Rehearsal.ContainersAsync(drill.Id)).Length.ShouldBeLessThanOrEqualTo(1);
            own.Workspace.Configure(own.Workspace.Config().Replace("SELECT 1 FROM pg_sleep(600)", "SELECT 1", StringComparison.Ordinal));
            await own.DrillAsync(0);
        }

        (await Rehearsal.ContainersAsync(drill.Id)).ShouldBeEmpty();
        Workspace.HostShouldBeClean();
        File.Delete(held);
    }

    [Fact]
    public async Task A_server_that_is_kept_can_be_reached_as_it_was_told_and_the_next_drill_leaves_it_alone()
    {
        using Rehearsal own = await snapshots.RehearseAsync();
        await using RunningProgram drill = own.Start("--keep");
        Outcome outcome = await drill.EndAsync();
        string[] kept = await Rehearsal.ContainersAsync(drill.Id);
        try
        {
            outcome.ExitCode.ShouldBe(0, outcome.ToString());
            string container = kept.ShouldHaveSingleItem();
            await own.DrillAsync(0);
            outcome.Errors.ShouldContain($"exec -it {container} psql -U postgres");
            (
                await Shell.ReadAsync(
                    "podman",
                    ["exec", container, "psql", "-U", "postgres", "-d", "ciam_kratos", "-Atc", "SELECT count(*) FROM identities"]
                )
            )
                .Trim()
                .ShouldBe("50");
            string remove = outcome
                .Errors.Split('\n')
                .Single(static l => l.Contains("Remove it: ", StringComparison.Ordinal))
                .Split("Remove it: ")[1];
            await Shell.ReadAsync("sh", ["-c", remove]);
            (await Rehearsal.ContainersAsync(drill.Id)).ShouldBeEmpty();
        }
        finally
        {
            foreach (string container in kept)
            {
                await Shell.RunAsync("podman", ["rm", "--force", "--volumes", "--time", "0", container]);
            }
        }
    }

    [Fact]
    public async Task In_a_server_that_the_config_names_a_drill_removes_only_what_it_made()
    {
        await using PostgresContainer server = await PostgresContainer.StartAsync("drill-target");
        await server.SqlAsync(
            "postgres",
            "CREATE ROLE resident LOGIN; CREATE DATABASE residence OWNER resident; CREATE ROLE reader PASSWORD 'another'; CREATE "
                + "DATABASE olympus"
        );
        string before = await BelongingsAsync(server);
        using Rehearsal own = await snapshots.RehearseAsync(
            scratch: $"image: {Surroundings.Image}\n  scratch: {{ url: \"postgres://postgres@127.0.0.1:{server.Port}/\", "
                + $"password_file: PASSWORD }}"
        );
        string password = Path.Combine(own.Workspace.Folder, "password");
        await File.WriteAllTextAsync(password, PostgresContainer.Password + "\n", TestContext.Current.CancellationToken);
        own.Workspace.Configure(own.Workspace.Config().Replace("PASSWORD", password, StringComparison.Ordinal));

        (Outcome outcome, DrillReport report) = await own.DrillAsync(1);
        report.Failures.Lines().ShouldHaveSingleItem().ShouldContain("PGB-0071");
        report.Failures[0].Line.ShouldContain("olympus");
        (await BelongingsAsync(server)).ShouldBe(before);

        await server.SqlAsync("postgres", "DROP DATABASE olympus");
        before = await BelongingsAsync(server);
        (outcome, report) = await own.DrillAsync(0);
        report.Databases.ShouldAllBe(static d => d.Verdict == RestoreVerdict.Equal);
        report.Notes.Texts().ShouldContain(static n => n.Contains("reader") && n.Contains("passwords of the snapshot"));
        (await BelongingsAsync(server)).ShouldBe(before);

        // Stopped in the middle, too.
        using (var hold = new Hold(own.Workspace, "--decrypt", passing: 8))
        {
            await using RunningProgram drill = own.Start();
            await hold.EnteredAsync(1);
            await drill.SignalAsync("TERM");
            (await drill.EndAsync()).ExitCode.ShouldBe(1);
        }

        (await BelongingsAsync(server)).ShouldBe(before);
        outcome.All.ShouldNotContain(PostgresContainer.Password);
        await server.ShouldBeCleanAsync();
    }

    [Fact]
    public async Task Where_no_container_engine_works_the_server_of_this_host_serves_if_it_is_new_enough()
    {
        using Rehearsal own = await snapshots.RehearseAsync(scratch: "scratch: host");
        own.Workspace.TakeFromPath("podman", "docker");
        (await own.Workspace.RunAsync(2, "drill", "--keep")).Errors.ShouldContain("--keep");

        await using RunningProgram drill = own.Start();
        Outcome outcome = await drill.EndAsync();

        DrillReport report = own.Report();
        if (!HasServer)
        {
            report.Failures.Lines().ShouldHaveSingleItem().ShouldContain("PGB-0080");
        }
        else if (report.Passed)
        {
            outcome.ExitCode.ShouldBe(0);
            report.Target.ShouldContain("a server on the socket in /");
            report.Databases.Count.ShouldBe(DrillSnapshots.Databases.Length);
        }
        else
        {
            report.Failures.Lines().ShouldHaveSingleItem().ShouldContain("PGB-0072");
        }

        Workspace.HostShouldBeClean();
        await Shell.UntilAsync(
            async () =>
                (
                    await Shell.RunAsync(
                        "sh",
                        ["-c", $"cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'postgres -D /[^ ]*/olympus-pgbackup-{drill.Id}-'"]
                    )
                ).Output.Trim() == "0",
            "no scratch server runs"
        );
    }

    private static async Task<bool> SleepsAsync(int process) =>
        await Rehearsal.ContainersAsync(process) is [string container]
        && (
            await Shell.RunAsync(
                "podman",
                ["exec", container, "psql", "-U", "postgres", "-Atc", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"]
            )
        ).Output.Trim() == "1";

    // Not the password of the role that the snapshot has too: the report says that it changed.
    private static Task<string> BelongingsAsync(PostgresContainer server) =>
        server.SqlAsync(
            "postgres",
            """
            SELECT datname, datdba::regrole, datacl FROM pg_database ORDER BY 1;
            SELECT rolname, rolsuper, rolpassword FROM pg_authid WHERE rolname <> 'reader' ORDER BY 1;
            SELECT spcname FROM pg_tablespace ORDER BY 1;
            SELECT roleid::regrole, member::regrole FROM pg_auth_members WHERE member::regrole::text <> 'reader' ORDER BY 1, 2;
            """
        );
}
