using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Check;

/// <summary>
/// Whether what listings are read by, the names in a snapshot's folder, says what the manifest says. A mark that the manifest contradicts
/// hides a good snapshot from <c>latest</c> and from the retention rules, or passes off a bad one.
/// </summary>
internal sealed record MarksCheck
{
    /// <summary>What is wrong.</summary>
    public required IReadOnlyList<ObjectProblem> Problems { get; init; }

    /// <summary>What is odd, and no damage.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>Looks at the names; deeper than that also at the reason of a pin.</summary>
    public static async Task<MarksCheck> OfAsync(
        Catalog catalog,
        CatalogEntry entry,
        Manifest manifest,
        CheckDepth depth,
        CancellationToken cancel
    )
    {
        List<ObjectProblem> problems = [];
        bool marked = entry.Objects.ContainsKey(SnapshotLayout.Incomplete);
        if (!manifest.IsComplete && !marked)
        {
            problems.Add(
                new ObjectProblem
                {
                    Object = SnapshotLayout.Incomplete,
                    Problem = "it is missing, so that listings take an incomplete snapshot for a complete one",
                }
            );
        }
        else if (manifest.IsComplete && marked)
        {
            problems.Add(
                new ObjectProblem
                {
                    Object = SnapshotLayout.Incomplete,
                    Problem =
                        "the manifest is complete; this mark hides the snapshot from `latest`, and retention takes it for an "
                        + "incomplete one",
                }
            );
        }

        if (manifest.HasLoss && !entry.Objects.ContainsKey(SnapshotLayout.Loss))
        {
            problems.Add(
                new ObjectProblem
                {
                    Object = SnapshotLayout.Loss,
                    Problem = "it is missing, so that listings and retention do not see what the snapshot lost",
                }
            );
        }

        if (!manifest.IsComplete && entry.Objects.ContainsKey(SnapshotLayout.Proven))
        {
            problems.Add(
                new ObjectProblem
                {
                    Object = SnapshotLayout.Proven,
                    Problem = "no drill proves an incomplete snapshot; somebody else set this mark: remove it",
                }
            );
        }

        if (
            entry.Objects.ContainsKey(SnapshotLayout.Pinned)
            && depth != CheckDepth.Present
            && await PinProblemAsync(catalog, entry, cancel) is { } unreadable
        )
        {
            problems.Add(new ObjectProblem { Object = SnapshotLayout.Pinned, Problem = unreadable });
        }

        return new MarksCheck { Problems = problems, Findings = [.. Odd(entry, manifest)] };
    }

    private static IEnumerable<Finding> Odd(CatalogEntry entry, Manifest manifest)
    {
        string id = entry.Id.ToString();
        if (entry.Objects.ContainsKey(SnapshotLayout.InProgress))
        {
            yield return Finding.Note(
                ErrorCode.SnapshotNoted,
                id,
                $"{SnapshotLayout.InProgress} is beside the manifest: a run works there now or was killed, and the next run removes it"
            );
        }

        if (entry.Objects.ContainsKey(SnapshotLayout.Loss) && !manifest.HasLoss)
        {
            yield return Finding.Note(
                ErrorCode.SnapshotNoted,
                id,
                $"the mark {SnapshotLayout.Loss} is beside a manifest that has no such loss: somebody else set it"
            );
        }

        HashSet<string> known = [.. SnapshotLayout.Own, .. manifest.Parts.Select(static p => p.Object)];
        List<string> strangers = [.. entry.Objects.Keys.Where(n => !known.Contains(n)).Order(StringComparer.Ordinal)];
        if (strangers.Count > 0)
        {
            string more = strangers.Count > 5 ? $" and {strangers.Count - 5} more" : "";
            yield return Finding.Note(ErrorCode.SnapshotNoted, id, $"not of this snapshot: {string.Join(", ", strangers.Take(5))}{more}");
        }
    }

    private static async Task<string?> PinProblemAsync(Catalog catalog, CatalogEntry entry, CancellationToken cancel)
    {
        try
        {
            await catalog.ReadPinAsync(entry.Id, cancel);
            return null;
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable)
        {
            return $"why it is pinned cannot be read ({e.Message}); it is kept anyway. Remove the file, and pin it again";
        }
    }
}
