using PgBackup.Operations;
using PgBackup.Snapshots;

namespace PgBackup.Tests.Operations;

public sealed class FreshnessTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 22, 5, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(26.0, true)]
    [InlineData(25.999, false)]
    public void A_snapshot_may_be_exactly_as_old_as_max_age(double maxAge, bool isFresh) =>
        (Of([Complete("20260321T030000Z")], maxAge).Count == 0).ShouldBe(isFresh);

    [Fact]
    public void A_store_without_a_complete_snapshot_is_an_error()
    {
        Finding finding = Of([Partial("20260322T030000Z")]).ShouldHaveSingleItem();

        (finding.Code, finding.Severity, finding.Subject).ShouldBe((ErrorCode.NoCompleteSnapshot, Severity.Error, "local"));
    }

    [Fact]
    public void An_incomplete_snapshot_of_last_night_makes_nothing_younger() =>
        Of([Complete("20260319T030000Z"), Partial("20260322T030000Z")])
            .ShouldHaveSingleItem()
            .Text.ShouldStartWith("TOO OLD: the newest complete snapshot in local, 20260319T030000Z, is 3 d old: max_age allows 26 h. ");

    [Fact]
    public void A_clock_that_was_ahead_when_a_snapshot_was_made_hides_no_missing_nights() =>
        Of([Complete("20260319T030000Z"), Complete("20270101T030000Z")])
            .Select(static f => (f.Code, f.Severity))
            .ShouldBe([(ErrorCode.SnapshotTooOld, Severity.Error), (ErrorCode.SnapshotFromTheFuture, Severity.Warning)]);

    [Fact]
    public void A_clock_that_is_some_minutes_behind_is_no_finding() => Of([Complete("20260322T051000Z")]).ShouldBeEmpty();

    private static IReadOnlyList<Finding> Of(IReadOnlyList<CatalogEntry> entries, double maxAge = 26) =>
        Freshness.Of("local", entries, TimeSpan.FromHours(maxAge), Now);

    private static CatalogEntry Complete(string id) =>
        new()
        {
            Id = SnapshotId.TryParse(id)!.Value,
            Objects = new Dictionary<string, long> { [SnapshotLayout.Manifest] = 1 },
        };

    private static CatalogEntry Partial(string id) =>
        Complete(id) with
        {
            Objects = new Dictionary<string, long> { [SnapshotLayout.Manifest] = 1, [SnapshotLayout.Incomplete] = 1 },
        };
}
