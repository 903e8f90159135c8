using PgBackup.Snapshots;

namespace PgBackup.Operations;

/// <summary>The traces of a run that did not end in order, which a later one found and removed.</summary>
internal static class KilledRun
{
    /// <summary>The finding of the run that removed them; <c>status</c> says it again from that run's record.</summary>
    /// <param name="left">The snapshot of which something was left.</param>
    public static Finding Of(SnapshotId left) =>
        Finding.Warning(
            ErrorCode.RunKilled,
            left.ToString(),
            $"a run, a repair or a removal did not end in order; what it left of {left} was removed",
            "it was killed, or the store was away",
            "Look why: `dmesg`, or the journal of that time"
        );
}
