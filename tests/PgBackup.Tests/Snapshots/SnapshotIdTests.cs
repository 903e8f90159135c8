using PgBackup.Snapshots;

namespace PgBackup.Tests.Snapshots;

public sealed class SnapshotIdTests
{
    [Fact]
    public void It_is_the_utc_second()
    {
        var time = new DateTimeOffset(2026, 3, 1, 4, 30, 5, 999, TimeSpan.FromMinutes(90));

        SnapshotId id = SnapshotId.At(time);

        id.ToString().ShouldBe("20260301T030005Z");
        id.Time.ShouldBe(new DateTimeOffset(2026, 3, 1, 3, 0, 5, TimeSpan.Zero));
        SnapshotId.TryParse(id.ToString()).ShouldBe(id);
    }

    [Theory]
    [InlineData("")]
    [InlineData("latest")]
    [InlineData("20260301")]
    [InlineData("20260301T030000")]
    [InlineData("20260301T030000z")]
    [InlineData("20260229T030000Z")]
    [InlineData("20260301T240000Z")]
    [InlineData("20260301T030060Z")]
    [InlineData(" 20260301T030000Z")]
    [InlineData("20260301T030000Z ")]
    [InlineData("20260301T030000Z/..")]
    [InlineData("2026-03-01T03:00:00Z")]
    public void Any_other_text_is_none(string text) => SnapshotId.TryParse(text).ShouldBeNull();

    [Fact]
    public void Names_sort_as_times_do()
    {
        SnapshotId[] ids =
        [
            .. ((string[])["20260301T030000Z", "20251231T235959Z", "20260301T030001Z", "20260228T235959Z"]).Select(static t =>
                SnapshotId.TryParse(t)!.Value
            ),
        ];

        ids.Order().Select(static id => id.ToString()).ShouldBe(ids.Select(static id => id.ToString()).Order(StringComparer.Ordinal));
        (ids[1] < ids[0] && ids[0] > ids[3] && ids[0] <= ids[2] && ids[2] >= ids[0] && !(ids[0] < ids[1])).ShouldBeTrue();
    }
}
