using PgBackup.Records;

namespace PgBackup.Operations.Check;

/// <summary>
/// The repair of all that a check found: damaged objects from good copies, canaries, and snapshots that a store lacks. A good copy may lie
/// in a store that was not checked.
/// </summary>
public sealed class StoresRepair(IReadOnlyList<BackupStore> stores, TimeProvider clock, Progress progress)
{
    /// <summary>Records it; null to leave no record.</summary>
    public Recorder? Recorder { get; init; }

    /// <summary>There is something to repair. Age and losses are nothing that a copy mends.</summary>
    public static bool IsNeeded(CheckReport report) =>
        report.Snapshots.Any(static s => s.Problems.Count > 0)
        || report.Gaps.Count > 0
        || report.OnlyInReplicas.Count > 0
        || report.StoreProblems.Count > 0;

    /// <summary>Repairs what can be repaired.</summary>
    /// <returns>The same report, with what was done.</returns>
    public Task<CheckReport> RunAsync(CheckReport report, CancellationToken cancel) =>
        Recorder.RecordAsync(static r => r.Begin(RecordKind.Repair, "repair"), () => RepairAsync(report, cancel), End, cancel);

    private async Task<CheckReport> RepairAsync(CheckReport report, CancellationToken cancel)
    {
        string holder = $"check --repair, process {Environment.ProcessId} on {Environment.MachineName}";
        var gaps = new GapRepair(stores, clock, progress);
        return report with
        {
            Snapshots = await new RepairOperation(stores, clock, progress).RunAsync(report.Snapshots, holder, cancel),
            Gaps = await gaps.RunAsync(report.Gaps, report.Snapshots, holder, cancel),
            StoreProblems = await new CanaryRepair(stores).RunAsync(report.StoreProblems, holder, cancel),
            OnlyInReplicas = await gaps.RunAsync(report.OnlyInReplicas, report.Snapshots, holder, cancel),
        };
    }

    private static Record End(Record begun, CheckReport report)
    {
        List<ObjectProblem> problems = [.. report.Snapshots.SelectMany(static s => s.Problems)];
        StoreGap[] gaps = [.. report.Gaps, .. report.OnlyInReplicas];
        List<Finding> left =
        [
            .. report.Snapshots.SelectMany(static s => s.Problems.Where(static p => !IsMended(p)).Select(p => Left(s, p))),
            .. report.StoreProblems.Where(static p => !IsMended(p)).Select(Left),
            .. gaps.Select(static g => g.Problem).OfType<Finding>(),
            .. gaps.SelectMany(static g => g.NotFilled),
        ];
        int mended = problems.Count(IsMended) + report.StoreProblems.Count(IsMended);
        int copied = gaps.Sum(static g => g.Filled.Count);
        return begun with
        {
            Result =
                left.Count == 0 ? RecordResult.Ok
                : mended + copied > 0 ? RecordResult.Partial
                : RecordResult.Failed,
            Summary =
                $"{Words.Count(mended, "object")} repaired, {Words.Count(copied, "snapshot")} copied into stores that lacked them"
                + (left.Count > 0 ? $", {left.Count} NOT repaired" : ""),
            Findings = left,
        };
    }

    private static bool IsMended(ObjectProblem problem) => problem.RepairedFrom is not null || problem.Mended is not null;

    private static bool IsMended(StoreProblem problem) =>
        problem.Mended is { } mended && !mended.StartsWith("NOT REPAIRED", StringComparison.Ordinal);

    private static Finding Left(SnapshotCheck snapshot, ObjectProblem problem) =>
        Finding.Error(
            ErrorCode.ObjectDamaged,
            $"{snapshot.Id}/{problem.Object}",
            $"{snapshot.Store}: {snapshot.Id}/{problem.Object}: {problem.Problem}"
        );

    private static Finding Left(StoreProblem problem) =>
        Finding.Error(ErrorCode.ObjectDamaged, problem.Object, $"{problem.Store}: {problem.Object}: {problem.Problem}");
}
