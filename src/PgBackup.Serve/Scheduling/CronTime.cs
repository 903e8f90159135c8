using Quartz;

namespace PgBackup.Serve.Scheduling;

/// <summary>
/// The times of a cron expression in a time zone, by Quartz. A time that a clock change skips is the first one after it; a time that a
/// clock change repeats is its first occurrence alone.
/// </summary>
internal sealed class CronTime
{
    // A week of hours.
    private const int TimesLookedAt = 170;

    // No clock is set back by more.
    private static readonly TimeSpan LongestFold = TimeSpan.FromHours(3);

    private readonly CronExpression expression;
    private readonly TimeZoneInfo zone;

    private CronTime(CronExpression expression, TimeZoneInfo zone) => (this.expression, this.zone) = (expression, zone);

    /// <summary>The expression as it was written.</summary>
    public required string Text { get; init; }

    /// <summary>Reads the five fields of cron(5).</summary>
    /// <param name="text">For instance <c>0 3 * * *</c>.</param>
    /// <param name="zone">The zone of its times.</param>
    /// <param name="now">The time: an expression without any time after it is wrong.</param>
    /// <param name="problem">Why it is none; empty where it is one.</param>
    public static CronTime? TryParse(string text, TimeZoneInfo zone, DateTimeOffset now, out string problem)
    {
        problem = "";
        try
        {
            CronExpression expression = CronExpression.Parse(text, CronFormat.Unix).WithTimeZone(zone);
            if (expression.GetNextValidTimeAfter(now) is not null)
            {
                return new CronTime(expression, zone) { Text = text };
            }

            problem = "there is no such day";
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            problem = e.Message.TrimEnd('.');
        }

        return null;
    }

    /// <summary>The last time at or before a moment; null for none.</summary>
    public DateTimeOffset? LastAt(DateTimeOffset moment)
    {
        DateTimeOffset before = moment.AddSeconds(1);
        while (expression.GetPreviousValidTimeBefore(before) is { } last)
        {
            if (last <= moment && IsReached(last))
            {
                return last.ToUniversalTime();
            }

            before = last;
        }

        return null;
    }

    /// <summary>The shortest time between two of its next times; null where there is but one.</summary>
    public TimeSpan? ShortestInterval(DateTimeOffset moment)
    {
        TimeSpan? shortest = null;
        DateTimeOffset? before = NextAfter(moment);
        for (int i = 0; i < TimesLookedAt && before is not null; i++)
        {
            DateTimeOffset? next = NextAfter(before.Value);
            shortest = next - before < shortest || shortest is null ? next - before : shortest;
            before = next;
        }

        return shortest;
    }

    /// <summary>The first time after a moment; null for none.</summary>
    public DateTimeOffset? NextAfter(DateTimeOffset moment) => expression.GetNextValidTimeAfter(moment)?.ToUniversalTime();

    // Looking back, Quartz names the second occurrence of a time that a clock change repeats. Looking ahead, it never comes to it.
    private bool IsReached(DateTimeOffset time)
    {
        if (!zone.IsAmbiguousTime(time))
        {
            return true;
        }

        DateTimeOffset? next = time - LongestFold;
        do
        {
            next = expression.GetNextValidTimeAfter(next.Value);
        } while (next < time);
        return next == time;
    }
}
