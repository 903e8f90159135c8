using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Check;

/// <summary>What is recorded of a check, and of the repair that it led to. Pure.</summary>
internal static class CheckRecord
{
    private const int MostNamed = 3;

    /// <summary>The record of a check that begins.</summary>
    public static Record Begin(Recorder recorder, IReadOnlyList<BackupStore> stores, SnapshotRef? wanted) =>
        recorder.Begin(RecordKind.Check, "check") with
        {
            Store = stores is [var only] && recorder.StoreCount > 1 ? only.Store.Name : null,
            Snapshot = wanted?.ToString(),
        };

    /// <summary>The record of one that ended.</summary>
    public static Record End(Record begun, CheckReport report, CheckDepth depth)
    {
        StoreGap[] gaps = [.. report.Gaps, .. report.OnlyInReplicas];
        Finding[] damage =
        [
            .. report.Snapshots.Where(static s => !s.IsOfNewerVersion).Select(Damage).OfType<Finding>(),
            .. report.StoreProblems.Where(static p => !IsMended(p)).Select(Damage),
        ];
        Finding[] left = [.. damage, .. gaps.Select(static g => g.Problem).OfType<Finding>(), .. gaps.SelectMany(static g => g.NotFilled)];
        int mended = report.Snapshots.SelectMany(static s => s.Problems).Count(IsMended) + report.StoreProblems.Count(IsMended);
        int copied = gaps.Sum(static g => g.Filled.Count);
        bool wasRepaired =
            mended + copied > 0
            || report.Snapshots.Any(static s => s.Problems.Any(static p => p.Mended is not null))
            || report.StoreProblems.Any(static p => p.Mended is not null)
            || gaps.Any(static g => g.NotFilled.Count > 0);
        // Of the newest, the name: which one that was, nobody knows later.
        string? snapshot = begun.Snapshot is null
            ? null
            : report.Snapshots.Select(static s => s.Id).Order(StringComparer.Ordinal).LastOrDefault();
        return begun with
        {
            Kind =
                wasRepaired ? RecordKind.Repair
                : damage.Length > 0 ? RecordKind.Damage
                : RecordKind.Check,
            Depth = depth,
            Snapshot = snapshot ?? begun.Snapshot,
            Result =
                wasRepaired ? Repaired(left.Length, mended + copied)
                : report.IsRight ? RecordResult.Ok
                : RecordResult.Failed,
            Summary = wasRepaired
                ? $"{Words.Count(mended, "object")} repaired, {Words.Count(copied, "snapshot")} copied into stores that lacked them"
                    + (left.Length > 0 ? $", {left.Length} NOT repaired" : "")
                : Looked(report, depth, damage.Length),
            Findings = [.. left, .. report.Findings],
        };
    }

    private static RecordResult Repaired(int left, int done) =>
        left == 0 ? RecordResult.Ok
        : done > 0 ? RecordResult.Partial
        : RecordResult.Failed;

    private static string Looked(CheckReport report, CheckDepth depth, int damaged)
    {
        int ids = report.Snapshots.DistinctBy(static s => s.Id, StringComparer.Ordinal).Count();
        string how = depth switch
        {
            CheckDepth.Decode => "read, decrypted and decoded",
            CheckDepth.ReadData => "every byte read",
            _ => "names and sizes",
        };
        string result =
            damaged > 0 ? $"{damaged} DAMAGED"
            : report.IsRight ? "all right"
            : "nothing damaged, but see its findings";
        return $"{Words.Count(ids, "snapshot")} checked ({how}): {result}";
    }

    private static bool IsMended(ObjectProblem problem) => problem.RepairedFrom is not null || problem.Mended is not null;

    private static bool IsMended(StoreProblem problem) =>
        problem.Mended is { } mended && !mended.StartsWith("NOT REPAIRED", StringComparison.Ordinal);

    private static Finding? Damage(SnapshotCheck check)
    {
        ObjectProblem[] left = [.. check.Problems.Where(static p => !IsMended(p))];
        return left.Length == 0
            ? null
            : Finding.Error(
                ErrorCode.ObjectDamaged,
                SubjectOf(check.Store, check.Id),
                $"{check.Id} in {check.Store} is damaged: "
                    + string.Join("; ", left.Take(MostNamed).Select(static p => $"{p.Object}: {p.Problem}"))
                    + (left.Length > MostNamed ? $" and {left.Length - MostNamed} more" : "")
            );
    }

    private static Finding Damage(StoreProblem problem) =>
        Finding.Error(ErrorCode.ObjectDamaged, problem.Store, $"{problem.Store}: {problem.Object}: {problem.Problem}");

    /// <summary>What a finding of damage is about: a store, or a snapshot in it.</summary>
    public static string SubjectOf(string store, string snapshot) => $"{store}/{snapshot}";
}
