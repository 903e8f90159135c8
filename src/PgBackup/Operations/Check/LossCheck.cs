using PgBackup.Losses;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Check;

/// <summary>The losses of the snapshots that were checked which nobody has confirmed: a check says them again every time.</summary>
internal static class LossCheck
{
    /// <summary>A finding for each loss, of the newest snapshot that has it: to confirm it there settles it in the older ones.</summary>
    /// <param name="checks">The snapshots, oldest first, each in each store.</param>
    /// <param name="wanted">What was to be checked: of <c>latest</c>, the newest of all stores counts alone, for a store may be
    /// behind.</param>
    /// <param name="survey">Knows what was confirmed.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<IReadOnlyList<Finding>> OfAsync(
        IReadOnlyList<SnapshotCheck> checks,
        SnapshotRef? wanted,
        LossSurvey survey,
        CancellationToken cancel
    )
    {
        string? newest = checks.LastOrDefault(static c => c.IsComplete)?.Id;
        IEnumerable<IGrouping<string, SnapshotCheck>> snapshots = checks
            .Where(c => wanted is not { IsLatest: true } || newest is null || string.CompareOrdinal(c.Id, newest) >= 0)
            .GroupBy(static c => c.Id, StringComparer.Ordinal)
            .Reverse();
        Manifest? latest = checks.Where(c => c.Id == newest).Select(static c => c.Lossy).OfType<Manifest>().FirstOrDefault();
        bool IsMended(JudgedLoss loss) =>
            string.CompareOrdinal(loss.Snapshot, newest) < 0
            && latest?.Losses.Any(l => (l.Database, l.Table, l.Column) == (loss.Loss.Database, loss.Loss.Table, loss.Loss.Column)) != true;
        List<JudgedLoss> open = [];
        List<Finding> unexplained = [];
        IReadOnlyList<Finding> problems = [];
        foreach (IGrouping<string, SnapshotCheck> snapshot in snapshots)
        {
            if (snapshot.Select(static c => c.Lossy).OfType<Manifest>().FirstOrDefault() is { } manifest)
            {
                SurveyedLosses found = await survey.OfAsync(manifest, cancel);
                open.AddRange(found.All.Where(static l => !l.IsSettled));
                problems = found.Problems;
                if (found.Unconfirmed.Count > 0 && snapshot.Any(static c => c.IsMarkedConfirmed))
                {
                    unexplained.Add(Unexplained(manifest.Id));
                }
            }
        }

        return open.Count == 0
            ? []
            :
            [
                .. problems,
                .. unexplained,
                .. open.DistinctBy(Key).Select(l => IsMended(l) ? LossFindings.Mended(l.Finding, newest!) : l.Finding),
            ];
    }

    // A mark names nobody, and whoever can write to the store can write one.
    private static Finding Unexplained(string snapshot) =>
        Finding.Warning(
            ErrorCode.ConfirmationsUnreadable,
            snapshot,
            $"{snapshot} has the mark {SnapshotLayout.Confirmed}, and no record says who confirmed its losses",
            "the record was removed, or somebody else wrote the mark",
            $"Look at the losses: `olympus-pgbackup show {snapshot}`. If they are right, confirm them again"
        );

    private static (LossKind, string, string?, string?) Key(JudgedLoss loss) =>
        (loss.Loss.Kind, loss.Loss.Database, loss.Loss.Table, loss.Loss.Column);
}
