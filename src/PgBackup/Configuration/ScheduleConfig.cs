using System.Net;

namespace PgBackup.Configuration;

/// <summary>When <c>serve</c> does what (<c>schedule:</c>).</summary>
public sealed record ScheduleConfig
{
    /// <summary>The zone of all times.</summary>
    public required TimeZoneInfo Zone { get; init; }

    /// <summary>How much later than its time a job may start, so that not all hosts start at once.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>The jobs, in the order of <see cref="JobKind"/>.</summary>
    public required IReadOnlyList<ScheduledJob> Jobs { get; init; }
}

/// <summary>One job of a schedule.</summary>
public sealed record ScheduledJob
{
    /// <summary>What is done.</summary>
    public required JobKind Kind { get; init; }

    /// <summary>When: five fields of cron. Whoever has a parser of them checks it.</summary>
    public required string Cron { get; init; }

    /// <summary>The verb and its arguments.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>The line of the file that says when, from 1.</summary>
    public required long Line { get; init; }
}

/// <summary>What can be scheduled.</summary>
public enum JobKind
{
    /// <summary>The nightly job.</summary>
    Run,

    /// <summary>A removal of what the rules no longer keep.</summary>
    Prune,

    /// <summary>A check of the stores.</summary>
    Check,

    /// <summary>A rehearsal of a restore.</summary>
    Drill,

    /// <summary>A reminder to test the private keys.</summary>
    Keys,
}

/// <summary>The words of <see cref="JobKind"/>: the key in the config, and the verb.</summary>
public static class JobKinds
{
    /// <summary>The word.</summary>
    public static string Word(this JobKind kind) =>
        kind switch
        {
            JobKind.Run => "run",
            JobKind.Prune => "prune",
            JobKind.Check => "check",
            JobKind.Drill => "drill",
            _ => "keys",
        };
}

/// <summary>How <c>serve</c> is reached (<c>serve:</c>).</summary>
public sealed record ServeConfig
{
    /// <summary>The address and port of its web server; null for none.</summary>
    public IPEndPoint? Listen { get; init; } = new(IPAddress.Loopback, 8432);
}
