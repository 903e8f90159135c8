namespace PgBackup.Operations.Check;

/// <summary>
/// The repair of all that a check found: damaged objects from good copies, canaries, and snapshots that a store lacks. A good copy may lie
/// in a store that was not checked.
/// </summary>
public sealed class StoresRepair(IReadOnlyList<BackupStore> stores, TimeProvider clock, Progress progress)
{
    /// <summary>There is something to repair. Age and losses are nothing that a copy mends.</summary>
    public static bool IsNeeded(CheckReport report) =>
        report.Snapshots.Any(static s => s.Problems.Count > 0)
        || report.Gaps.Count > 0
        || report.OnlyInReplicas.Count > 0
        || report.StoreProblems.Count > 0;

    /// <summary>Repairs what can be repaired.</summary>
    /// <returns>The same report, with what was done.</returns>
    public async Task<CheckReport> RunAsync(CheckReport report, CancellationToken cancel)
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
}
