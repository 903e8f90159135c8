using PgBackup.Configuration;

namespace PgBackup.Serve.Scheduling;

/// <summary>How one job stands, for metrics.</summary>
internal sealed record JobState
{
    /// <summary>The job.</summary>
    public required JobKind Kind { get; init; }

    /// <summary>When it starts next; null where it is not scheduled any more.</summary>
    public DateTimeOffset? Next { get; init; }

    /// <summary>When this service started it last; null for never.</summary>
    public DateTimeOffset? LastStart { get; init; }

    /// <summary>How long after it was due that was.</summary>
    public TimeSpan? Lag { get; init; }

    /// <summary>Its last exit code; null for none yet.</summary>
    public int? LastExitCode { get; init; }

    /// <summary>It is at work.</summary>
    public bool IsRunning { get; init; }

    /// <summary>How often it was started.</summary>
    public long Started { get; init; }

    /// <summary>How often it ended with anything but 0.</summary>
    public long Failed { get; init; }

    /// <summary>How often it was left out, because the one before was still at work.</summary>
    public long Skipped { get; init; }
}
