using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Operations.Prune;
using PgBackup.Operations.Replicate;
using PgBackup.Records;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Check;

/// <summary>Whole snapshots, copied into stores that lack them: also into the one from which runs copy.</summary>
public sealed class GapRepairTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly List<string> log = [];

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task An_emptied_first_store_gets_everything_back_that_its_rules_keep()
    {
        await FillAsync("offsite", "s3");
        stores.Open("local");

        CheckReport report = await CheckAsync();
        report.IsRight.ShouldBeFalse();
        IReadOnlyList<StoreGap> filled = await RepairAsync(report);

        filled.Single(static g => g.Filled.Count > 0).Store.ShouldBe("local");
        filled
            .SelectMany(static g => g.Filled)
            .Select(static f => (f.Snapshot, f.From))
            .ShouldBe([(Day(20).ToString(), "offsite"), (Day(21).ToString(), "offsite"), (Day(22).ToString(), "offsite")]);
        stores.Contents("local").ShouldBe(stores.Contents("offsite"));
        (await CheckAsync()).IsRight.ShouldBeTrue();
    }

    [Fact]
    public async Task Parts_that_lost_their_manifest_get_no_mark_that_would_give_them_up_when_the_repair_fails()
    {
        await FillAsync("offsite");
        SnapshotSample lost = await Of(Day(20)).PutAsync(stores.Open("local"));
        File.Delete(stores.PathOf("local", lost.Key(SnapshotLayout.Manifest)));
        File.Delete(stores.PathOf("local", lost.PartKey(0)));
        stores.Flip("local", lost.PartKey(2)); // of the right size: nobody knows who left it
        stores.Flip("offsite", lost.PartKey(1));
        stores.Flip("offsite", lost.PartKey(0));
        SortedDictionary<string, string> before = stores.Contents("local", Day(20));

        await RepairAsync(await CheckAsync());

        stores.Contents("local", Day(20)).ShouldBe(before);
        await new PruneOperation(Stores.Kept(stores.Open("local")), stores.Clock, new Progress()).RunAsync(
            dryRun: false,
            unattended: true,
            Cancel
        );
        stores.Contents("local", Day(20)).ShouldBe(before);
        (await CheckAsync()).Snapshots.ShouldContain(static c =>
            c.Store == "local" && c.Id == Day(20).ToString() && c.Problems[0].Problem == "it has no manifest"
        );

        stores.Flip("offsite", lost.PartKey(0));
        stores.Flip("offsite", lost.PartKey(1));
        await RepairAsync(await CheckAsync());
        stores.Contents("local", Day(20)).ShouldBe(stores.Contents("offsite", Day(20)));
    }

    [Fact]
    public async Task A_full_store_is_tried_once_and_told_once_and_keeps_nothing_that_was_begun()
    {
        await FillAsync("offsite");
        FaultyStore local = stores.Faulty("local");
        local.Fail = static call =>
            call.StartsWith("put 2026", StringComparison.Ordinal) && !call.EndsWith(SnapshotLayout.InProgress, StringComparison.Ordinal)
                ? new PgBackupException(ErrorCode.StoreUnavailable, "the store local is full.") { IsFull = true }
                : null;
        BackupStore[] all = [Stores.Kept(local), Stores.Kept(stores.Open("offsite"))];
        CheckReport report = await new StoresCheck(all, Cluster, stores.Clock, static s => Stores.CheckOf(s)).RunAsync(
            null,
            CheckDepth.Present,
            Cancel
        );

        StoreGap gap = (
            await new GapRepair(all, stores.Clock, new Progress()).RunAsync(
                report.Gaps.Concat(report.OnlyInReplicas).ToList(),
                report.Snapshots,
                "the test",
                Cancel
            )
        ).Single(static g => g.Missing.Count > 0);

        gap.NotFilled.ShouldHaveSingleItem().Line.ShouldContain("is full");
        local
            .Puts.Count(static key =>
                !key.EndsWith(SnapshotLayout.InProgress, StringComparison.Ordinal) && key.StartsWith("2026", StringComparison.Ordinal)
            )
            .ShouldBe(1);
        stores.Contents("local").ShouldBeEmpty();
    }

    [Fact]
    public async Task A_damaged_copy_is_passed_over_for_a_good_one()
    {
        await FillAsync("offsite", "s3");
        stores.Open("local");
        stores.Flip("offsite", Of(Day(20)).PartKey(1));

        CheckReport report = await CheckAsync(CheckDepth.ReadData);
        IReadOnlyList<StoreGap> filled = await RepairAsync(report);

        filled.SelectMany(static g => g.Filled).Single(static f => f.Snapshot == Day(20).ToString()).From.ShouldBe("s3");
        await stores.ShouldBeSoundAsync("local", "only the good copy came");
        stores.Contents("local").ShouldBe(stores.Contents("s3"));
    }

    [Fact]
    public async Task A_copy_whose_damage_the_check_did_not_see_does_not_appear()
    {
        await FillAsync("offsite", "s3");
        stores.Open("local");
        stores.Flip("offsite", Of(Day(20)).PartKey(1));

        IReadOnlyList<StoreGap> filled = await RepairAsync(await CheckAsync());

        filled.SelectMany(static g => g.Filled).Single(static f => f.Snapshot == Day(20).ToString()).From.ShouldBe("s3");
        log.ShouldContain(static l => l.Contains("could not be copied from offsite", StringComparison.Ordinal));
        stores.Contents("local").ShouldBe(stores.Contents("s3"));
    }

    [Fact]
    public async Task The_only_copy_that_turns_out_to_be_damaged_is_no_success_and_leaves_nothing_half_copied()
    {
        await FillAsync("local", "offsite");
        stores.Open("s3");
        Directory.Delete(stores.PathOf("local", Day(20).ToString()), recursive: true);
        stores.Flip("offsite", Of(Day(20)).PartKey(2));

        CheckReport report = await CheckAsync();
        var repair = new GapRepair(
            [.. All().Where(static s => s.Store.Name != "s3")],
            stores.Clock,
            new Progress { Said = step => log.Add(step.Text) }
        );
        report = report with
        {
            Gaps = [],
            OnlyInReplicas = await repair.RunAsync(
                [.. report.OnlyInReplicas.Where(static g => g.Store == "local")],
                report.Snapshots,
                "the test",
                Cancel
            ),
        };

        report.Snapshots.ShouldAllBe(static s => s.Problems.Count == 0, "as far as names and sizes tell");
        report.OnlyInReplicas.ShouldHaveSingleItem().NotFilled.ShouldHaveSingleItem().Line.ShouldContain("damaged");
        report.IsRight.ShouldBeFalse();
        stores.Contents("local", Day(20)).ShouldBeEmpty();
    }

    [Fact]
    public async Task What_was_copied_back_is_told_by_a_check_that_is_not_right()
    {
        await FillAsync("local", "offsite", "s3");
        Directory.Delete(stores.PathOf("local", Day(20).ToString()), recursive: true);
        CheckReport report = await CheckAsync();
        report.IsRight.ShouldBeTrue("what only replicas have is no failure");
        var repair = new GapRepair(All(), stores.Clock, new Progress { Said = step => log.Add(step.Text) });

        report = report with { OnlyInReplicas = await repair.RunAsync(report.OnlyInReplicas, report.Snapshots, "the test", Cancel) };

        report.OnlyInReplicas.ShouldHaveSingleItem().Filled.Select(static f => f.Snapshot).ShouldBe([Day(20).ToString()]);
        report.IsRight.ShouldBeFalse();
        (await CheckAsync()).IsRight.ShouldBeTrue();
    }

    [Fact]
    public async Task A_snapshot_whose_manifests_differ_is_not_spread()
    {
        await FillAsync("offsite", "s3");
        stores.Open("local");
        string edited = stores.PathOf("offsite", Of(Day(21)).Key(SnapshotLayout.Manifest));
        await File.AppendAllTextAsync(edited, "\n", Cancel);
        await File.WriteAllBytesAsync(
            stores.PathOf("offsite", Of(Day(21)).Key(SnapshotLayout.ManifestSum)),
            ManifestSum.Of(await File.ReadAllBytesAsync(edited, Cancel)),
            Cancel
        );

        IReadOnlyList<StoreGap> filled = await RepairAsync(await CheckAsync());

        filled.SelectMany(static g => g.Filled).Select(static f => f.Snapshot).ShouldBe([Day(20).ToString(), Day(22).ToString()]);
        log.ShouldContain(static l => l.Contains("its manifests in offsite and s3 differ", StringComparison.Ordinal));
        stores.Contents("local", Day(21)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_replica_that_lacks_some_gets_them_without_a_run()
    {
        await FillAsync("local");
        await Of(Day(21), complete: false).PutAsync(stores.Open("offsite"));
        stores.Open("s3");

        IReadOnlyList<StoreGap> filled = await RepairAsync(await CheckAsync());

        filled.Select(static g => (g.Store, g.Filled.Count)).ShouldBe([("offsite", 2), ("s3", 3)]);
        filled.ShouldAllBe(static g => g.Filled.Select(static f => f.Snapshot).SequenceEqual(g.Missing));
        stores.Contents("offsite").ShouldBe(stores.Contents("local"));
        stores.Contents("s3").ShouldBe(stores.Contents("local"));
    }

    [Fact]
    public async Task What_is_filled_into_a_store_with_object_lock_is_locked_as_if_it_had_come_night_by_night()
    {
        await FillAsync("offsite");
        var rules = new RetentionRules
        {
            All = RetentionLength.Of(30, RetentionUnit.Days),
            Yearly = RetentionLength.Of(5, RetentionUnit.Years),
        };
        FaultyStore local = stores.Faulty("local");
        BackupStore[] all = [Stores.Kept(local, rules, locks: true), Stores.Kept(stores.Open("offsite"))];
        StoreGap gap = new() { Store = "local", Missing = [Day(20).ToString(), Day(21).ToString(), Day(22).ToString()] };

        await new GapRepair(all, stores.Clock, new Progress { Said = step => log.Add(step.Text) }).RunAsync([gap], [], "the test", Cancel);

        local.Locks[Of(Day(20)).PartKey(1)].ShouldBe(Day(20).Time.AddYears(5));
        local.Locks[Of(Day(22)).PartKey(1)].ShouldBe(Day(22).Time.AddDays(30));
    }

    [Fact]
    public async Task So_is_what_a_run_catches_up()
    {
        await FillAsync("local");
        var rules = new RetentionRules
        {
            All = RetentionLength.Of(30, RetentionUnit.Days),
            Yearly = RetentionLength.Of(5, RetentionUnit.Years),
        };
        FaultyStore offsite = stores.Faulty("offsite");
        BackupStore late = Stores.Kept(offsite, rules, locks: true);

        await using Replica replica = Replica.Start(
            [Stores.Kept(stores.Open("local")), late],
            late,
            Cluster,
            "the test",
            stores.Clock,
            new Progress(),
            Cancel
        );
        (await replica.CatchUpAsync(null, Cancel)).Copied.Count.ShouldBe(3);

        offsite.Locks[Of(Day(20)).PartKey(1)].ShouldBe(Day(20).Time.AddYears(5));
        offsite.Locks[Of(Day(22)).PartKey(1)].ShouldBe(Day(22).Time.AddDays(30));
    }

    [Fact]
    public async Task A_repair_that_is_stopped_says_so_and_goes_on_with_nothing()
    {
        await FillAsync("offsite");
        FaultyStore local = stores.Faulty("local");
        using var stop = new CancellationTokenSource();
        local.Fail = call =>
        {
            stop.Cancel();
            return new PgBackupException(ErrorCode.StoreUnavailable, $"{call} was broken off");
        };
        BackupStore[] all = [Stores.Kept(local), Stores.Kept(stores.Open("offsite"))];
        StoreGap gap = new() { Store = "local", Missing = [Day(20).ToString()] };

        await Should.ThrowAsync<PgBackupException>(() =>
            new GapRepair(all, stores.Clock, new Progress { Said = step => log.Add(step.Text) }).RunAsync([gap], [], "the test", stop.Token)
        );

        log.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_store_in_which_a_run_is_at_work_is_left_alone_and_the_others_are_filled()
    {
        await FillAsync("local");
        stores.Open("s3");
        await using (await stores.Open("offsite").LockAsync("the nightly run", Cancel))
        {
            IReadOnlyList<StoreGap> filled = await RepairAsync(await CheckAsync());

            filled.Select(static g => (g.Store, g.Filled.Count)).ShouldBe([("offsite", 0), ("s3", 3)]);
        }

        log.ShouldContain(static l => l.Contains("offsite: not filled (PGB-0042)", StringComparison.Ordinal));
    }

    private IReadOnlyList<BackupStore> All() => [.. ((string[])["local", "offsite", "s3"]).Select(n => Stores.Kept(stores.Open(n)))];

    private async Task FillAsync(params string[] names)
    {
        foreach (string name in names)
        {
            IObjectStore store = stores.Open(name);
            await Of(Day(20)).PutAsync(store);
            await Of(Day(21), complete: false).PutAsync(store);
            await Of(Day(22)).PutAsync(store, pin: "before the migration");
        }
    }

    private Task<CheckReport> CheckAsync(CheckDepth depth = CheckDepth.Present) =>
        new StoresCheck(All(), Cluster, stores.Clock, static s => Stores.CheckOf(s)).RunAsync(null, depth, Cancel);

    private async Task<IReadOnlyList<StoreGap>> RepairAsync(CheckReport report)
    {
        var repair = new GapRepair(All(), stores.Clock, new Progress { Said = step => log.Add(step.Text) });
        IReadOnlyList<StoreGap> gaps = await repair.RunAsync(report.Gaps, report.Snapshots, "the test", Cancel);
        return [.. gaps, .. await repair.RunAsync(report.OnlyInReplicas, report.Snapshots, "the test", Cancel)];
    }
}
