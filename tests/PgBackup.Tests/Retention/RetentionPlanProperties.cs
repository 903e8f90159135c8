using PgBackup.Retention;
using PgBackup.Snapshots;

namespace PgBackup.Tests.Retention;

/// <summary>What holds for the plan of any store at any moment.</summary>
public sealed class RetentionPlanProperties
{
    private static readonly KeepReasonKind[] Newest =
    [
        KeepReasonKind.Newest,
        KeepReasonKind.NewestComplete,
        KeepReasonKind.NewestProven,
        KeepReasonKind.NewestWithoutLoss,
    ];

    [Fact]
    public void A_snapshot_is_kept_for_just_the_reasons_that_the_rules_and_the_protections_give() =>
        RandomNights.Check(
            RandomNights.Of(0, 500),
            400,
            static nights =>
            {
                Dictionary<RetainedSnapshot, string[]> expected = RetentionOracle.Reasons(nights.Rules, nights.Snapshots, nights.Now);

                foreach (RetentionDecision decision in Plan(nights).Decisions)
                {
                    RetentionOracle.Words(decision).ShouldBe(expected[decision.Snapshot], $"{decision.Snapshot.Id}");
                }
            }
        );

    [Fact]
    public void There_is_one_decision_for_each_snapshot_oldest_first() =>
        RandomNights.Check(
            RandomNights.Of(0, 300),
            300,
            static nights =>
            {
                RetentionPlan plan = Plan(nights);

                plan.Decisions.Select(static d => d.Snapshot.Id.ToString())
                    .ShouldBe(nights.Snapshots.Select(static s => s.Id.ToString()).Order(StringComparer.Ordinal));
                plan.Decisions.Select(static d => d.Snapshot).ShouldBe(nights.Snapshots, ignoreOrder: true);
                (plan.Kept.Count() + plan.Removed.Count()).ShouldBe(nights.Snapshots.Count);
                plan.BytesFreed.ShouldBe(nights.Snapshots.Sum(static s => s.Bytes) - plan.Kept.Sum(static d => d.Snapshot.Bytes));
            }
        );

    [Fact]
    public void The_order_of_the_snapshots_does_not_matter() =>
        RandomNights.Check(
            RandomNights.Of(0, 300),
            300,
            static nights =>
            {
                RetainedSnapshot[] shuffled = [.. nights.Snapshots];
                new Random(nights.MinutesAfter).Shuffle(shuffled);

                Told(RetentionPolicy.Plan(nights.Rules, shuffled, nights.Now)).ShouldBe(Told(Plan(nights)));
            }
        );

    [Fact]
    public void A_plan_carried_out_leaves_nothing_to_remove_at_the_same_moment() =>
        RandomNights.Check(
            RandomNights.Of(0, 400),
            300,
            static nights =>
            {
                RetainedSnapshot[] left = [.. Plan(nights).Kept.Select(static d => d.Snapshot)];

                RetentionPolicy.Plan(nights.Rules, left, nights.Now).Removed.ShouldBeEmpty();
            }
        );

    [Fact]
    public void Incomplete_snapshots_change_nothing_for_complete_ones() =>
        RandomNights.Check(
            RandomNights.Of(0, 400),
            300,
            static nights =>
            {
                RetainedSnapshot[] complete = [.. nights.Snapshots.Where(static s => s.IsComplete && s.IsReadable)];

                IEnumerable<string> alone = Tiers(RetentionPolicy.Plan(nights.Rules, complete, nights.Now));
                IEnumerable<string> among = Tiers(
                    Plan(nights) with
                    {
                        Decisions = [.. Plan(nights).Decisions.Where(d => complete.Contains(d.Snapshot))],
                    }
                );

                among.ShouldBe(alone);

                static IEnumerable<string> Tiers(RetentionPlan plan) =>
                    plan.Decisions.Select(static d =>
                        $"{d.Snapshot.Id} {string.Join("; ", d.Reasons.Where(static r => r.Kind is <= KeepReasonKind.Yearly or KeepReasonKind.NewestComplete))}"
                    );
            }
        );

    [Fact]
    public void A_snapshot_is_kept_until_the_second_that_the_plan_tells() =>
        RandomNights.Check(
            RandomNights.Of(0, 60),
            300,
            static nights =>
            {
                foreach (RetentionDecision decision in Plan(nights).Kept)
                {
                    if (decision.KeptUntil is { } end)
                    {
                        On(end.AddSeconds(-1)).IsKept.ShouldBeTrue($"{decision.Snapshot.Id} a second before {end:u}");
                        On(end).Reasons.Select(static r => r.Kind).ShouldBeSubsetOf(Newest, $"{decision.Snapshot.Id} at {end:u}");
                    }

                    RetentionDecision On(DateTimeOffset now) =>
                        RetentionPolicy
                            .Plan(nights.Rules, nights.Snapshots, now)
                            .Decisions.Single(d => d.Snapshot.Id == decision.Snapshot.Id);
                }
            }
        );

    [Fact]
    public void What_has_no_end_is_there_at_the_end_of_time() =>
        RandomNights.Check(
            RandomNights.Of(0, 300),
            200,
            static nights =>
            {
                HashSet<SnapshotId> last =
                [
                    .. RetentionPolicy.Plan(nights.Rules, nights.Snapshots, DateTimeOffset.MaxValue).Kept.Select(static d => d.Snapshot.Id),
                ];

                Plan(nights)
                    .Kept.Where(static d => d.Reasons.Any(static r => r.Until is null && !Newest.Contains(r.Kind)))
                    .Where(d => !last.Contains(d.Snapshot.Id))
                    .ShouldBeEmpty();
            }
        );

    [Fact]
    public void The_lock_of_a_new_snapshot_ends_when_a_plan_of_that_moment_lets_its_tiers_end() =>
        RandomNights.Check(
            RandomNights.Of(1, 60),
            300,
            static nights =>
            {
                foreach (RetainedSnapshot snapshot in nights.Snapshots)
                {
                    RetainedSnapshot fresh = snapshot with { IsReadable = true };
                    RetainedSnapshot[] others = [.. nights.Snapshots.Where(s => s.Id != snapshot.Id)];

                    KeepReason[] tiers =
                    [
                        .. RetentionPolicy
                            .Plan(nights.Rules, [.. others, fresh], fresh.Id.Time)
                            .Decisions.Single(d => d.Snapshot == fresh)
                            .Reasons.Where(static r => r.Kind <= KeepReasonKind.Yearly),
                    ];

                    DateTimeOffset? end =
                        tiers.Length == 0 ? fresh.Id.Time
                        : tiers.Any(static r => r.Until is null) ? null
                        : tiers.Max(static r => r.Until);
                    RetentionPolicy.RetainUntil(nights.Rules, fresh.Id, fresh.IsComplete, others).ShouldBe(end, $"{fresh.Id}");
                }
            }
        );

    private static RetentionPlan Plan(RandomNights nights) => RetentionPolicy.Plan(nights.Rules, nights.Snapshots, nights.Now);

    private static IEnumerable<string> Told(RetentionPlan plan) =>
        plan.Decisions.Select(static d => $"{d.Snapshot.Id} {d.KeptUntil:u} {d.Why}");
}
