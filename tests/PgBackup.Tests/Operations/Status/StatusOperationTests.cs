using PgBackup.Operations.Status;
using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.Tests.Operations.Status;

public sealed partial class StatusOperationTests : IDisposable
{
    private readonly StatusScene scene = new();

    public void Dispose() => scene.Dispose();

    [Fact]
    public async Task What_is_complete_proven_elsewhere_and_young_is_green()
    {
        await scene.NightAsync(21);
        await scene.NightAsync(22, proven: true);
        await scene.DrillAsync(22);

        StatusReport report = await scene.ReadAsync();

        report.Findings.Texts().ShouldBeEmpty();
        (report.Level, report.Answers.Select(static a => a.Level).Distinct().ShouldHaveSingleItem()).ShouldBe(
            (StatusLevel.Green, StatusLevel.Green)
        );
        Text(report, StatusQuestion.Recover).ShouldBe("yes: 20260322T030000Z was restored and found equal in a drill (in local, offsite)");
        Text(report, StatusQuestion.Loss).ShouldBe("the last 60 min: what was written since 20260322T030000Z (in local, offsite)");
        Text(report, StatusQuestion.Speed)
            .ShouldBe(
                "about 12 s for the databases, 30 min with the rest of the deployment; drill.rto allows the databases 30 min; last drill 2026-03-22"
            );
        Text(report, StatusQuestion.Keys).ShouldBe("no key is needed: the snapshots have encryption none");
        Text(report, StatusQuestion.OffHost).ShouldBe("yes: offsite has all that it should keep, the newest 60 min old");
        Text(report, StatusQuestion.Kept).ShouldStartWith("2 snapshots, ");
        Text(report, StatusQuestion.Runs)
            .ShouldBe(
                "last complete snapshot 2026-03-22 03:00 UTC; 2 of the last 2 days have one; the next is due by 2026-03-23 05:00 UTC"
            );
    }

    [Fact]
    public async Task What_was_never_tried_is_unknown_and_never_green()
    {
        await scene.NightAsync(22);

        StatusReport report = await scene.ReadAsync();

        report.Level.ShouldBe(StatusLevel.Yellow);
        Level(report, StatusQuestion.Recover).ShouldBe(StatusLevel.Unknown);
        Level(report, StatusQuestion.Speed).ShouldBe(StatusLevel.Unknown);
        report.Findings.ShouldHaveSingleItem().Code.ShouldBe(ErrorCode.DrillOverdue);
    }

    [Fact]
    public async Task A_week_without_a_run_is_red_in_every_store()
    {
        await scene.NightAsync(14, proven: true);
        await scene.DrillAsync(14);

        StatusReport report = await scene.ReadAsync();

        report.Level.ShouldBe(StatusLevel.Red);
        Level(report, StatusQuestion.Loss).ShouldBe(StatusLevel.Red);
        Text(report, StatusQuestion.Loss).ShouldStartWith("the last 8 d");
        report
            .Findings.Where(static f => f.Severity == Severity.Error)
            .Select(static f => (f.Code, f.Subject))
            .ShouldBe([(ErrorCode.SnapshotTooOld, "local"), (ErrorCode.SnapshotTooOld, "offsite")]);
        report.Findings[0].What.ShouldBe("TOO OLD: the newest complete snapshot in local, 20260314T030000Z, is 8 d old");
        Level(report, StatusQuestion.Runs).ShouldBe(StatusLevel.Red);
        Text(report, StatusQuestion.Runs).ShouldEndWith("; the next was due by 2026-03-15 05:00 UTC");
    }

    [Fact]
    public async Task Max_age_of_the_config_decides_what_is_too_old()
    {
        await scene.NightAsync(14, proven: true);
        await scene.DrillAsync(14);
        scene.More = "max_age: 9d";

        (await scene.ReadAsync()).Level.ShouldBe(StatusLevel.Green);
    }

    [Fact]
    public async Task A_store_that_hangs_is_a_finding_and_the_others_are_judged()
    {
        await scene.NightAsync(22, proven: true);
        await scene.DrillAsync(22);
        var clock = new ManualClock(scene.Now);
        // It does not even heed that it is cancelled.
        scene.Offsite.Block = static (_, _) => new TaskCompletionSource().Task;

        Task<StatusReport> reading = scene.Operation(clock).ReadAsync(Cancel);
        while (!reading.IsCompleted)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(reading, Task.Delay(5, Cancel));
        }

        StatusReport report = await reading;
        (clock.GetUtcNow() - scene.Now).ShouldBeLessThan(TimeSpan.FromSeconds(60));
        report.Level.ShouldBe(StatusLevel.Red);
        report.Findings[0].Text.ShouldContain("did not answer within 6 s: what it holds is not known");
        Level(report, StatusQuestion.OffHost).ShouldBe(StatusLevel.Red);
        Text(report, StatusQuestion.OffHost).ShouldBe("not known: no store on another machine could be read");
        Level(report, StatusQuestion.Recover).ShouldBe(StatusLevel.Green);
        report.Stores.Select(static s => s.IsReadable).ShouldBe([true, false]);
    }

    [Fact]
    public async Task Where_no_store_can_be_read_nothing_is_known()
    {
        scene.Local.Fail = scene.Offsite.Fail = static _ => new PgBackupException(ErrorCode.StoreUnavailable, "it is gone.");

        StatusReport report = await scene.ReadAsync();

        report.Level.ShouldBe(StatusLevel.Unknown);
        report.Answers.Where(static a => a.Level == StatusLevel.Green).ShouldBeEmpty();
        report.Answers.Select(static a => a.Text).Distinct().ShouldHaveSingleItem().ShouldBe("not known: no store could be read");
        report.Findings.Count(static f => f.Code == ErrorCode.StoreUnavailable).ShouldBe(2);
    }

    [Fact]
    public async Task A_store_that_somebody_emptied_is_not_taken_for_a_new_one()
    {
        await scene.NightAsync(22, proven: true);
        await scene.DrillAsync(22);
        scene.Stores.Clear("local");
        scene.Stores.Open("local");

        StatusReport report = await scene.ReadAsync();

        report
            .Findings.Select(static f => (f.Code, f.Subject))
            .ShouldBe([(ErrorCode.NoCompleteSnapshot, "local"), (ErrorCode.StoreBehind, "local")]);
        Level(report, StatusQuestion.Kept).ShouldBe(StatusLevel.Red);
    }

    [Fact]
    public async Task Stores_without_any_snapshot_are_red_in_each_answer_that_needs_one()
    {
        StatusReport report = await scene.ReadAsync();

        report.Level.ShouldBe(StatusLevel.Red);
        Text(report, StatusQuestion.Recover).ShouldBe("no: there is no complete snapshot");
        report
            .Answers.Where(static a => a.Level == StatusLevel.Red)
            .Select(static a => a.Question)
            .ShouldBe([StatusQuestion.Recover, StatusQuestion.Loss, StatusQuestion.OffHost, StatusQuestion.Kept, StatusQuestion.Runs]);
        report.Answers.ShouldAllBe(static a => a.Level != StatusLevel.Green);
    }

    [Fact]
    public async Task A_run_that_failed_is_red_whatever_else_was_recorded_since()
    {
        await scene.NightAsync(21, proven: true);
        await scene.DrillAsync(21);
        scene.More = "max_age: 3d";
        await scene.RecordAsync(RecordKind.Run, RecordResult.Failed, scene.Now.AddHours(-1));
        foreach (int minute in Enumerable.Range(1, 20))
        {
            await scene.RecordAsync(RecordKind.Pin, RecordResult.Ok, scene.Now.AddMinutes(minute - 30));
        }

        StatusReport report = await scene.ReadAsync();

        report.Findings.ShouldHaveSingleItem().Code.ShouldBe(ErrorCode.LastRunFailed);
        report.Events.Count.ShouldBe(StatusOperation.MostEvents);
    }

    [Fact]
    public async Task Damage_that_a_check_found_stays_red_though_a_hundred_records_of_other_kinds_follow()
    {
        await scene.NightAsync(21, proven: true);
        await scene.DrillAsync(21);
        scene.More = "max_age: 3d";
        Finding damage = Finding.Error(ErrorCode.ObjectDamaged, "offsite/20260321T030000Z", "20260321T030000Z in offsite is damaged: x");
        await scene.RecordAsync(RecordKind.Damage, RecordResult.Failed, scene.Now.AddHours(-3), damage);
        foreach (int minute in Enumerable.Range(1, 100))
        {
            await scene.RecordAsync(
                minute % 2 == 0 ? RecordKind.Pin : RecordKind.Check,
                RecordResult.Ok,
                scene.Now.AddMinutes(minute - 120)
            );
        }

        StatusReport report = await scene.ReadAsync();

        report.Findings.ShouldHaveSingleItem().Code.ShouldBe(ErrorCode.ObjectDamaged);
        Level(report, StatusQuestion.OffHost).ShouldBe(StatusLevel.Red);
        await scene.RecordAsync(RecordKind.Check, RecordResult.Failed, scene.Now.AddMinutes(-1));
        (await scene.ReadAsync()).Findings.Select(static f => f.Code).ShouldBe([ErrorCode.ObjectDamaged, ErrorCode.JobFailed]);
    }

    [Fact]
    public async Task A_run_that_has_taken_hours_is_not_called_killed_while_it_writes()
    {
        await scene.NightAsync(21, proven: true);
        await scene.DrillAsync(21);
        const string Id = "20260321T200000Z";
        await StatusScene.PutAsync(scene.Local, $"{Id}/IN-PROGRESS", "process 1\n");
        await StatusScene.PutAsync(scene.Local, $"{Id}/{Id}-a.dump", "x");
        File.SetLastWriteTimeUtc(scene.Stores.PathOf("local", $"{Id}/{Id}-a.dump"), scene.Now.AddHours(-1).UtcDateTime);
        scene.More = "max_age: 3d";

        (await scene.ReadAsync()).Findings.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_run_that_lacks_a_database_is_red_with_the_database_and_why()
    {
        await scene.NightAsync(21, proven: true);
        await scene.DrillAsync(21);
        SnapshotSample partial = await scene.NightAsync(22, complete: false);

        StatusReport report = await scene.ReadAsync();

        Finding finding = report.Findings.Single(static f => f.Code == ErrorCode.LastRunFailed);
        finding.Severity.ShouldBe(Severity.Error);
        finding.What.ShouldBe($"the last run left {partial.Id} incomplete: {partial.Manifest.Failures[0].Part} failed");
        Level(report, StatusQuestion.Runs).ShouldBe(StatusLevel.Red);
        report.Figures.NewestComplete!.Id.ShouldBe("20260321T030000Z");
    }

    [Fact]
    public async Task A_run_that_stored_nothing_is_red_by_its_record_until_a_later_one_ends_well()
    {
        await scene.NightAsync(21, proven: true);
        await scene.DrillAsync(21);
        scene.More = "max_age: 3d";
        await scene.RecordAsync(
            RecordKind.Run,
            RecordResult.Failed,
            scene.Now.AddHours(-1),
            Finding.Error(ErrorCode.Connection, "olympus", "the server does not answer")
        );

        StatusReport report = await scene.ReadAsync();

        Finding failed = report.Findings.ShouldHaveSingleItem();
        (failed.Code, failed.Why).ShouldBe((ErrorCode.LastRunFailed, "the server does not answer"));
        report.Events.ShouldHaveSingleItem().Text.ShouldBe("a run");

        await scene.NightAsync(22);
        scene.Stores.Clock.Now = scene.Now.AddHours(1);
        await scene.RecordAsync(RecordKind.Run, RecordResult.Ok, scene.Now.AddMinutes(-30));

        (await scene.ReadAsync()).Findings.ShouldBeEmpty();
    }

    [Fact]
    public async Task Records_of_the_future_hide_neither_the_last_run_nor_what_happened_last()
    {
        await scene.NightAsync(21, proven: true);
        await scene.DrillAsync(21);
        scene.More = "max_age: 3d";
        await scene.RecordAsync(RecordKind.Run, RecordResult.Failed, scene.Now.AddHours(-1));
        foreach (int day in Enumerable.Range(1, 10))
        {
            await scene.RecordAsync(RecordKind.Run, RecordResult.Ok, scene.Now.AddDays(day));
        }

        StatusReport report = await scene.ReadAsync();

        report.Findings.ShouldHaveSingleItem().Code.ShouldBe(ErrorCode.LastRunFailed);
        report.Events.ShouldHaveSingleItem().Result.ShouldBe("failed");
    }

    [Fact]
    public async Task A_run_that_was_killed_stays_yellow_until_a_run_that_found_no_traces_of_one()
    {
        await scene.NightAsync(21, proven: true);
        await scene.DrillAsync(21);
        Finding killed = Finding.Warning(ErrorCode.RunKilled, "20260321T200000Z", "obey me", null, "rm -rf /");
        await scene.RecordAsync(RecordKind.Run, RecordResult.Ok, scene.Now.AddHours(-1), killed);

        Finding told = (await scene.ReadAsync()).Findings.ShouldHaveSingleItem();
        (told.Code, told.Subject, told.Fix).ShouldBe(
            (ErrorCode.RunKilled, "20260321T200000Z", "Look why: `dmesg`, or the journal of that time")
        );

        await scene.RecordAsync(RecordKind.Run, RecordResult.Ok, scene.Now.AddMinutes(-30));
        (await scene.ReadAsync()).Findings.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_run_that_was_killed_is_yellow_and_one_that_is_under_way_is_not()
    {
        await scene.NightAsync(21, proven: true);
        await scene.DrillAsync(21);
        await StatusScene.PutAsync(scene.Local, "20260321T200000Z/IN-PROGRESS", "process 1\n");
        await StatusScene.PutAsync(scene.Local, "20260322T035900Z/IN-PROGRESS", "process 2\n");

        StatusReport report = await scene.ReadAsync();

        report
            .Findings.ShouldHaveSingleItem()
            .What.ShouldBe("a run or a removal was killed before it ended, and left parts of 20260321T200000Z");
        report.Level.ShouldBe(StatusLevel.Yellow);
    }

    [Fact]
    public async Task A_store_that_lacks_snapshots_is_yellow()
    {
        await scene.NightAsync(21, proven: true);
        await scene.DrillAsync(21);
        await SnapshotSample.Of(SnapshotSample.Day(22)).PutAsync(scene.Stores.Open("local"));
        scene.More = "max_age: 2d";

        StatusReport report = await scene.ReadAsync();

        report
            .Findings.ShouldHaveSingleItem()
            .What.ShouldBe("offsite lacks 1 snapshot that its rules would keep, the newest 20260322T030000Z");
        Text(report, StatusQuestion.OffHost).ShouldBe("offsite lacks 1 snapshot, the newest there is 25 h old");
    }

    [Fact]
    public async Task Stores_that_are_all_on_this_host_are_yellow()
    {
        await scene.NightAsync(22, proven: true);
        await scene.DrillAsync(22);
        scene.IsOffHost = false;

        StatusReport report = await scene.ReadAsync();

        report.Findings.ShouldHaveSingleItem().Code.ShouldBe(ErrorCode.NothingOffHost);
        Text(report, StatusQuestion.OffHost).ShouldBe("no: every store is on this host");
    }

    [Fact]
    public async Task A_newest_manifest_that_is_damaged_is_red_and_another_copy_is_read()
    {
        SnapshotSample night = await scene.NightAsync(22, proven: true);
        await scene.DrillAsync(22);
        scene.Stores.Cut("local", night.Key(SnapshotLayout.Manifest));

        StatusReport report = await scene.ReadAsync();

        Finding damaged = report.Findings.ShouldHaveSingleItem();
        (damaged.Code, damaged.Severity, damaged.Subject).ShouldBe((ErrorCode.ManifestUnreadable, Severity.Error, "local"));
        report.Figures.NewestComplete!.Id.ShouldBe("20260322T030000Z");
    }

    [Fact]
    public async Task The_last_drill_that_failed_is_red_with_its_reason_and_the_speed_is_of_the_last_that_passed()
    {
        await scene.NightAsync(20, proven: true);
        await scene.NightAsync(22);
        await scene.DrillAsync(20, 100);
        await scene.DrillAsync(22, 3, Finding.Error(ErrorCode.AnswerWrong, "ciam_kratos", "ciam_kratos: wrong answer", "0 came"));

        StatusReport report = await scene.ReadAsync();

        Finding failed = report.Findings.ShouldHaveSingleItem();
        (failed.Code, failed.Why).ShouldBe((ErrorCode.LastDrillFailed, "ciam_kratos: wrong answer: 0 came"));
        report.Figures.RestoreSeconds.ShouldBe(100);
        Text(report, StatusQuestion.Speed).ShouldEndWith("last drill 2026-03-22, which failed");
        Text(report, StatusQuestion.Recover)
            .ShouldEndWith("; the newest, 20260322T030000Z, is complete and not rehearsed; the last drill, of 2026-03-22, failed");
    }

    [Fact]
    public async Task The_speed_is_scaled_by_bytes_and_never_less_than_measured()
    {
        await scene.NightAsync(20, proven: true, size: 40_000);
        await scene.DrillAsync(20, 1000);
        await scene.NightAsync(22, size: 160_000);

        StatusReport grown = await scene.ReadAsync();

        grown.Figures.RestoreSeconds!.Value.ShouldBeInRange(3_000, 4_000);
        grown.Findings.ShouldHaveSingleItem().Code.ShouldBe(ErrorCode.RtoExceeded);

        await scene.NightAsync(23, size: 1_000);
        scene.Stores.Clock.Now = scene.Now.AddDays(1);

        (await scene.ReadAsync()).Figures.RestoreSeconds.ShouldBe(1000);
    }

    [Fact]
    public async Task A_drill_of_four_months_ago_is_overdue()
    {
        await scene.NightAsync(1, proven: true);
        await scene.DrillAsync(1);
        scene.Stores.Clock.Now = scene.Now.AddDays(100);
        scene.More = "max_age: 1000d";

        (await scene.ReadAsync()).Findings.ShouldHaveSingleItem().Text.ShouldContain("the last drill was 121 d ago");
    }

    [Fact]
    public async Task A_snapshot_from_the_future_hides_nothing()
    {
        await scene.NightAsync(20, proven: true);
        await scene.DrillAsync(20);
        await SnapshotSample.Of(SnapshotSample.Day(30)).PutAsync(scene.Stores.Open("local"));

        StatusReport report = await scene.ReadAsync();

        report.Figures.NewestComplete!.Id.ShouldBe("20260320T030000Z");
        report.Findings.Select(static f => f.Code).ShouldContain(ErrorCode.SnapshotTooOld);
        report.Findings.Select(static f => f.Code).ShouldContain(ErrorCode.SnapshotFromTheFuture);
    }

    [Fact]
    public async Task Hostile_names_and_reports_are_no_answers()
    {
        await scene.NightAsync(22);
        await StatusScene.PutAsync(scene.Stores.Open("local"), "drills/20260322T033000Z.json", "{\"format\": 1}");
        await StatusScene.PutAsync(scene.Stores.Open("local"), "drills/../x.json".Replace("..", "x", StringComparison.Ordinal), "x");
        await StatusScene.PutAsync(scene.Stores.Open("local"), "records/20260322T033000Z-run-01234567.json", new string('[', 100_000));
        await StatusScene.PutAsync(scene.Stores.Open("local"), "keys/tested-x-20260322T033000Z.json", "x");

        StatusReport report = await scene.ReadAsync();

        report.Findings.Select(static f => f.Code).ShouldBe([ErrorCode.DrillOverdue, ErrorCode.RecordsUnreadable]);
        (report.Events.Count, Level(report, StatusQuestion.Recover)).ShouldBe((0, StatusLevel.Unknown));
    }

    [Fact]
    public async Task Each_store_says_what_it_keeps_by_tier_and_what_it_costs()
    {
        await scene.NightAsync(21);
        await scene.NightAsync(22);

        StoreStatus store = (await scene.ReadAsync()).Stores[1];

        (store.Name, store.Snapshots, store.Complete, store.Proven, store.NewestComplete, store.AgeSeconds).ShouldBe(
            ("offsite", 2, 2, 0, "20260322T030000Z", 3600)
        );
        store.BytesByTier.ShouldHaveSingleItem().ShouldBe(KeyValuePair.Create("all", store.Bytes));
        store.CostPerMonth.ShouldBe(Math.Round(store.Bytes / 1_000_000_000m * 5_000, 6));
    }

    private static string Text(StatusReport report, StatusQuestion question) => report.Answers.Single(a => a.Question == question).Text;

    private static StatusLevel Level(StatusReport report, StatusQuestion question) =>
        report.Answers.Single(a => a.Question == question).Level;
}
