using PgBackup.Operations;
using PgBackup.Operations.Prune;
using PgBackup.Operations.Replicate;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Storage.Local;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Replicate;

public sealed partial class ReplicaTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly List<string> log = [];
    private readonly LocalStore primary;
    private readonly FaultyStore offsite;
    private RetentionRules? keep;

    public ReplicaTests()
    {
        primary = stores.Open("local");
        offsite = stores.Faulty("offsite");
    }

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task A_snapshot_that_was_offered_part_by_part_is_equal_to_the_byte_and_its_manifest_comes_last()
    {
        SnapshotSample tonight = Of(Day(22));
        ReplicaReport report;
        await using (Replica replica = Start())
        {
            foreach (Part part in tonight.Manifest.Parts)
            {
                await tonight.PutAsync(primary, part.Object, tonight.Parts[part.Object]);
                replica.Offer(tonight.Id, part);
            }

            await tonight.PutAsync(primary, pin: "before the migration");
            report = await replica.CatchUpAsync(tonight.Id, Cancel);
        }

        ShouldBeLevel();
        ShouldSay(report, null, [tonight.Id], []);
        report.Problem.ShouldBeNull();
        offsite.Puts.First().ShouldBe(tonight.Key(SnapshotLayout.InProgress));
        offsite.Puts.Last().ShouldBe(tonight.Key(SnapshotLayout.Manifest));
        offsite.Puts.Count(key => tonight.Parts.Keys.Any(name => key == tonight.Key(name))).ShouldBe(3, "no part is sent twice");
        offsite
            .Calls.Last(static c => c.StartsWith("delete", StringComparison.Ordinal))
            .ShouldBe($"delete {tonight.Key(SnapshotLayout.InProgress)}");
    }

    [Fact]
    public async Task A_snapshot_of_the_same_id_in_the_replica_is_somebody_elses_and_is_not_touched()
    {
        SnapshotSample tonight = Of(Day(22));
        IObjectStore there = stores.Open("offsite");
        await there.PutAsync(tonight.Key("another.dump"), new MemoryStream([1, 2, 3]), Cancel);
        await there.PutAsync(tonight.Key(SnapshotLayout.Manifest), new MemoryStream([1]), Cancel);
        ReplicaReport report;
        await using (Replica replica = Start())
        {
            await tonight.PutAsync(primary);
            replica.Offer(tonight.Id, tonight.Manifest.Parts[0]);
            report = await replica.CatchUpAsync(tonight.Id, Cancel);
        }

        report.Code.ShouldBe("PGB-0060");
        report.Problem.ShouldNotBeNull().ShouldContain("before anything was copied");
        (await new Catalog(there, stores.Clock).ReadEntryAsync(tonight.Id, Cancel))
            .Objects.Keys.Order(StringComparer.Ordinal)
            .ShouldBe(["another.dump", SnapshotLayout.Manifest]);
    }

    [Fact]
    public async Task What_the_replica_lacks_is_caught_up_tonights_first_and_then_the_oldest()
    {
        foreach (int day in (int[])[22, 19, 21, 20])
        {
            await Of(Day(day), complete: day != 20).PutAsync(primary);
        }

        await Of(Day(21)).PutAsync(stores.Open("offsite"));

        ReplicaReport report = await RunAsync(Day(22));

        report.LacksAreKnown.ShouldBeTrue();

        report.Copied.ShouldBe([Day(22).ToString(), Day(19).ToString(), Day(20).ToString()]);
        report.Lacks.ShouldBeEmpty();
        ShouldBeLevel();
        offsite.Puts.ShouldNotContain(key => key.StartsWith(Day(21).ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_the_replicas_own_rules_would_not_keep_is_not_copied_and_never_comes_back_unless_it_is_pinned()
    {
        keep = new RetentionRules { All = RetentionLength.Of(3, RetentionUnit.Days), Weekly = RetentionLength.Of(2, RetentionUnit.Weeks) };
        foreach (int day in Enumerable.Range(1, 22))
        {
            await Of(Day(day)).PutAsync(primary, pin: day == 3 ? "the audit" : null);
        }

        ReplicaReport report = await RunAsync(Day(22));

        // The 9th and the 16th were Mondays; 14 days before now was the 8th.
        SnapshotId[] wanted = [Day(3), Day(9), Day(16), Day(20), Day(21), Day(22)];
        report.Copied.ShouldBe([Day(22).ToString(), .. wanted[..^1].Select(static id => id.ToString())]);
        (await Listed("offsite")).ShouldBe(wanted);

        stores.Clock.Now = stores.Clock.Now.AddDays(1);
        PruneReport pruned = await new PruneOperation(Stores.Kept(offsite, keep), stores.Clock, Silent).RunAsync(
            dryRun: false,
            unattended: true,
            Cancel
        );
        pruned.Removed.ShouldBe([Day(9).ToString(), Day(20).ToString()]);
        (await RunAsync(null)).Copied.ShouldBeEmpty("though the primary has it");
    }

    [Fact]
    public async Task A_damaged_part_never_appears_in_the_replica_and_is_named_and_the_other_gaps_are_copied()
    {
        foreach (int day in (int[])[19, 20, 21, 22])
        {
            await Of(Day(day)).PutAsync(primary);
        }

        stores.Flip("local", Of(Day(19)).PartKey(1));
        stores.Cut("local", Of(Day(20)).PartKey(2));

        ReplicaReport report = await RunAsync(Day(22));

        report.Code.ShouldBe("PGB-0065");
        report.Problem.ShouldNotBeNull().ShouldContain($"{Of(Day(19)).PartKey(1)} in the store local is damaged: its content was changed");
        report.Problem.ShouldContain($"{Of(Day(20)).PartKey(2)} in the store local is damaged: it has 350 bytes, and should have 700");
        report.Problem.ShouldContain("what to do: ");
        report.Copied.ShouldBe([Day(22).ToString(), Day(21).ToString()]);
        report.Lacks.ShouldBe([Day(19).ToString(), Day(20).ToString()]);
        File.Exists(stores.PathOf("offsite", Of(Day(19)).PartKey(1))).ShouldBeFalse();
        File.Exists(stores.PathOf("offsite", Of(Day(20)).PartKey(2))).ShouldBeFalse();
        (await Listed("offsite")).ShouldBe([Day(21), Day(22)]);
    }

    [Fact]
    public async Task A_part_of_tonight_that_is_damaged_when_it_is_read_back_does_not_keep_the_older_gaps_from_being_copied()
    {
        await Of(Day(21)).PutAsync(primary);
        SnapshotSample tonight = await Of(Day(22)).PutAsync(primary);
        stores.Flip("local", tonight.PartKey(0));
        await using Replica replica = Start();
        foreach (Part part in tonight.Manifest.Parts)
        {
            replica.Offer(tonight.Id, part);
        }

        ReplicaReport report = await replica.CatchUpAsync(tonight.Id, Cancel);

        ShouldSay(report, "PGB-0065", [Day(21)], [tonight.Id]);
        report.Problem.ShouldNotBeNull().ShouldContain(tonight.PartKey(0));
        offsite.Puts.Count(key => key == tonight.PartKey(1)).ShouldBe(1, "the undamaged ones are there already");
    }

    [Fact]
    public async Task A_manifest_of_the_primary_that_cannot_be_read_is_named_and_the_other_gaps_are_copied()
    {
        await Of(Day(20)).PutAsync(primary);
        await Of(Day(21)).PutAsync(primary);
        await Of(Day(22)).PutAsync(primary);
        stores.Cut("local", Of(Day(20)).Key(SnapshotLayout.Manifest));

        ReplicaReport report = await RunAsync(Day(22));

        ShouldSay(report, "PGB-0063", [Day(22), Day(21)], [Day(20)]);
        Directory.Exists(stores.PathOf("offsite", Day(20).ToString())).ShouldBeFalse();
    }

    [Fact]
    public async Task An_object_that_the_primarys_disk_cannot_read_does_not_stand_before_younger_gaps_for_ever()
    {
        var faulty = new FaultyStore(primary, stores.Clock);
        await Of(Day(20)).PutAsync(primary);
        await Of(Day(21)).PutAsync(primary);
        faulty.Fail = static call => call == $"open {Of(Day(20)).PartKey(1)}" ? Permanent("Input/output error") : null;
        await using Replica replica = Start(faulty);

        ReplicaReport report = await replica.CatchUpAsync(null, Cancel);

        ShouldSay(report, "PGB-0060", [Day(21)], [Day(20)]);
        report.Problem.ShouldNotBeNull().ShouldContain("Input/output error");
    }

    [Fact]
    public async Task A_replica_that_is_newer_than_the_primary_loses_nothing()
    {
        await Of(Day(19)).PutAsync(primary);
        foreach (int day in (int[])[17, 20, 21, 22])
        {
            await Of(Day(day), complete: day != 21).PutAsync(stores.Open("offsite"));
        }

        SortedDictionary<string, string> before = stores.Contents("offsite");

        ReplicaReport report = await RunAsync(null);

        ShouldSay(report, null, [Day(19)], []);
        stores.Contents("offsite").Where(pair => before.ContainsKey(pair.Key)).ShouldBe(before);
        (await Listed("offsite")).ShouldBe([Day(17), Day(19), Day(20), Day(21), Day(22)]);
    }

    [Fact]
    public async Task A_store_of_another_cluster_is_refused_and_not_written_to()
    {
        await Of(Day(22)).PutAsync(primary);
        SnapshotSample other = Of(Day(21));
        await other.PutAsync(stores.Open("offsite"), SnapshotLayout.Manifest, (other.Manifest with { Cluster = "delphi" }).ToJson());
        SortedDictionary<string, string> before = stores.Contents("offsite");

        ReplicaReport report = await RunAsync(Day(22));

        ShouldSay(report, "PGB-0061", [], [Day(22)]);
        stores.Contents("offsite").ShouldBe(before);
    }

    [Fact]
    public async Task Another_run_that_holds_the_replicas_lock_is_named()
    {
        await Of(Day(22)).PutAsync(primary);
        await using IStoreLock other = await stores.Open("offsite").LockAsync("somebody else", Cancel);

        ReplicaReport report = await RunAsync(Day(22));

        ShouldSay(report, "PGB-0042", [], [Day(22)]);
        report.Problem.ShouldNotBeNull().ShouldContain("somebody else");
        offsite.Puts.ShouldBeEmpty();
    }

    [Fact]
    public async Task Who_has_lost_the_lock_writes_no_manifest()
    {
        SnapshotSample tonight = await Of(Day(22)).PutAsync(primary);
        await Of(Day(21)).PutAsync(primary);
        offsite.Block = (call, _) =>
        {
            offsite.LosesLock |= call == $"put {tonight.PartKey(2)}";
            return Task.CompletedTask;
        };

        ReplicaReport report = await RunAsync(Day(22));

        ShouldSay(report, "PGB-0042", [], [Day(22), Day(21)]);
        offsite.Puts.ShouldNotContain(static key => key.EndsWith(SnapshotLayout.Manifest, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_lock_that_is_lost_in_the_pause_before_the_manifest_is_noticed()
    {
        SnapshotSample tonight = await Of(Day(22)).PutAsync(primary);
        offsite.Fail = call =>
        {
            bool manifest = call == $"put {tonight.Key(SnapshotLayout.Manifest)}";
            offsite.LosesLock |= manifest;
            return manifest ? Transient() : null;
        };

        ReplicaReport report = await RunAsync(Day(22));

        report.Code.ShouldBe("PGB-0042");
        offsite.Puts.Count(static key => key.EndsWith(SnapshotLayout.Manifest, StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task A_snapshot_that_the_primary_removes_while_it_is_copied_is_no_gap_any_more()
    {
        SnapshotSample old = await Of(Day(20)).PutAsync(primary);
        await Of(Day(22)).PutAsync(primary);
        offsite.Block = (call, _) =>
        {
            if (call == $"put {old.PartKey(0)}")
            {
                Directory.Delete(stores.PathOf("local", old.Id.ToString()), recursive: true);
            }

            return Task.CompletedTask;
        };

        ReplicaReport report = await RunAsync(Day(22));

        ShouldSay(report, null, [Day(22)], []);
        log.ShouldContain($"offsite: {old.Id} was removed from local before it was copied");
        await RunAsync(null);
        ShouldBeLevel();
    }

    [Fact]
    public async Task An_incomplete_snapshot_whose_mark_was_lost_in_the_primary_is_marked_in_the_replica()
    {
        SnapshotSample incomplete = await Of(Day(21), complete: false).PutAsync(primary);
        File.Delete(stores.PathOf("local", incomplete.Key(SnapshotLayout.Incomplete)));
        await Of(Day(22)).PutAsync(primary);

        await RunAsync(Day(22));

        (await new Catalog(stores.Open("offsite"), stores.Clock).ReadEntryAsync(Day(21), Cancel)).IsComplete.ShouldBeFalse();
        await stores.ShouldBeSoundAsync("offsite", "a mark was missing");
    }

    [Fact]
    public async Task The_mark_that_a_killed_run_left_beside_a_whole_snapshot_is_removed()
    {
        SnapshotSample whole = await Of(Day(22)).PutAsync(primary);
        await whole.PutAsync(stores.Open("offsite"));
        await whole.PutAsync(offsite, SnapshotLayout.InProgress, "being copied\n"u8.ToArray());

        (await RunAsync(Day(22))).Copied.ShouldBeEmpty();

        ShouldBeLevel();
    }

    [Fact]
    public async Task A_run_that_ends_does_not_wait_for_a_store_that_hangs_and_gives_the_lock_back()
    {
        SnapshotSample tonight = await Of(Day(22)).PutAsync(primary);
        var hanging = new TaskCompletionSource();
        offsite.Block = async (call, cancel) =>
        {
            if (call == $"put {tonight.PartKey(0)}")
            {
                hanging.SetResult();
                await Task.Delay(Timeout.Infinite, cancel);
            }
        };
        Replica replica = Start();
        replica.Offer(tonight.Id, tonight.Manifest.Parts[0]);
        await hanging.Task.WaitAsync(Cancel);

        await replica.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30), Cancel);

        await (await stores.Open("offsite").LockAsync("the next one", Cancel)).DisposeAsync();
    }

    [Fact]
    public async Task A_run_that_is_cancelled_reports_no_replica_as_level()
    {
        await Of(Day(22)).PutAsync(primary);
        using var cancelled = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var hanging = new TaskCompletionSource();
        offsite.Block = (_, cancel) =>
        {
            hanging.TrySetResult();
            return Task.Delay(Timeout.Infinite, cancel);
        };
        await using Replica replica = Start(cancel: cancelled.Token);
        await hanging.Task.WaitAsync(Cancel);
        await cancelled.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => replica.CatchUpAsync(Day(22), cancelled.Token));
    }

    private static void ShouldSay(ReplicaReport report, string? code, SnapshotId[] copied, SnapshotId[] lacks)
    {
        report.Code.ShouldBe(code, report.Problem);
        report.Copied.ShouldBe(copied.Select(static id => id.ToString()));
        report.Lacks.ShouldBe(lacks.Select(static id => id.ToString()));
    }

    private static Progress Silent => new();

    private static PgBackupException Permanent(string message) => new(ErrorCode.StoreUnavailable, message, "Plug it in.");

    private static PgBackupException Transient() => new(ErrorCode.StoreUnavailable, "connection reset") { IsTransient = true };

    private Replica Start(IObjectStore? from = null, CancellationToken? cancel = null) =>
        Replica.Start(
            [Stores.Kept(from ?? primary)],
            Stores.Kept(offsite, keep),
            Cluster,
            "the test",
            stores.Clock,
            new Progress { Said = step => Log(step.Text) },
            cancel ?? Cancel
        );

    private void Log(string line)
    {
        lock (log)
        {
            log.Add(line);
        }
    }

    private async Task<ReplicaReport> RunAsync(SnapshotId? newest)
    {
        await using Replica replica = Start();
        return await replica.CatchUpAsync(newest, Cancel);
    }

    private async Task<IEnumerable<SnapshotId>> Listed(string store) =>
        (await new Catalog(stores.Open(store), stores.Clock).ListAsync(Cancel)).Where(static e => e.HasManifest).Select(static e => e.Id);

    private void ShouldBeLevel() => stores.Contents("offsite").ShouldBe(stores.Contents("local"));
}
