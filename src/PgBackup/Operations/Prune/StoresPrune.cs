using PgBackup.Records;

namespace PgBackup.Operations.Prune;

/// <summary>A removal by hand: each store by its rules. One that cannot be pruned does not keep the others from it.</summary>
public sealed class StoresPrune(IReadOnlyList<BackupStore> stores, TimeProvider clock, Progress progress)
{
    /// <summary>Records it; null to leave no record.</summary>
    public Recorder? Recorder { get; init; }

    /// <summary>Makes the plan of each store, and carries it out unless only the plans are wanted. A mere plan is not recorded.</summary>
    /// <param name="dryRun">Only the plans.</param>
    /// <param name="cancel">Stops between two removals.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public Task<StoresPruneReport> RunAsync(bool dryRun, CancellationToken cancel) =>
        (dryRun ? null : Recorder).RecordAsync(
            r => r.Begin(RecordKind.Prune, "prune") with { Store = stores is [var only] ? only.Store.Name : null },
            () => PruneAsync(dryRun, cancel),
            End,
            cancel
        );

    private async Task<StoresPruneReport> PruneAsync(bool dryRun, CancellationToken cancel)
    {
        List<PruneReport> reports = [];
        List<StorePruneError> errors = [];
        foreach (BackupStore store in stores)
        {
            try
            {
                reports.Add(await new PruneOperation(store, clock, progress).RunAsync(dryRun, unattended: false, cancel));
            }
            catch (PgBackupException e) when (!cancel.IsCancellationRequested)
            {
                errors.Add(new StorePruneError(store.Store.Name, e));
            }
        }

        return new StoresPruneReport { Reports = reports, Errors = errors };
    }

    private static Record End(Record begun, StoresPruneReport report)
    {
        IEnumerable<string> removed = report.Reports.Select(static r =>
            $"{r.Store}: removed {Words.Count(r.Removed.Count, "snapshot")} of {r.Plan.Decisions.Count}"
        );
        return begun with
        {
            Result =
                report.Reports.Count == 0 ? RecordResult.Failed
                : report.Succeeded ? RecordResult.Ok
                : RecordResult.Partial,
            Summary = string.Join("; ", [.. removed, .. report.Errors.Select(static e => $"{e.Store}: FAILED ({e.Error.CodeText})")]),
            Findings =
            [
                .. report.Errors.Select(static e => Finding.Of(Severity.Error, e.Store, e.Error)),
                .. report.Reports.SelectMany(static r => r.Findings),
            ],
        };
    }
}

/// <summary>What was, or is to be, removed from each store.</summary>
public sealed record StoresPruneReport
{
    /// <summary>Each store that was pruned.</summary>
    public required IReadOnlyList<PruneReport> Reports { get; init; }

    /// <summary>Each store that was not.</summary>
    public required IReadOnlyList<StorePruneError> Errors { get; init; }

    /// <summary>All that was to go from any store is gone.</summary>
    public bool Succeeded => Errors.Count == 0 && Reports.All(static r => r.Succeeded);
}

/// <summary>Why a store was not pruned.</summary>
/// <param name="Store">The store.</param>
/// <param name="Error">Why.</param>
public sealed record StorePruneError(string Store, PgBackupException Error);
