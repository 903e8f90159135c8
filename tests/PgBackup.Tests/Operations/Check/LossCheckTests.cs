using PgBackup.Losses;
using PgBackup.Operations.Check;
using PgBackup.Records;
using PgBackup.Snapshots;
using static PgBackup.Tests.Losses.LossSample;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Check;

public sealed class LossCheckTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly ManualClock clock = new(Day(22, 4).Time);
    private readonly FaultyStore local;
    private readonly FaultyStore offsite;

    public LossCheckTests()
    {
        local = stores.Faulty("local");
        offsite = stores.Faulty("offsite");
    }

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task An_unconfirmed_loss_of_the_newest_snapshot_is_red_once_for_all_stores()
    {
        await PutAsync(Of(Day(22)).WithLosses(Gone(21)), local, offsite);

        CheckReport report = await CheckAsync(SnapshotRef.Latest);

        report.IsRight.ShouldBeFalse();
        report.Findings.Select(static f => (f.Code, f.Severity)).ShouldBe([(ErrorCode.TableGone, Severity.Error)]);
        report.Snapshots.ShouldAllBe(static s => s.Problems.Count == 0, "its bytes are whole");
    }

    [Fact]
    public async Task A_record_in_any_store_settles_it()
    {
        await PutAsync(Of(Day(22)).WithLosses(Gone(21)), local, offsite);
        await new RecordsFolder(offsite).PutAsync(Confirmation(22, Gone(21)), Cancel);

        (await CheckAsync(SnapshotRef.Latest)).Findings.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_mark_without_a_record_settles_nothing_and_is_named()
    {
        SnapshotSample lossy = Of(Day(22)).WithLosses(Gone(21));
        await PutAsync(lossy, local, offsite);
        await lossy.PutAsync(local, SnapshotLayout.Confirmed, "by nobody\n"u8.ToArray());
        await lossy.PutAsync(offsite, SnapshotLayout.Confirmed, "by nobody\n"u8.ToArray());

        CheckReport report = await CheckAsync(SnapshotRef.Latest);

        report.IsRight.ShouldBeFalse();
        report
            .Findings.Select(static f => (f.Code, f.Severity))
            .ShouldBe([(ErrorCode.ConfirmationsUnreadable, Severity.Warning), (ErrorCode.TableGone, Severity.Error)]);
        report.Findings[0].What.ShouldBe($"{Day(22)} has the mark CONFIRMED, and no record says who confirmed its losses");
    }

    [Fact]
    public async Task A_loss_that_was_mended_since_is_not_red_any_more_though_a_store_is_behind()
    {
        await PutAsync(Of(Day(21)).WithLosses(Gone(20)), local, offsite);
        await PutAsync(Of(Day(22)), local);

        (await CheckAsync(SnapshotRef.Latest)).Findings.ShouldBeEmpty();
        (await CheckAsync(SnapshotRef.Of(Day(21)))).Findings.Count.ShouldBe(1);
        CheckReport all = await CheckAsync(null);
        Finding mended = all.Findings.ShouldHaveSingleItem();
        (mended.Severity, mended.Why).ShouldBe((Severity.Note, $"{Day(20)} has it, with 100 rows; {Day(22)} has it again"));
        all.Findings.All(static f => f.Severity < Severity.Error).ShouldBeTrue();
    }

    [Fact]
    public async Task Yellow_losses_are_told_and_fail_nothing()
    {
        await PutAsync(Of(Day(22)).WithLosses(Shrunk(21, 40) with { Severity = Severity.Warning }), local, offsite);

        CheckReport report = await CheckAsync(SnapshotRef.Latest);

        report.Findings.Select(static f => f.Severity).ShouldBe([Severity.Warning]);
        report.IsRight.ShouldBeTrue();
    }

    [Fact]
    public async Task Why_it_is_not_known_what_was_confirmed_is_told_beside_a_loss_and_only_then()
    {
        await PutAsync(Of(Day(22)).WithLosses(Gone(21)), local, offsite);
        offsite.Fail = static call => call == "list records" ? new PgBackupException(ErrorCode.StoreUnavailable, "no route to host") : null;

        (await CheckAsync(SnapshotRef.Latest))
            .Findings.Select(static f => f.Code)
            .ShouldBe([ErrorCode.ConfirmationsUnreadable, ErrorCode.TableGone]);
        await new RecordsFolder(local).PutAsync(Confirmation(22, Gone(21)), Cancel);
        (await CheckAsync(SnapshotRef.Latest)).Findings.ShouldBeEmpty();
    }

    private static async Task PutAsync(SnapshotSample sample, params FaultyStore[] into)
    {
        foreach (FaultyStore store in into)
        {
            await sample.PutAsync(store);
        }
    }

    private Task<CheckReport> CheckAsync(SnapshotRef? wanted) =>
        new StoresCheck([Stores.Kept(local), Stores.Kept(offsite)], Cluster, clock, static s => Stores.CheckOf(s))
        {
            Losses = new LossSurvey([local, offsite], clock),
        }.RunAsync(wanted, CheckDepth.Present, Cancel);
}
