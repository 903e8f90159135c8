using PgBackup.Operations.Prune;
using PgBackup.Snapshots;
using PgBackup.Storage;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Prune;

public sealed class PinTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly FaultyStore local;
    private readonly FaultyStore offsite;

    public PinTests()
    {
        local = stores.Faulty("local");
        offsite = stores.Faulty("offsite");
    }

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task A_pin_stands_in_every_store_that_holds_the_snapshot_and_goes_again()
    {
        await Of(Day(21)).PutAsync(local);
        await Of(Day(22)).PutAsync(local);
        await Of(Day(22)).PutAsync(offsite);

        (await PinAsync("latest", "before the migration")).ShouldBe(["local", "offsite"]);
        (await PinAsync(Day(21).ToString(), "the audit")).ShouldBe(["local"]);

        (await File.ReadAllTextAsync(stores.PathOf("offsite", $"{Day(22)}/PINNED"), Cancel)).ShouldBe("before the migration\n");
        (await PinnedAsync(local)).ShouldBe([Day(21), Day(22)]);
        (await PinAsync(Day(22).ToString(), null)).ShouldBe(["local", "offsite"]);
        (await PinAsync(Day(22).ToString(), null)).ShouldBe(["local", "offsite"], "twice is as once");
        ((await PinnedAsync(local)).Count, (await PinnedAsync(offsite)).Count).ShouldBe((1, 0));
    }

    [Fact]
    public async Task Latest_is_none_of_the_future_by_the_clock_that_is_given()
    {
        await Of(Day(22)).PutAsync(local);
        await Of(Day(23)).PutAsync(local);
        await PinAsync("latest", "the clock is at the 22nd");

        (await PinnedAsync(local)).ShouldBe([Day(22)]);
    }

    [Fact]
    public async Task A_snapshot_that_no_store_has_is_an_error_and_leaves_nothing()
    {
        await Of(Day(22)).PutAsync(local);

        (await Should.ThrowAsync<PgBackupException>(() => PinAsync(Day(21).ToString(), "x"))).Code.ShouldBe(ErrorCode.SnapshotMissing);
        (await Should.ThrowAsync<PgBackupException>(() => PinAsync("yesterday", "x"))).Code.ShouldBe(ErrorCode.Usage);
        stores.Contents("local").ShouldBe(stores.Contents("local", Day(22)));
    }

    [Fact]
    public async Task A_store_that_is_down_does_not_keep_the_others_from_it_and_is_an_error_all_the_same()
    {
        await Of(Day(22)).PutAsync(offsite);
        local.Fail = static _ => new PgBackupException(ErrorCode.StoreUnavailable, "no route to host", "Plug it in.");

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => PinAsync(Day(22).ToString(), "x"));

        (error.Code, error.Message, error.Remedy).ShouldBe(
            (ErrorCode.StoreUnavailable, $"{Day(22)} is pinned in offsite only: no route to host", "Plug it in.")
        );
        (await PinnedAsync(offsite)).ShouldBe([Day(22)]);
    }

    [Fact]
    public async Task A_snapshot_whose_manifest_cannot_be_read_can_be_pinned()
    {
        SnapshotSample sample = await Of(Day(22)).PutAsync(local);
        stores.Cut("local", sample.Key(SnapshotLayout.Manifest));

        (await PinAsync(Day(22).ToString(), "look at it")).ShouldBe(["local"]);
    }

    [Fact]
    public async Task One_that_is_being_removed_at_this_moment_is_not_said_to_be_pinned()
    {
        SnapshotSample sample = await Of(Day(5)).PutAsync(local);
        await using IStoreLock prune = await stores.Open("local").LockAsync("prune", Cancel);
        await sample.PutAsync(local, SnapshotLayout.InProgress, "being removed\n"u8.ToArray());

        (await Should.ThrowAsync<PgBackupException>(() => PinAsync(Day(5).ToString(), "x"))).Code.ShouldBe(ErrorCode.AlreadyRunning);
    }

    [Fact]
    public async Task One_that_is_removed_between_the_look_and_the_pin_leaves_no_pin_behind()
    {
        SnapshotSample sample = await Of(Day(5)).PutAsync(local);
        await Of(Day(22)).PutAsync(local);
        local.Block = (call, _) =>
        {
            if (call == $"put {sample.Key(SnapshotLayout.Pinned)}")
            {
                Directory.Delete(stores.PathOf("local", sample.Id.ToString()), recursive: true);
            }

            return Task.CompletedTask;
        };

        (await Should.ThrowAsync<PgBackupException>(() => PinAsync(Day(5).ToString(), "x"))).Code.ShouldBe(ErrorCode.SnapshotMissing);

        stores.Contents("local").ShouldBe(stores.Contents("local", Day(22)));
    }

    [Fact]
    public async Task The_mark_that_a_killed_run_left_beside_a_whole_snapshot_is_no_hindrance()
    {
        SnapshotSample sample = await Of(Day(21)).PutAsync(local);
        await sample.PutAsync(local, SnapshotLayout.InProgress, "killed\n"u8.ToArray());

        (await PinAsync(Day(21).ToString(), "x")).ShouldBe(["local"]);
    }

    private async Task<IReadOnlyList<string>> PinAsync(string wanted, string? note) =>
        (
            await new PinOperation([Stores.Kept(local), Stores.Kept(offsite)], stores.Clock).RunAsync(
                SnapshotRef.Parse(wanted),
                note,
                Cancel
            )
        ).Stores;

    private async Task<List<SnapshotId>> PinnedAsync(FaultyStore store) =>
        [.. (await new Catalog(store, stores.Clock).ListAsync(Cancel)).Where(static e => e.IsPinned).Select(static e => e.Id)];
}
