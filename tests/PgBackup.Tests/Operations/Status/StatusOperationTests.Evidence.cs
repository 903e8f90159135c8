using PgBackup.Operations.Drill;
using PgBackup.Operations.Status;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Tests.Losses;

namespace PgBackup.Tests.Operations.Status;

/// <content>Manifests, reports of drills, losses and confirmations that it reads.</content>
public sealed partial class StatusOperationTests
{
    [Fact]
    public async Task A_newest_manifest_that_is_damaged_in_every_store_hides_no_older_snapshot()
    {
        await scene.NightAsync(21, proven: true);
        await scene.DrillAsync(21);
        SnapshotSample night = await scene.NightAsync(22);
        scene.Stores.Cut("local", night.Key(SnapshotLayout.Manifest));
        scene.Stores.Cut("offsite", night.Key(SnapshotLayout.Manifest));

        StatusReport report = await scene.ReadAsync();

        report.Figures.NewestComplete!.Id.ShouldBe("20260321T030000Z");
        report
            .Findings.Select(static f => (f.Code, f.Subject))
            .ShouldBe([(ErrorCode.ManifestUnreadable, "local"), (ErrorCode.ManifestUnreadable, "offsite")]);
    }

    [Theory]
    [InlineData(1e300)]
    [InlineData(-1e10)]
    public async Task A_report_of_a_drill_with_impossible_figures_is_none(double seconds)
    {
        await scene.NightAsync(22, proven: true);
        await scene.DrillAsync(22, seconds);

        StatusReport report = await scene.ReadAsync();

        report.Figures.LastDrill.ShouldBeNull();
        report.Findings.Select(static f => f.Code).ShouldBe([ErrorCode.DrillOverdue, ErrorCode.RecordsUnreadable]);
    }

    [Fact]
    public async Task A_report_of_a_drill_under_another_time_is_none()
    {
        await scene.NightAsync(22, proven: true);
        DrillReport report = await scene.DrillAsync(22);
        await StatusScene.PutAsync(scene.Stores.Open("local"), "drills/20260322T035959Z.json", report.ToJson());

        (await scene.ReadAsync()).Figures.LastDrill!.Time.ShouldBe(report.Started);
        Finding told = (await scene.ReadAsync()).Findings.ShouldHaveSingleItem();
        (told.Code, told.What).ShouldBe(
            (ErrorCode.RecordsUnreadable, "the report of the drill 20260322T035959Z cannot be read, so it is not known what was said there")
        );
    }

    [Fact]
    public async Task A_snapshot_whose_dumps_are_not_there_recovers_nothing_though_its_names_say_that_it_is_proven()
    {
        SnapshotSample night = await scene.NightAsync(22, proven: true);
        await scene.DrillAsync(22);
        string dump = night.Key(night.Manifest.Parts[0].Object);
        File.Delete(scene.Stores.PathOf("local", dump));

        StatusReport one = await scene.ReadAsync();
        File.WriteAllText(scene.Stores.PathOf("offsite", dump), "");
        StatusReport both = await scene.ReadAsync();

        one.Findings.Select(static f => (f.Code, f.Subject)).ShouldBe([(ErrorCode.ObjectDamaged, "local")]);
        one.Figures.NewestProven!.Stores.ShouldBe(["offsite"]);
        both.Findings.Select(static f => f.Subject).Where(static s => s != "olympus").ShouldBe(["local", "offsite"]);
        (both.Figures.NewestComplete, both.Figures.NewestProven, Level(both, StatusQuestion.Recover)).ShouldBe(
            (null, null, StatusLevel.Red)
        );
    }

    [Fact]
    public async Task A_proven_snapshot_that_cannot_be_read_proves_nothing()
    {
        SnapshotSample proven = await scene.NightAsync(20, proven: true);
        await scene.NightAsync(22);
        await scene.DrillAsync(20);
        foreach (string store in (string[])["local", "offsite"])
        {
            File.WriteAllText(scene.Stores.PathOf(store, proven.Key(SnapshotLayout.Manifest)), "x");
        }

        StatusReport report = await scene.ReadAsync();

        report.Figures.NewestProven.ShouldBeNull();
        report.Findings.Select(static f => f.Code).ShouldContain(ErrorCode.ManifestUnreadable);
        (report.Level, Level(report, StatusQuestion.Recover)).ShouldBe((StatusLevel.Red, StatusLevel.Unknown));
    }

    [Fact]
    public async Task A_drill_of_the_future_hides_none_that_failed()
    {
        await scene.NightAsync(22, proven: true);
        DrillReport failed = await scene.DrillAsync(
            22,
            findings: Finding.Error(ErrorCode.AnswerWrong, "iam_hydra", "iam_hydra: wrong answer")
        );
        DrillReport forged = failed with { Started = scene.Now.AddYears(70), Findings = [] };
        await StatusScene.PutAsync(scene.Stores.Open("local"), $"drills/{SnapshotId.At(forged.Started)}.json", forged.ToJson());

        StatusReport report = await scene.ReadAsync();

        report.Figures.LastDrill!.Time.ShouldBe(failed.Started);
        report.Findings.Select(static f => f.Code).ShouldContain(ErrorCode.LastDrillFailed);
    }

    [Fact]
    public async Task A_complete_snapshot_of_the_future_does_not_hide_that_tonights_is_not()
    {
        await scene.NightAsync(21, proven: true);
        await scene.DrillAsync(21);
        SnapshotSample tonight = await scene.NightAsync(22, complete: false);
        await SnapshotSample.Of(SnapshotSample.Day(30)).PutAsync(scene.Stores.Open("local"));

        (await scene.ReadAsync()).Findings.ShouldContain(f => f.Code == ErrorCode.LastRunFailed && f.Subject == tonight.Id.ToString());
    }

    [Fact]
    public async Task Snapshots_of_another_cluster_answer_nothing()
    {
        await scene.NightAsync(22, proven: true);
        scene.Cluster = "other";

        StatusReport report = await scene.ReadAsync();

        report.Findings.Select(static f => f.Code).ShouldContain(ErrorCode.StoreOfAnotherCluster);
        (report.Figures.NewestComplete, Level(report, StatusQuestion.Recover)).ShouldBe((null, StatusLevel.Red));
    }

    [Fact]
    public async Task An_unconfirmed_loss_is_red_until_a_person_confirms_it_and_that_is_told_for_a_month()
    {
        SnapshotSample night = SnapshotSample.Of(SnapshotSample.Day(22)).WithLosses(LossSample.Gone(21));
        await night.PutAsync(scene.Stores.Open("local"), proven: true);
        await night.PutAsync(scene.Stores.Open("offsite"), proven: true);
        await scene.DrillAsync(22);

        StatusReport red = await scene.ReadAsync();

        Finding loss = red.Findings.ShouldHaveSingleItem();
        (loss.Code, loss.Severity, loss.Subject).ShouldBe((ErrorCode.TableGone, Severity.Error, "ciam_kratos.public.identities"));
        Level(red, StatusQuestion.Recover).ShouldBe(StatusLevel.Red);

        await new RecordsFolder(scene.Stores.Open("offsite")).PutAsync(LossSample.Confirmation(22, LossSample.Gone(21)), Cancel);
        scene.Stores.Clock.Now = scene.Now.AddHours(8);
        StatusReport settled = await scene.ReadAsync();

        (settled.Level, settled.Findings.ShouldHaveSingleItem().What).ShouldBe(
            (StatusLevel.Green, "confirmed on 2026-03-22 08:00 UTC by ada on backup1: the migration: ciam_kratos.public.identities")
        );
        scene.Stores.Clock.Now = scene.Now.AddDays(31);
        (await scene.ReadAsync()).Findings.Select(static f => f.Code).ShouldNotContain(ErrorCode.LossConfirmed);
    }

    [Fact]
    public async Task A_schema_that_was_dropped_does_not_fill_the_screen()
    {
        Loss[] losses = [.. Enumerable.Range(0, 300).Select(static n => LossSample.Of(LossKind.TableGone, $"public.t{n:000}", 10, 0, 21))];
        await SnapshotSample.Of(SnapshotSample.Day(22)).WithLosses(losses).PutAsync(scene.Stores.Open("local"));

        StatusReport report = await scene.ReadAsync();

        report.Findings.Count(static f => f.Code == ErrorCode.TableGone).ShouldBe(16);
        report.Findings.Select(static f => f.What).ShouldContain("285 more losses in 20260322T030000Z");
    }
}
