using PgBackup.Operations.Status;

namespace PgBackup.Notifications;

/// <summary>What this host remembers of the notices of a cluster: a small file. Losing it means that people are told again.</summary>
public sealed record NoticeMemory
{
    /// <summary>What each channel was told last, by its name.</summary>
    public IReadOnlyDictionary<string, ChannelMemory> Channels { get; init; } = new Dictionary<string, ChannelMemory>();

    /// <summary>The jobs of this host whose last try failed, by their names.</summary>
    public IReadOnlyDictionary<string, Finding> Failed { get; init; } = new Dictionary<string, Finding>();
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

    /// <summary>Since when nothing could be delivered to it; null where the last notice arrived.</summary>
    public DateTimeOffset? FailingSince { get; init; }

    /// <summary>Why not.</summary>
    public string? Problem { get; init; }
}
