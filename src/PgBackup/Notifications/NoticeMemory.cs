using PgBackup.Operations.Status;
using PgBackup.Snapshots;

namespace PgBackup.Notifications;

/// <summary>What this host remembers of the notices of a cluster: a small file. Losing it means that people are told again.</summary>
public sealed record NoticeMemory
{
    /// <summary>What each channel was told last, by its name.</summary>
    public IReadOnlyDictionary<string, ChannelMemory> Channels { get; init; } = new Dictionary<string, ChannelMemory>();

    /// <summary>The jobs of this host whose last try failed, by their names.</summary>
    public IReadOnlyDictionary<string, FailedJob> Failed { get; init; } = new Dictionary<string, FailedJob>();
}

/// <summary>A job that failed.</summary>
/// <param name="Why">Why.</param>
/// <param name="At">When.</param>
public sealed record FailedJob(Finding Why, DateTimeOffset At)
{
    // A job that nobody starts again is not wrong for ever.
    private static readonly TimeSpan Life = TimeSpan.FromDays(35);

    /// <summary>It is not wrong any more: another host has done it since, or it is long ago.</summary>
    /// <param name="job">The job's name.</param>
    /// <param name="status">How the backups stand.</param>
    /// <param name="now">The time.</param>
    public bool IsSettled(string job, StatusReport status, DateTimeOffset now) =>
        now - At > Life
        || (
            job switch
            {
                "run" or "backup" => status.Figures.NewestComplete is { } newest
                    && SnapshotId.TryParse(newest.Id) is { } id
                    && id.Time > At,
                "drill" => status.Figures.LastDrill is { Passed: true } drill && drill.Time > At,
                _ => false,
            }
        );
}

/// <summary>What a channel was told last.</summary>
public sealed record ChannelMemory
{
    /// <summary>How the backups stood.</summary>
    public StatusLevel Level { get; init; } = StatusLevel.Green;

    /// <summary>What was wrong, by <see cref="Situation.Errors"/>.</summary>
    public IReadOnlyList<string> Errors { get; init; } = [];

    /// <summary>What somebody should have looked at, by <see cref="Situation.Warnings"/>.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>When it was told; null for never.</summary>
    public DateTimeOffset? ToldAt { get; init; }

    /// <summary>When it was last decided whether it is told; null for never. An older notice that is still on its way is stale.</summary>
    public DateTimeOffset? DecidedAt { get; init; }

    /// <summary>Since when nothing could be delivered to it; null where the last notice arrived.</summary>
    public DateTimeOffset? FailingSince { get; init; }

    /// <summary>Why not.</summary>
    public string? Problem { get; init; }
}
