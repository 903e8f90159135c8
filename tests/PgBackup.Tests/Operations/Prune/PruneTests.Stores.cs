using PgBackup.Operations;
using PgBackup.Operations.Backup;
using PgBackup.Operations.Prune;
using PgBackup.Operations.Replicate;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Prune;

public sealed partial class PruneTests
{
    [Fact]
    public async Task One_stores_failure_does_not_stop_the_pruning_of_the_others()
    {
        BackupStore[] all = [.. ((string[])["local", "down", "behind", "s3"]).Select(name => Stores.Kept(stores.Faulty(name), ThreeDays))];
        foreach (BackupStore one in all)
        {
            await Of(Day(5)).PutAsync(stores.Open(one.Store.Name));
            await Of(Day(22)).PutAsync(stores.Open(one.Store.Name));
        }

        ((FaultyStore)all[1].Store).Fail = static call =>
            call == "list" ? new PgBackupException(ErrorCode.StoreUnavailable, "no route to host", "Plug it in.") : null;
        List<Finding> findings = [];
        ReplicaReport behind = new()
        {
            Store = "behind",
            Location = "/",
            Copied = [],
            Lacks = [Day(21).ToString()],
            LacksAreKnown = true,
        };

        IReadOnlyList<PruneReport> pruned = await RunOperation.PruneAsync(all, [behind], findings, stores.Clock, new Progress(), Cancel);

        pruned.Select(static p => (p.Store, p.Removed.Count)).ShouldBe([("local", 1), ("s3", 1)]);
        findings
            .Texts()
            .ShouldBe(["no route to host. Plug it in", "kept all old snapshots in behind: its copy failed, or it lacks snapshots"]);
        stores.Contents("behind", Day(5)).ShouldNotBeEmpty();
    }

    [Fact]
    public async Task What_a_replica_still_lacks_stays_in_the_primary_until_it_has_it()
    {
        foreach (int day in (int[])[4, 5, 22])
        {
            await Of(Day(day)).PutAsync(stores.Open("local"));
        }

        BackupStore[] all =
        [
            Stores.Kept(store, ThreeDays),
            Stores.Kept(stores.Faulty("s3"), ThreeDays),
            Stores.Kept(stores.Faulty("offsite")),
        ];
        ReplicaReport level = new()
        {
            Store = "s3",
            Location = "/",
            Copied = [],
            Lacks = [],
            LacksAreKnown = true,
        };
        ReplicaReport behind = level with { Store = "offsite", Lacks = [Day(5).ToString(), Day(22).ToString()] };
        await Of(Day(5)).PutAsync(stores.Open("s3"));
        await Of(Day(22)).PutAsync(stores.Open("s3"));
        List<Finding> findings = [];

        IReadOnlyList<PruneReport> pruned = await RunOperation.PruneAsync(
            all,
            [level, behind],
            findings,
            stores.Clock,
            new Progress(),
            Cancel
        );

        pruned
            .Select(static p => (p.Store, string.Join(' ', p.Removed)))
            .ShouldBe([("local", Day(4).ToString()), ("s3", Day(5).ToString())]);
        Told(pruned[0])[1].ShouldBe($"{Day(5)}: a replica lacks it");
        findings
            .Texts()
            .ShouldBe([
                $"{Day(5)} stays in the store local because offsite lacks it",
                "kept all old snapshots in offsite: its copy failed, or it lacks snapshots",
            ]);

        (await RunOperation.PruneAsync(all, [level, behind with { Lacks = [] }], findings = [], stores.Clock, new Progress(), Cancel))[0]
            .Removed.ShouldBe([Day(5).ToString()]);
        findings.ShouldBeEmpty();
    }

    [Fact]
    public async Task Nothing_is_removed_from_the_primary_while_it_is_not_known_what_a_replica_lacks()
    {
        BackupStore[] all = [.. ((string[])["local", "s3", "offsite"]).Select(name => Stores.Kept(stores.Faulty(name), ThreeDays))];
        foreach (BackupStore one in all)
        {
            await Of(Day(5)).PutAsync(stores.Open(one.Store.Name));
            await Of(Day(22)).PutAsync(stores.Open(one.Store.Name));
        }

        ReplicaReport level = new()
        {
            Store = "s3",
            Location = "/",
            Copied = [],
            Lacks = [],
            LacksAreKnown = true,
        };
        ReplicaReport down = new()
        {
            Store = "offsite",
            Location = "/",
            Copied = [],
            Lacks = [Day(22).ToString()],
            LacksAreKnown = false,
            Errors = [Finding.Error(ErrorCode.StoreUnavailable, "offsite", "no route to host")],
        };
        List<Finding> findings = [];

        IReadOnlyList<PruneReport> pruned = await RunOperation.PruneAsync(
            all,
            [level, down],
            findings,
            stores.Clock,
            new Progress(),
            Cancel
        );

        pruned.ShouldHaveSingleItem().Store.ShouldBe("s3");
        findings
            .Texts()
            .ShouldBe([
                "kept all old snapshots in local: what offsite lacks is not known, and may be among them",
                "kept all old snapshots in offsite: its copy failed, or it lacks snapshots",
            ]);
        (await Listed()).ShouldBe([Day(5), Day(22)]);
    }

    [Fact]
    public async Task A_store_that_fails_while_a_snapshot_is_removed_is_gone_on_with_the_next_time()
    {
        SnapshotSample old = await Of(Day(5)).PutAsync(stores.Open("local"));
        await Of(Day(22)).PutAsync(stores.Open("local"));
        store.Fail = call =>
            call == $"delete {old.PartKey(1)}" ? new PgBackupException(ErrorCode.StoreUnavailable, "no route to host") : null;

        List<Finding> findings = [];
        PruneReport report = (
            await RunOperation.PruneAsync(
                [Stores.Kept(store, keep)],
                [],
                findings,
                stores.Clock,
                new Progress { Said = step => log.Add(step.Text) },
                Cancel
            )
        ).ShouldHaveSingleItem();

        report.Removed.ShouldBe([Day(5).ToString()], "its manifest is gone");
        findings
            .Lines()
            .Concat(log)
            .Count(static l => l.Contains("no route to host", StringComparison.Ordinal))
            .ShouldBe(1, "a problem is told once");
        report
            .Findings.Texts()
            .ShouldHaveSingleItem()
            .ShouldStartWith(
                $"local: {Day(5)} is removed, and some of its objects are left; the next run removes them: PGB-0060: no route to host"
            );
        (await Listed()).ShouldBe([Day(22)]);
        store.Fail = static _ => null;
        (await PruneAsync()).Swept.ShouldBe(1);
        stores.Contents("local").ShouldBe(stores.Contents("local", Day(22)));
    }
}
