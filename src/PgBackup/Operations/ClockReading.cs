using System.Globalization;

namespace PgBackup.Operations;

/// <summary>One look at a clock that is not this host's.</summary>
/// <param name="Name">Whose it is: a server, a store.</param>
/// <param name="Ahead">How far it is ahead of this host's; less than zero where it is behind.</param>
internal sealed record ClockReading(string Name, TimeSpan Ahead)
{
    /// <summary>What differs less is right: answers take time, and some stores round to seconds.</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(60);

    /// <summary>From here on it is an error: a snapshot counts as one of the future.</summary>
    public static readonly TimeSpan Grave = TimeSpan.FromMinutes(15);

    /// <summary>A clock that was read at some moment of a span of this host's time.</summary>
    /// <param name="name">Whose it is.</param>
    /// <param name="epoch">What it said, in seconds since 1970.</param>
    /// <param name="asked">When it was asked.</param>
    /// <param name="answer">How long the answer took.</param>
    public static ClockReading Of(string name, double epoch, DateTimeOffset asked, TimeSpan answer) =>
        Of(name, DateTimeOffset.UnixEpoch.AddSeconds(epoch), asked, answer);

    /// <summary>The same of a time.</summary>
    public static ClockReading Of(string name, DateTimeOffset told, DateTimeOffset asked, TimeSpan answer) =>
        new(
            name,
            told < asked ? told - asked
                : told > asked + answer ? told - asked - answer
                : TimeSpan.Zero
        );

    /// <summary>
    /// The clocks that are off. Where several others agree with each other, and none with this host's, it is this host's that is wrong: one
    /// finding.
    /// </summary>
    public static IReadOnlyList<Finding> Judge(IReadOnlyList<ClockReading> readings)
    {
        List<ClockReading> off = [.. readings.Where(static r => r.Ahead.Duration() > Tolerance)];
        if (off.Count < 2 || off.Count < readings.Count || off.Max(static r => r.Ahead) - off.Min(static r => r.Ahead) > Tolerance)
        {
            return [.. off.Select(static r => Found(r.Ahead, r.Name, $"the clock of {r.Name} is {Text(r.Ahead)} this host's"))];
        }

        string others = string.Join(" and of ", off.Select(static r => r.Name));
        return [Found(off[0].Ahead, "this host", $"the clock of this host is {Text(-off[0].Ahead)} those of {others}")];
    }

    private static Finding Found(TimeSpan ahead, string subject, string what)
    {
        const string Why = "snapshots are named, kept and removed by the time of this host, and judged by their age";
        const string Fix =
            "Compare both with the true time (`date -u`), and set the wrong one: `timedatectl set-ntp true` has systemd keep it right";
        return ahead.Duration() > Grave
            ? Finding.Error(ErrorCode.ClockOff, subject, what, Why, Fix)
            : Finding.Warning(ErrorCode.ClockOff, subject, what, Why, Fix);
    }

    private static string Text(TimeSpan ahead)
    {
        TimeSpan by = ahead.Duration();
        string length =
            by < TimeSpan.FromMinutes(2) ? string.Create(CultureInfo.InvariantCulture, $"{by.TotalSeconds:0} s")
            : by < TimeSpan.FromHours(2) ? string.Create(CultureInfo.InvariantCulture, $"{by.TotalMinutes:0} min")
            : by < TimeSpan.FromDays(2) ? string.Create(CultureInfo.InvariantCulture, $"{by.TotalHours:0} h")
            : string.Create(CultureInfo.InvariantCulture, $"{by.TotalDays:0} days");
        return $"{length} {(ahead > TimeSpan.Zero ? "ahead of" : "behind")}";
    }
}
