using PgBackup.Retention;
using PgBackup.Snapshots;

namespace PgBackup.Tests.Retention;

/// <summary>What holds when a plan is made and carried out after every run, for years.</summary>
public sealed class RetentionOverYearsProperties
{
    [Fact]
    public void The_newest_complete_and_the_newest_proven_survive_anything() =>
        RandomNights.Check(
            RandomNights.Of(50, 700),
            60,
            static nights =>
            {
                // Rules change, pins come and go, old snapshots are proven, and a manifest cannot be read for one night.
                Dictionary<SnapshotId, RetainedSnapshot> store = [];
                foreach ((RetainedSnapshot taken, int dice) in nights.Snapshots.Zip(nights.Runs, static (s, r) => (s, r.Dice)))
                {
                    store[taken.Id] = taken with { IsReadable = true };
                    RetainedSnapshot some = store.Values.ElementAt(dice % store.Count);
                    store[some.Id] = (dice % 7) switch
                    {
                        0 => some with { IsPinned = !some.IsPinned },
                        1 => some with { IsProven = true },
                        _ => some,
                    };
                    RetainedSnapshot[] seen =
                    [
                        .. store.Values.Select(s => dice % 11 == 0 && s.Id == some.Id ? s with { IsReadable = false } : s),
                    ];
                    RetentionRules rules = dice % 3 == 0 ? nights.OtherRules : nights.Rules;

                    RetentionPlan plan = RetentionPolicy.Plan(rules, seen, taken.Id.Time);

                    HashSet<SnapshotId> kept = [.. plan.Kept.Select(static d => d.Snapshot.Id)];
                    foreach (
                        RetainedSnapshot[] part in (RetainedSnapshot[][])
                            [
                                [.. seen],
                                [.. seen.Where(s => s.Id <= taken.Id)],
                            ]
                    )
                    {
                        MustBeKept(part);
                        MustBeKept(part.Where(static s => s.IsReadable && s.IsComplete));
                        MustBeKept(part.Where(static s => s.IsReadable && s.IsProven));
                        MustBeKept(part.Where(static s => s.IsReadable && s.IsProven && s.IsComplete));
                    }

                    plan.Removed.Select(static d => d.Snapshot)
                        .Where(s => s.IsPinned || !s.IsReadable || s.Id > taken.Id || s.LockedUntil > taken.Id.Time)
                        .ShouldBeEmpty();
                    foreach (RetentionDecision removed in plan.Removed)
                    {
                        store.Remove(removed.Snapshot.Id);
                    }

                    void MustBeKept(IEnumerable<RetainedSnapshot> among)
                    {
                        if (among.MaxBy(static s => s.Id) is { } newest)
                        {
                            kept.ShouldContain(newest.Id, $"at {taken.Id}");
                        }
                    }
                }
            }
        );

    [Fact]
    public void Nothing_that_was_removed_is_missed_later_by_the_same_rules() =>
        RandomNights.Check(
            RandomNights.Of(50, 700),
            60,
            static nights =>
            {
                Dictionary<SnapshotId, DateTimeOffset> removedAt = [];
                List<RetainedSnapshot> store = [];
                List<RetainedSnapshot> everything = [];
                foreach (RetainedSnapshot taken in nights.Snapshots.Select(static s => s with { IsReadable = true }))
                {
                    DateTimeOffset now = taken.Id.Time;
                    everything.Add(taken);
                    RetentionPlan plan = RetentionPolicy.Plan(nights.Rules, [.. store, taken], now);
                    store = [.. plan.Kept.Select(static d => d.Snapshot)];
                    foreach (RetentionDecision removed in plan.Removed)
                    {
                        removedAt.Add(removed.Snapshot.Id, now);
                    }

                    if (everything.Count % 20 == 0 || everything.Count == nights.Snapshots.Count)
                    {
                        // What a store that never lost anything would keep; a clock that jumped forwards and back again is forgiven.
                        RetentionPolicy
                            .Plan(nights.Rules, everything, now)
                            .Kept.Where(d => removedAt.TryGetValue(d.Snapshot.Id, out DateTimeOffset then) && then <= now)
                            .Select(static d => $"{d.Snapshot.Id} {d.Why}")
                            .ShouldBeEmpty($"at {now:u}");
                    }
                }
            }
        );

    [Fact]
    public void No_plan_removes_a_snapshot_before_the_end_of_the_lock_that_it_was_given() =>
        RandomNights.Check(
            RandomNights.Of(50, 700, rightClocks: true),
            60,
            static nights =>
            {
                Dictionary<SnapshotId, DateTimeOffset?> locks = [];
                List<RetainedSnapshot> store = [];
                foreach (RetainedSnapshot taken in nights.Snapshots.OrderBy(static s => s.Id))
                {
                    RetainedSnapshot tonight = taken with { IsReadable = true, IsPinned = false, LockedUntil = null };
                    locks[tonight.Id] = RetentionPolicy.RetainUntil(nights.Rules, tonight.Id, tonight.IsComplete, store);

                    RetentionPlan plan = RetentionPolicy.Plan(nights.Rules, [.. store, tonight], tonight.Id.Time.AddMinutes(5));

                    plan.Removed.Where(d => locks[d.Snapshot.Id] is not { } end || end > plan.Now).ShouldBeEmpty();
                    store = [.. plan.Kept.Select(static d => d.Snapshot)];
                }
            }
        );

    [Fact]
    public void Stricter_rules_for_a_night_cost_what_they_say_and_no_more() =>
        RandomNights.Check(
            RandomNights.Of(50, 400),
            100,
            static nights =>
            {
                RetentionPlan strict = RetentionPolicy.Plan(nights.OtherRules, nights.Snapshots, nights.Now);
                RetainedSnapshot[] left = [.. strict.Kept.Select(static d => d.Snapshot)];

                // Whatever is left and was wanted before is wanted still.
                HashSet<SnapshotId> wanted =
                [
                    .. RetentionPolicy.Plan(nights.Rules, nights.Snapshots, nights.Now).Kept.Select(static d => d.Snapshot.Id),
                ];
                RetentionPolicy.Plan(nights.Rules, left, nights.Now).Removed.Where(d => wanted.Contains(d.Snapshot.Id)).ShouldBeEmpty();
            }
        );
}
