using PgBackup.Operations.Status;

namespace PgBackup.Serve;

/// <summary>How the backups stand, read from the stores now and then: whoever asks gets the last reading at once.</summary>
/// <param name="read">Reads.</param>
/// <param name="clock">The time.</param>
/// <param name="say">Gets why it could not be read.</param>
internal sealed class StatusCache(Func<CancellationToken, Task<StatusReport>> read, TimeProvider clock, Action<string> say)
{
    // A reading lists each store once. Its age is in the metrics.
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(5);

    // It takes ten seconds at most where a store hangs.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly Lock gate = new();
    private Task reading = Task.CompletedTask;
    private DateTimeOffset begun = DateTimeOffset.MinValue;
    private volatile StatusReport? last;

    /// <summary>The last reading; null where there was none yet, or it is so old that nothing is known.</summary>
    public StatusReport? Last => last is { } report && clock.GetUtcNow() - report.Time <= 3 * Life ? report : null;

    /// <summary>What was read last has changed: it is read again at the next look.</summary>
    public void Outdate()
    {
        lock (gate)
        {
            begun = DateTimeOffset.MinValue;
        }
    }

    /// <summary>Reads again, beside everything else, where the last reading is old.</summary>
    public void Look()
    {
        lock (gate)
        {
            TimeSpan age = clock.GetUtcNow() - begun;
            if (reading.IsCompleted && (age >= Life || age < TimeSpan.Zero))
            {
                begun = clock.GetUtcNow();
                reading = Task.Run(ReadAsync, CancellationToken.None);
            }
        }
    }

    /// <summary>Waits for a reading that is under way.</summary>
    public Task SettleAsync()
    {
        lock (gate)
        {
            return reading;
        }
    }

    private async Task ReadAsync()
    {
        try
        {
            using var limit = new CancellationTokenSource(Limit, clock);
            last = await read(limit.Token);
        }
        catch (Exception e)
        {
            say($"WARNING: how the backups stand cannot be found out: {e.GetType().Name}: {e.Message}");
        }
    }
}
