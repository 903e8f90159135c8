using System.Diagnostics;
using PgBackup.Retention;
using PgBackup.Snapshots;

namespace PgBackup.Tests.Retention;

/// <content>Stores with nothing in them, with one id twice, and with very much in them.</content>
public sealed partial class RetentionPolicyTests
{
    [Fact]
    public void An_empty_store_has_an_empty_plan()
    {
        RetentionPlan plan = RetentionPolicy.Plan(RetentionRules.Default, [], Snapshot.Time("2026-03-01T00:00:00Z"));

        plan.Decisions.ShouldBeEmpty();
        plan.BytesFreed.ShouldBe(0);
    }

    [Fact]
    public void Two_snapshots_of_one_id_are_refused() =>
        Should
            .Throw<ArgumentException>(() =>
                RetentionPolicy.Plan(
                    RetentionRules.Default,
                    [Snapshot.At("20260301"), Snapshot.At("20260301")],
                    Snapshot.Time("2026-03-01T00:00:00Z")
                )
            )
            .Message.ShouldContain("20260301T030000Z");

    [Fact]
    public void A_hundred_thousand_snapshots_are_planned_in_seconds()
    {
        RetainedSnapshot[] store =
        [
            .. Enumerable.Range(0, 100_000).Select(static i => Snapshot.Of(SnapshotId.At(DateTimeOffset.UnixEpoch.AddHours(i)))),
        ];
        var watch = Stopwatch.StartNew();

        RetentionPolicy
            .Plan(RetentionRules.Default, store, DateTimeOffset.UnixEpoch.AddHours(100_000))
            .Decisions.Count.ShouldBe(store.Length);

        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(5));
    }
}
