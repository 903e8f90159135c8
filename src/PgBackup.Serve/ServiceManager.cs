using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;

namespace PgBackup.Serve;

/// <summary>What systemd is told (sd_notify(3)): ready, reloading, alive, stopping. Without systemd, nothing is.</summary>
/// <param name="clock">The time.</param>
internal sealed class ServiceManager(TimeProvider clock)
{
    private readonly SystemdNotifier notifier = new();
    private DateTimeOffset alive = DateTimeOffset.MinValue;

    /// <summary>How often systemd wants to hear; null where it does not.</summary>
    private static TimeSpan? Watchdog =>
        long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out long usec)
        && usec > 0
            ? TimeSpan.FromMicroseconds(usec)
            : null;

    /// <summary>The service is ready, and how it stands.</summary>
    public void Ready(string status) => notifier.Notify(new ServiceState($"READY=1\nSTATUS={OneLine(status)}"));

    /// <summary>The config is read again. With <c>Type=notify-reload</c>, systemd wants the monotonic time.</summary>
    public void Reloading()
    {
        long usec = (long)clock.GetElapsedTime(0, clock.GetTimestamp()).TotalMicroseconds;
        notifier.Notify(new ServiceState(string.Create(CultureInfo.InvariantCulture, $"RELOADING=1\nMONOTONIC_USEC={usec}")));
    }

    /// <summary>It ends.</summary>
    public void Stopping() => notifier.Notify(ServiceState.Stopping);

    /// <summary>It is alive: said four times in what systemd allows.</summary>
    public void Alive()
    {
        DateTimeOffset now = clock.GetUtcNow();
        if (Watchdog is { } limit && (now - alive >= limit / 4 || now < alive))
        {
            alive = now;
            notifier.Notify(new ServiceState("WATCHDOG=1"));
        }
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
