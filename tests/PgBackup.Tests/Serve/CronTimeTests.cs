using PgBackup.Serve.Scheduling;

namespace PgBackup.Tests.Serve;

/// <summary>Times of cron, as Quartz reads them.</summary>
public sealed class CronTimeTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("")]
    [InlineData("every night")]
    [InlineData("0 3 * *")]
    [InlineData("61 * * * *")]
    [InlineData("0 25 * * *")]
    [InlineData("H 3 * * *")]
    [InlineData("0 3 31 2 *")]
    public void What_is_no_time_is_refused_with_a_reason(string text)
    {
        CronTime.TryParse(text, TimeZoneInfo.Utc, Noon, out string problem).ShouldBeNull();
        problem.ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("0 3 * * *", "2026-03-01T03:00", "2026-03-02T03:00")]
    [InlineData("0 12 1 * *", "2026-03-01T12:00", "2026-04-01T12:00")]
    [InlineData("0 5 1 */3 *", "2026-01-01T05:00", "2026-04-01T05:00")]
    [InlineData("@daily", "2026-03-01T00:00", "2026-03-02T00:00")]
    [InlineData("*/15 * * * *", "2026-03-01T12:00", "2026-03-01T12:15")]
    public void The_last_time_may_be_now_and_the_next_is_later(string text, string last, string next)
    {
        CronTime cron = CronTime.TryParse(text, TimeZoneInfo.Utc, Noon, out string _).ShouldNotBeNull();

        cron.LastAt(Noon).ShouldBe(BoardScene.At(last));
        cron.NextAfter(Noon).ShouldBe(BoardScene.At(next));
        cron.LastAt(Noon.AddTicks(-1)).ShouldNotBeNull().ShouldBeLessThan(Noon);
    }
}
