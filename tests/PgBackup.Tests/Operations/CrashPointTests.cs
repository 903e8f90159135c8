using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Operations.Prune;
using PgBackup.Operations.Replicate;
using PgBackup.Records;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage.Local;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations;

/// <summary>
/// A process can be killed before, or in the middle of, any write. Each test goes through all of them: afterwards everything that is
/// listed is whole, what was not touched is as it was, and the next run is the same end as one that nobody killed.
/// </summary>
public sealed class CrashPointTests : IDisposable
{
    private static readonly RetentionRules ThreeDays = new() { All = RetentionLength.Of(3, RetentionUnit.Days) };

    private readonly Stores stores = new();

    public void Dispose() => stores.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_copy_that_is_killed_at_any_write_is_gone_on_with(bool halfway)
    {
        LocalStore primary = stores.Open("local");
        await Of(Day(20)).PutAsync(primary);
        await Of(Day(21), complete: false).PutAsync(primary, pin: "the audit");
        await Of(Day(22)).PutAsync(primary);
        await Of(Day(20)).PutAsync(stores.Open("before"));

        // 22 and 21: a mark, three parts, two texts, a pin and what is incomplete, a manifest with its digest, and the mark's removal.
        await EveryWriteAsync(
            halfway,
            [Day(20)],
            async store =>
            {
                await using Replica replica = Replica.Start(
                    [Stores.Kept(primary)],
                    Stores.Kept(store),
                    Cluster,
                    "the test",
                    stores.Clock,
                    new Progress(),
                    Cancel
                );
                foreach (Part part in Of(Day(22)).Manifest.Parts)
                {
                    replica.Offer(Day(22), part);
                }

                (await replica.CatchUpAsync(Day(22), Cancel)).Code.ShouldBe(store.IsDead ? "PGB-0001" : null);
            },
            writes: 9 + 11
        );
        stores.Contents("after").ShouldBe(stores.Contents("local"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_prune_that_is_killed_at_any_write_is_gone_on_with(bool halfway)
    {
        LocalStore before = stores.Open("before");
        await Of(Day(5)).PutAsync(before);
        await Of(Day(6), complete: false).PutAsync(before);
        await Of(Day(7)).PutAsync(before, pin: "the audit");
        await Of(Day(22)).PutAsync(before);

        // The test of the clock, and for each snapshot a mark, the manifest, its objects, and the folder.
        await EveryWriteAsync(
            halfway,
            [Day(7), Day(22)],
            store =>
                new PruneOperation(Stores.Kept(store, ThreeDays), stores.Clock, new Progress()).RunAsync(
                    dryRun: false,
                    unattended: true,
                    Cancel
                ),
            writes: 2 + 9 + 10
        );
        (await new Catalog(stores.Open("after"), stores.Clock).ListAsync(Cancel)).Select(static e => e.Id).ShouldBe([Day(7), Day(22)]);
    }

    [Theory]
    [InlineData(false, "before the migration")]
    [InlineData(true, "before the migration")]
    [InlineData(false, null)]
    [InlineData(true, null)]
    public async Task A_pin_or_its_removal_that_is_killed_at_any_write_is_done_when_it_is_asked_for_again(bool halfway, string? note)
    {
        LocalStore before = stores.Open("before");
        await Of(Day(21)).PutAsync(before, pin: note is null ? "once" : null);
        await Of(Day(22)).PutAsync(before);
        LocalStore primary = stores.Open("local");
        await Of(Day(21)).PutAsync(primary);

        await EveryWriteAsync(
            halfway,
            [Day(22)],
            store =>
                new PinOperation([Stores.Kept(primary), Stores.Kept(store)], stores.Clock).RunAsync(SnapshotRef.Of(Day(21)), note, Cancel),
            writes: 1
        );
        (await new Catalog(stores.Open("after"), stores.Clock).ReadEntryAsync(Day(21), Cancel)).IsPinned.ShouldBe(note is not null);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task A_repair_that_is_killed_at_any_write_is_gone_on_with(bool halfway, bool manifestIsGone)
    {
        LocalStore good = stores.Open("local");
        LocalStore before = stores.Open("before");
        foreach (LocalStore store in (LocalStore[])[good, before])
        {
            await Of(Day(20)).PutAsync(store);
            await Of(Day(21), complete: false).PutAsync(store);
            await Of(Day(22)).PutAsync(store);
        }

        // One that is listed all the time with a damaged part, and one that lost nearly everything.
        stores.Flip("before", Of(Day(20)).PartKey(1));
        SnapshotSample lost = Of(Day(21), complete: false);
        foreach (string name in (string[])[SnapshotLayout.Incomplete, SnapshotLayout.Sums, lost.Manifest.Parts[1].Object])
        {
            File.Delete(stores.PathOf("before", lost.Key(name)));
        }

        stores.Flip("before", lost.PartKey(2));
        if (manifestIsGone)
        {
            File.Delete(stores.PathOf("before", lost.Key(SnapshotLayout.Manifest)));
        }
        else
        {
            stores.Cut("before", lost.Key(SnapshotLayout.Manifest));
        }

        await EveryWriteAsync(
            halfway,
            [Day(22)],
            async store =>
            {
                BackupStore[] all = [Stores.Kept(good), Stores.Kept(store)];
                CheckReport report = await new StoresCheck(all, Cluster, stores.Clock, static s => Stores.CheckOf(s)).RunAsync(
                    null,
                    CheckDepth.ReadData,
                    Cancel
                );
                await new RepairOperation(all, stores.Clock, new Progress()).RunAsync(report.Snapshots, "the test", Cancel);
            },
            writes: 1 + 5,
            mayBeDamaged: manifestIsGone ? [Day(20)] : [Day(20), Day(21)]
        );
        stores.Contents("after").ShouldBe(stores.Contents("local"));
    }

    private async Task EveryWriteAsync(
        bool halfway,
        SnapshotId[] untouched,
        Func<FaultyStore, Task> work,
        int writes,
        SnapshotId[]? mayBeDamaged = null
    )
    {
        // Without a crash, to know the end, and how many writes there are.
        FaultyStore calm = Fresh();
        await work(calm);
        calm.Writes.ShouldBe(writes);
        SortedDictionary<string, string> end = stores.Contents("after");
        await stores.ShouldBeSoundAsync("after", "nobody was killed");

        for (int n = 1; n <= writes; n++)
        {
            FaultyStore store = Fresh();
            (store.DiesAt, store.Halfway) = (n, halfway);
            try
            {
                await work(store);
            }
            catch (KilledException)
            {
                // as it was to be
            }

            string because = $"killed {(halfway ? "in" : "before")} write {n}: {store.KilledIn}";
            store.KilledIn.ShouldNotBeNull(because);
            foreach (SnapshotId id in untouched)
            {
                stores.Contents("after", id).ShouldBe(stores.Contents("before", id), because);
            }

            await SoundExceptAsync(mayBeDamaged ?? [], because);
            await work(new FaultyStore(stores.Open("after"), stores.Clock));
            stores.Contents("after").ShouldBe(end, because);
        }
    }

    // What was damaged before a repair may be so until its end, but nothing that was no snapshot becomes one before it is whole.
    private async Task SoundExceptAsync(SnapshotId[] damaged, string because)
    {
        stores.Clear("looked-at");
        stores.Open("looked-at");
        stores.Copy("after", "looked-at");
        foreach (SnapshotId id in damaged)
        {
            Directory.Delete(stores.PathOf("looked-at", id.ToString()), recursive: true);
        }

        await stores.ShouldBeSoundAsync("looked-at", because);
    }

    private FaultyStore Fresh()
    {
        stores.Clear("after");
        FaultyStore store = new(stores.Open("after"), stores.Clock);
        stores.Copy("before", "after");
        return store;
    }
}
