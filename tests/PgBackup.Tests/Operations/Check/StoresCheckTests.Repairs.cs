using PgBackup.Operations.Check;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Tests.Operations.Check;

public sealed partial class StoresCheckTests
{
    [Fact]
    public async Task The_second_store_is_taken_when_the_copy_of_the_first_is_bad_too()
    {
        stores.Flip("local", Whole.PartKey(1));
        stores.Cut("offsite", Whole.PartKey(1));

        CheckReport report = await CheckAsync();
        report.Snapshots.Where(static c => c.Problems.Count > 0).ShouldAllBe(static c => c.Problems[0].GoodCopies.Single() == "s3");
        await RepairAsync(report);

        (await CheckAsync()).IsRight.ShouldBeTrue();
    }

    [Fact]
    public async Task The_second_store_is_taken_when_the_first_was_not_checked_and_its_copy_is_bad()
    {
        stores.Flip("offsite", Whole.PartKey(1));
        stores.Flip("local", Whole.PartKey(1));
        faulty["offsite"].Fail = static call => call.StartsWith("list", StringComparison.Ordinal) ? Down() : null;

        CheckReport report = await CheckAsync();
        faulty["offsite"].Fail = static _ => null;
        IReadOnlyList<SnapshotCheck> mended = await RepairAsync(report);

        mended.SelectMany(static c => c.Problems).ShouldHaveSingleItem().RepairedFrom.ShouldBe("s3");
        stores.Contents("local").ShouldBe(stores.Contents("s3"));
    }

    [Fact]
    public async Task Where_nothing_is_good_nothing_is_changed()
    {
        stores.Flip("local", Whole.PartKey(1));
        stores.Cut("offsite", Whole.PartKey(1));
        File.Delete(stores.PathOf("s3", Whole.PartKey(1)));
        foreach (string name in Names)
        {
            stores.Cut(name, Incomplete.Key(SnapshotLayout.Manifest));
        }

        SortedDictionary<string, string>[] before = [.. Names.Select(name => stores.Contents(name))];

        CheckReport report = await CheckAsync();
        IReadOnlyList<SnapshotCheck> mended = await RepairAsync(report);

        report.Snapshots.SelectMany(static c => c.Problems).ShouldAllBe(static p => p.GoodCopies.Count == 0);
        mended.SelectMany(static c => c.Problems).ShouldAllBe(static p => p.RepairedFrom == null);
        Names.Select(name => stores.Contents(name)).ShouldBe(before);
    }

    [Fact]
    public async Task A_copy_that_turns_bad_between_check_and_repair_is_never_copied_over_a_damaged_one()
    {
        stores.Flip("local", Whole.PartKey(1));
        CheckReport report = await CheckAsync();
        stores.Flip("offsite", Whole.PartKey(1));
        stores.Flip("s3", Whole.PartKey(1));
        SortedDictionary<string, string> before = stores.Contents("local");

        (await RepairAsync(report)).SelectMany(static c => c.Problems).ShouldHaveSingleItem().RepairedFrom.ShouldBeNull();

        stores.Contents("local").ShouldBe(before);
    }

    [Fact]
    public async Task A_manifest_and_a_part_that_are_both_gone_come_back_together_or_not_at_all()
    {
        foreach (string name in (string[])[Whole.PartKey(1), Whole.Key(SnapshotLayout.Manifest)])
        {
            File.Delete(stores.PathOf("s3", name));
        }

        CheckReport report = await CheckAsync();
        faulty["offsite"].Fail = faulty["local"].Fail = static call => call == $"open {Whole.PartKey(1)}" ? Down() : null;
        await RepairAsync(report);

        (await new Catalog(stores.Open("s3"), stores.Clock).ReadEntryAsync(Whole.Id, Cancel)).HasManifest.ShouldBeFalse(
            "it would be no snapshot"
        );
        faulty["offsite"].Fail = static _ => null;
        await RepairAsync(report);
        stores.Contents("s3").ShouldBe(stores.Contents("offsite"));
    }

    [Fact]
    public async Task A_snapshot_that_was_removed_since_it_was_checked_is_not_brought_back()
    {
        Damage("s3", "flip");
        stores.Cut("s3", Incomplete.Key(SnapshotLayout.Manifest));
        CheckReport report = await CheckAsync();
        foreach (CatalogEntry entry in await new Catalog(stores.Open("s3"), stores.Clock).ListAsync(Cancel))
        {
            await new Catalog(stores.Open("s3"), stores.Clock).RemoveAsync(entry, Cancel);
        }

        await RepairAsync(report);

        stores.Contents("s3").ShouldBeEmpty();
    }

    [Fact]
    public async Task A_store_in_which_another_run_works_does_not_keep_the_others_from_being_mended()
    {
        Damage("local", "flip");
        Damage("s3", "cut");
        CheckReport report = await CheckAsync();
        await using IStoreLock other = await stores.Open("local").LockAsync("somebody else", Cancel);

        IReadOnlyList<SnapshotCheck> mended = await RepairAsync(report);

        mended
            .Where(static c => c.Problems.Count > 0)
            .Select(static c => (c.Store, c.Problems[0].RepairedFrom))
            .ShouldBe([("local", null), ("s3", "offsite")]);
        log.ShouldContain(static line => line.StartsWith("local: not repaired (PGB-0042)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Who_has_lost_the_lock_mends_nothing()
    {
        Damage("local", "flip");
        Damage("local", "unmarked");
        CheckReport report = await CheckAsync();
        faulty["local"].LosesLock = true;
        SortedDictionary<string, string> before = stores.Contents("local");

        await RepairAsync(report);

        stores.Contents("local").ShouldBe(before);
    }
}
