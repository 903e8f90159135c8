using PgBackup.Host;
using PgBackup.Operations.Prune;
using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Backup;

/// <summary>The record of a run.</summary>
internal static class RunRecord
{
    /// <summary>Before it.</summary>
    public static Record Begin(Recorder recorder, RunRequest request) =>
        recorder.Begin(
            RecordKind.Run,
            request.Databases is { Count: > 0 } some ? $"snapshot of {Words.Count(some.Count, "database")}"
                : request.Prune ? "nightly run"
                : "snapshot"
        ) with
        {
            Note = request.Pin,
            Verb = request.Prune ? null : "backup",
        };

    /// <summary>After it.</summary>
    public static Record End(Record begun, RunReport report) =>
        begun with
        {
            Result = report.Manifest.Failures.Count > 0 || report.LacksReplicas ? RecordResult.Partial : RecordResult.Ok,
            Snapshot = report.Manifest.Id,
            Summary = Summary(report),
            Findings =
            [
                .. report.Manifest.Failures.Select(Failure),
                .. report.Replicas.SelectMany(static r => r.Errors),
                .. report.Findings,
                .. report.Manifest.Findings,
            ],
        };

    private static string Summary(RunReport report)
    {
        Manifest manifest = report.Manifest;
        int stores = 1 + report.Replicas.Count(r => r.LacksAreKnown && !r.Lacks.Contains(manifest.Id));
        int behind = report.Replicas.Count(static r => r.Code is not null || r.Lacks.Count > 0);
        int removed = report.Pruned.Sum(static (PruneReport p) => p.Removed.Count);
        return Words.Count(manifest.Databases.Count(), "database")
            + (manifest.Failures.Count > 0 ? $", {manifest.Failures.Count} FAILED" : "")
            + $", {ByteSize.Text(manifest.StoredBytes)}, {Words.Count(stores, "store")}"
            + (behind > 0 ? $", {behind} behind" : "")
            + (removed > 0 ? $"; removed {Words.Count(removed, "old snapshot")}" : "");
    }

    private static Finding Failure(PartFailure failure) =>
        Finding.Error(PgBackupException.CodeOf(failure.Code) ?? ErrorCode.Unexpected, failure.Part, $"{failure.Part}: {failure.Message}");
}
