using PgBackup.Snapshots;

namespace PgBackup.Retention;

/// <summary>
/// What retention has to know about a snapshot of a store. The rest of a run that was killed (see <see cref="CatalogEntry.IsLeftover"/>)
/// is no snapshot, and has no place here.
/// </summary>
public sealed record RetainedSnapshot
{
    /// <summary>The id, and with it the time that tiers count from.</summary>
    public required SnapshotId Id { get; init; }

    /// <summary>Everything that the config names is in it. Without meaning where <see cref="IsReadable"/> is false.</summary>
    public required bool IsComplete { get; init; }

    /// <summary>A restore of it has succeeded. Without meaning where <see cref="IsReadable"/> is false.</summary>
    public required bool IsProven { get; init; }

    /// <summary>Somebody asked that it stay.</summary>
    public required bool IsPinned { get; init; }

    /// <summary>False where its manifest cannot be read or is of a newer version: nothing is known about it then.</summary>
    public required bool IsReadable { get; init; }

    /// <summary>Its names say that it is incomplete, and its manifest says that it is complete: nothing goes because of such a
    /// mark.</summary>
    public bool IsDisputed { get; init; }

    /// <summary>It has less than an earlier one, and nobody has confirmed that, by its names.</summary>
    public bool HasUnconfirmedLoss { get; init; }

    /// <summary>Stored bytes of all its objects.</summary>
    public required long Bytes { get; init; }

    /// <summary>Another store should have a copy of it, and lacks it still.</summary>
    public bool IsAwaited { get; init; }

    /// <summary>Until when the store itself refuses to remove it (object lock); null for no lock.</summary>
    public DateTimeOffset? LockedUntil { get; init; }
}
