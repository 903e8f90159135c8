using System.Text.Json.Serialization;
using PgBackup.Records;

namespace PgBackup.Operations.Restore;

/// <summary>What a restore did, all of it compared with the proof.</summary>
public sealed record RestoreReport
{
    /// <summary>The snapshot.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The target, without secrets.</summary>
    public required string Target { get; init; }

    /// <summary>Seconds for reading and checking the stored objects, before the target was touched.</summary>
    public required double VerifySeconds { get; init; }

    /// <summary>Seconds for the roles; 0 when they were not asked for.</summary>
    public required double GlobalsSeconds { get; init; }

    /// <summary>Seconds in all.</summary>
    public required double TotalSeconds { get; init; }

    /// <summary>What was to be done, as it was shown before anything was changed.</summary>
    public required RestorePlan Plan { get; init; }

    /// <summary>Each database.</summary>
    public required IReadOnlyList<DatabaseRestoreReport> Databases { get; init; }

    /// <summary>What the operator should know though nothing failed: those of the plan, and what came to light since.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>Why databases that were restored beside the present ones have not taken their places; null when they have, or none
    /// was.</summary>
    public RestoreSwapFailure? SwapFailed { get; init; }

    /// <summary>Every database was restored, equals its proof, and stands where it was to stand.</summary>
    public bool Succeeded => SwapFailed is null && Databases.All(static d => d.Problems.Count == 0);
}

/// <summary>One restored database.</summary>
public sealed record DatabaseRestoreReport
{
    /// <summary>Its name in the snapshot.</summary>
    public required string Database { get; init; }

    /// <summary>Its name at the target, now.</summary>
    public required string RestoredAs { get; init; }

    /// <summary>The name under which the database that was there before is kept; null when none is.</summary>
    public string? KeptAs { get; init; }

    /// <summary>The statements that undo the swap, in their order; to be run in another database of the server.</summary>
    public IReadOnlyList<string>? Undo { get; init; }

    /// <summary>The statement that drops the database that was there before.</summary>
    public string? DropKept { get; init; }

    /// <summary>The jobs of pg_restore that restored it.</summary>
    public int Jobs { get; init; } = 1;

    /// <summary>Rows in it.</summary>
    public required long Rows { get; init; }

    /// <summary>Tables in it.</summary>
    public required int Tables { get; init; }

    /// <summary>Seconds for restoring.</summary>
    public required double RestoreSeconds { get; init; }

    /// <summary>Seconds for comparing.</summary>
    public required double CompareSeconds { get; init; }

    /// <summary>True when the schema was compared too; false when another major version words it differently.</summary>
    public bool SchemaCompared { get; init; }

    /// <summary>The code of the failure (<c>PGB-0073</c>: the restore, <c>PGB-0074</c>: the comparison), or null.</summary>
    [JsonConverter(typeof(CodeTextConverter))]
    public ErrorCode? Code { get; init; }

    /// <summary>Errors of pg_restore and differences from the proof; empty when all is well.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>Problems, or none, in one word.</summary>
    [JsonIgnore]
    public RestoreVerdict Verdict =>
        Problems.Count > 0 ? RestoreVerdict.Failed
        : SchemaCompared ? RestoreVerdict.Equal
        : RestoreVerdict.RowsEqual;
}

/// <summary>Whether a restored database equals its proof. Reports hold it as a word: <see cref="RestoreVerdicts.Word"/>.</summary>
[JsonConverter(typeof(RestoreVerdictConverter))]
public enum RestoreVerdict
{
    /// <summary>A word of a newer version, in its report. No restore comes to it.</summary>
    Unknown,

    /// <summary>Rows, sequences and schema do.</summary>
    Equal,

    /// <summary>Rows and sequences do; another major version words the schema otherwise.</summary>
    RowsEqual,

    /// <summary>It was not restored, or differs.</summary>
    Failed,
}

/// <summary>The words of <see cref="RestoreVerdict"/>.</summary>
public static class RestoreVerdicts
{
    /// <summary>The word in reports, and for people.</summary>
    public static string Word(this RestoreVerdict verdict) =>
        verdict switch
        {
            RestoreVerdict.Equal => "equal",
            RestoreVerdict.RowsEqual => "rows equal",
            RestoreVerdict.Failed => "FAILED",
            _ => "unknown",
        };
}

/// <summary>A <see cref="RestoreVerdict"/> in JSON.</summary>
public sealed class RestoreVerdictConverter() : WordConverter<RestoreVerdict>(RestoreVerdicts.Word, RestoreVerdict.Unknown);

/// <summary>Why a swap did not take place, and what there is to do.</summary>
public sealed record RestoreSwapFailure
{
    /// <summary><c>PGB-0078</c>.</summary>
    public required string Code { get; init; }

    /// <summary>What happened, and how it stands.</summary>
    public required string Message { get; init; }

    /// <summary>The statements that swap by hand; none when a copy is not good.</summary>
    public required IReadOnlyList<string> Finish { get; init; }

    /// <summary>The statements that drop the copies.</summary>
    public required IReadOnlyList<string> Drop { get; init; }
}

/// <summary>The record of a restore. What a target said stays out of it: errors of rows quote the rows.</summary>
internal static class RestoreRecord
{
    /// <summary>Where a restore goes to, for a record: no host name, and no name at all where records name nobody.</summary>
    public static string Into(Recorder recorder, RestoreTarget target) =>
        target.Engine is null ? "into a server"
        : recorder.NamesWho ? $"into {target.Engine}:{target.Container}"
        : "into a container";

    /// <summary>Before anything is read.</summary>
    public static Record Begin(Recorder recorder, RestoreRequest request, string store, RestoreTarget target) =>
        recorder.Begin(RecordKind.Restore, $"restore {Into(recorder, target)}") with
        {
            Snapshot = request.Snapshot.ToString(),
            Store = store,
        };

    /// <summary>After it.</summary>
    public static Record End(Record begun, RestoreReport report)
    {
        DatabaseRestoreReport[] failed = [.. report.Databases.Where(static d => d.Problems.Count > 0)];
        List<Finding> findings = [.. failed.Select(static d => Failure(d.Code, d.Database))];
        if (report.SwapFailed is { } swap)
        {
            findings.Add(Finding.Error(PgBackupException.CodeOf(swap.Code) ?? ErrorCode.SwapFailed, "", "the swap did not take place"));
        }

        string what = Words.Count(report.Databases.Count, "database") + (report.Plan.Globals ? " and the roles" : "");
        string verdict =
            failed.Length > 0 ? $"{failed.Length} FAILED"
            : report.SwapFailed is not null ? "equal, and NOT put into place"
            : "restored and equal";
        return begun with
        {
            Result =
                report.Succeeded ? RecordResult.Ok
                : failed.Length == report.Databases.Count || report.SwapFailed is not null ? RecordResult.Failed
                : RecordResult.Partial,
            Snapshot = report.Snapshot,
            Summary = $"{begun.Summary}: {what}, {verdict}",
            Findings = findings,
        };
    }

    /// <summary>A database that was not restored, or differs.</summary>
    public static Finding Failure(ErrorCode? code, string database) =>
        Finding.Error(code ?? ErrorCode.RestoreFailed, database, $"{database} was not restored, or differs from the snapshot");
}
