using PgBackup.Records;

namespace PgBackup.Operations.Restore.Tables;

/// <summary>The record of a restore of single tables.</summary>
internal static class TableRestoreRecord
{
    // Of more tables, the rest is a number.
    private const int MostNamed = 5;

    /// <summary>Before anything is read.</summary>
    public static Record Begin(Recorder recorder, TableRestoreRequest request, string store, RestoreTarget target) =>
        recorder.Begin(RecordKind.Restore, $"restore of tables {RestoreRecord.Into(recorder, target)}") with
        {
            Snapshot = request.Snapshot.ToString(),
            Store = store,
        };

    /// <summary>After it.</summary>
    public static Record End(Record begun, TableRestoreReport report)
    {
        IReadOnlyList<string> tables = report.Plan.Tables;
        string more = tables.Count > MostNamed ? $" and {tables.Count - MostNamed} more" : "";
        ErrorCode? code = report.Code is { } text ? PgBackupException.CodeOf(text) : null;
        return begun with
        {
            Result = report.Succeeded ? RecordResult.Ok : RecordResult.Failed,
            Snapshot = report.Plan.Snapshot,
            Summary =
                $"{begun.Summary}: {report.Plan.Database}: {string.Join(", ", tables.Take(MostNamed))}{more}, "
                + (report.Succeeded ? "restored and equal" : "FAILED"),
            Findings = report.Succeeded ? [] : [RestoreRecord.Failure(code, report.Plan.Database)],
        };
    }
}
