using System.Diagnostics;
using PgBackup.Retention;
using PgBackup.Snapshots;

namespace PgBackup.Tests.Retention;

public sealed class StorageProjectionTests
{
    [Fact]
    public void The_default_rules_settle_and_then_grow_by_one_snapshot_a_year()
    {
        var projection = StorageProjection.Of(RetentionRules.Default, 1_000_000);

        projection.ShouldBe(
            new StorageProjection
            {
                Snapshots = 37,
                Bytes = 37_000_000,
                SnapshotsPerYear = 1,
                BytesPerYear = 1_000_000,
            }
        );
    }

    [Theory]
    [InlineData("3d", "14d", "90d", "12mo", null)]
    [InlineData("2d", "7d", "4w", "6mo", null)]
    [InlineData("36h", null, "35d", null, "2y")]
    [InlineData(null, null, null, null, "1mo")]
    [InlineData("30d", null, null, null, null)]
    public void It_counts_what_a_plan_carried_out_every_night_leaves(
        string? all,
        string? daily,
        string? weekly,
        string? monthly,
        string? yearly
    )
    {
        RetentionRules rules = Snapshot.Rules(all, daily, weekly, monthly, yearly);
        List<RetainedSnapshot> store = [];
        int most = 0;
        for (var night = new DateTimeOffset(2030, 1, 1, 3, 0, 0, TimeSpan.Zero); night.Year < 2062; night = night.AddDays(1))
        {
            store.Add(Snapshot.Of(SnapshotId.At(night)));
            store = [.. RetentionPolicy.Plan(rules, store, night).Kept.Select(static d => d.Snapshot)];
            most = night.Year < 2034 ? 0 : Math.Max(most, store.Count);
        }

        StorageProjection
            .Of(rules, 10)
            .ShouldBe(
                new StorageProjection
                {
                    Snapshots = most,
                    Bytes = most * 10,
                    SnapshotsPerYear = 0,
                    BytesPerYear = 0,
                }
            );
    }

    [Fact]
    public void What_stays_for_ever_is_growth()
    {
        StorageProjection
            .Of(Snapshot.Rules(monthly: "forever"), 10)
            .ShouldBe(
                new StorageProjection
                {
                    Snapshots = 1,
                    Bytes = 10,
                    SnapshotsPerYear = 12,
                    BytesPerYear = 120,
                }
            );
        StorageProjection
            .Of(Snapshot.Rules(all: "3d", weekly: "31y"), 1000)
            .ShouldBe(
                new StorageProjection
                {
                    Snapshots = 3,
                    Bytes = 3000,
                    SnapshotsPerYear = 1461 / 28.0,
                    BytesPerYear = 52_179,
                }
            );
        StorageProjection
            .Of(new RetentionRules(), 4)
            .ShouldBe(
                new StorageProjection
                {
                    Snapshots = 1,
                    Bytes = 4,
                    SnapshotsPerYear = 365.25,
                    BytesPerYear = 1461,
                }
            );
    }

    [Theory]
    [InlineData("30y", 0)]
    [InlineData("361mo", 365.25)]
    public void Thirty_years_come_to_an_end_and_more_do_not(string all, double perYear) =>
        StorageProjection.Of(Snapshot.Rules(all), 1).SnapshotsPerYear.ShouldBe(perYear);

    [Fact]
    public void More_bytes_than_can_be_counted_are_the_most_that_can() =>
        StorageProjection.Of(Snapshot.Rules(all: "30d"), long.MaxValue / 2).Bytes.ShouldBe(long.MaxValue);

    [Fact]
    public void Thirty_years_of_nights_take_no_time_that_a_person_would_notice()
    {
        RetentionRules rules = Snapshot.Rules(all: "30y", daily: "30y", weekly: "30y", monthly: "30y", yearly: "30y");
        StorageProjection.Of(rules, 1).Snapshots.ShouldBe(10_958);
        var watch = Stopwatch.StartNew();

        StorageProjection.Of(rules, 1);

        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(1));
        TestContext.Current.TestOutputHelper?.WriteLine($"{watch.Elapsed.TotalMilliseconds} ms");
    }
}
