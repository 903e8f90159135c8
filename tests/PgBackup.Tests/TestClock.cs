namespace PgBackup.Tests;

/// <summary>A clock that stands still until it is set. Pauses are remembered, and take no time.</summary>
internal sealed class TestClock(DateTimeOffset now) : TimeProvider
{
    private readonly Lock adding = new();
    private readonly List<TimeSpan> pauses = [];

    public DateTimeOffset Now { get; set; } = now;

    /// <summary>How long was waited, each time.</summary>
    public IReadOnlyList<TimeSpan> Pauses
    {
        get
        {
            lock (adding)
            {
                return [.. pauses];
            }
        }
    }

    public override DateTimeOffset GetUtcNow() => Now;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime > TimeSpan.Zero)
        {
            lock (adding)
            {
                pauses.Add(dueTime);
            }
        }

        return base.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? TimeSpan.Zero : dueTime, period);
    }
}
