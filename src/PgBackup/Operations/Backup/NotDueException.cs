using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Backup;

/// <summary>Nothing is to be done: somebody has taken the snapshot that was due. No error, and no record.</summary>
/// <param name="taken">That snapshot.</param>
public sealed class NotDueException(SnapshotId taken) : NothingDoneException($"{taken} is there already")
{
    /// <summary>The snapshot.</summary>
    public SnapshotId Taken => taken;
}
