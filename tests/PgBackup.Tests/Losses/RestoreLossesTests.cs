using PgBackup.Losses;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Tests.Operations;
using static PgBackup.Tests.Losses.LossSample;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Losses;

public sealed class RestoreLossesTests : IDisposable
{
    private static readonly Manifest Lossy = Of(Day(22)).WithLosses(Gone(20)).Manifest;

    private readonly Stores stores = new();
    private readonly ManualClock clock = new(Day(22, 4).Time);
    private readonly FaultyStore local;

    public RestoreLossesTests() => local = stores.Faulty("local");

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task The_plan_says_each_loss_with_the_newest_complete_snapshot_that_has_none()
    {
        await PutAsync();

        (await FindAsync(Lossy))
            .Lines()
            .ShouldBe([
                $"PGB-0124: ciam_kratos: the table public.identities is gone in {Day(22)}: {Day(20)} has it, with 100 rows. The newest "
                    + $"complete snapshot without an unconfirmed loss is {Day(20)}",
            ]);
    }

    [Fact]
    public async Task Neither_a_forged_mark_nor_a_snapshot_of_the_future_is_offered()
    {
        await PutAsync();
        await Of(Day(21)).PutAsync(local, SnapshotLayout.Confirmed, "by nobody\n"u8.ToArray());
        await Of(Day(30)).PutAsync(local);

        (await FindAsync(Lossy)).Single().Fix.ShouldBe($"The newest complete snapshot without an unconfirmed loss is {Day(20)}");

        await new RecordsFolder(local).PutAsync(Confirmation(21, Gone(20)), Cancel);
        var later = new LossSurvey([local], clock);
        var catalog = new Catalog(local, clock);
        (await later.NewestWithoutAsync(catalog, await catalog.ListAsync(Cancel), Cancel))!.Id.ShouldBe(Day(21));
    }

    [Fact]
    public async Task What_is_confirmed_or_announced_or_not_restored_is_not_said()
    {
        await PutAsync();

        (await FindAsync(Lossy with { Losses = [Gone(20) with { IsExpected = true }] })).ShouldBeEmpty();
        (await FindAsync(Lossy, static l => l.Database == "olympus")).ShouldBeEmpty();
        await new RecordsFolder(local).PutAsync(Confirmation(22, Gone(20)), Cancel);
        (await FindAsync(Lossy)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Without_a_better_one_it_says_how_to_confirm()
    {
        await Of(Day(22)).WithLosses(Gone(20)).PutAsync(local);

        (await FindAsync(Lossy)).Single().Fix.ShouldNotBeNull().ShouldContain("`olympus-pgbackup confirm ");
    }

    [Fact]
    public async Task A_store_that_cannot_be_listed_any_more_does_not_end_the_restore()
    {
        await PutAsync();
        local.Fail = static _ => new PgBackupException(ErrorCode.StoreUnavailable, "no route to host");

        (await FindAsync(Lossy)).Select(static f => f.Code).ShouldBe([ErrorCode.ConfirmationsUnreadable, ErrorCode.TableGone]);
    }

    [Fact]
    public async Task Nothing_is_asked_of_a_store_where_nothing_is_lost()
    {
        (await FindAsync(Of(Day(22)).Manifest)).ShouldBeEmpty();

        local.Calls.ShouldBeEmpty();
    }

    private async Task PutAsync()
    {
        await Of(Day(19)).PutAsync(local);
        await Of(Day(20)).PutAsync(local);
        await Of(Day(21)).WithLosses(Gone(20)).PutAsync(local);
        await Of(Day(22)).WithLosses(Gone(20)).PutAsync(local);
    }

    private Task<IReadOnlyList<Finding>> FindAsync(Manifest manifest, Func<Loss, bool>? matters = null) =>
        RestoreLosses.OfAsync(new LossSurvey([local], clock), new Catalog(local, clock), manifest, matters ?? (static _ => true), Cancel);
}
