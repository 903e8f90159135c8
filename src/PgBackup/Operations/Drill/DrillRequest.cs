using PgBackup.Snapshots;

namespace PgBackup.Operations.Drill;

/// <summary>What to rehearse.</summary>
public sealed record DrillRequest
{
    /// <summary>A snapshot's id, or <c>latest</c>.</summary>
    public required SnapshotRef Snapshot { get; init; }

    /// <summary>The store it is fetched from.</summary>
    public required BackupStore From { get; init; }

    /// <summary>Leave the scratch server running.</summary>
    public bool Keep { get; init; }
}
