using PgBackup.Losses;
using PgBackup.Snapshots;

namespace PgBackup.App.Verbs.Look;

/// <summary>The losses of listed snapshots: by their manifests where those were read, and else by their names.</summary>
internal sealed class ListedLosses
{
    private readonly Dictionary<string, SurveyedLosses> read = new(StringComparer.Ordinal);

    private string? mendedBy;

    private ListedLosses() { }

    /// <summary>The losses of the newest snapshot that has one which nobody has confirmed; null where none has.</summary>
    public SurveyedLosses? Newest { get; private set; }

    /// <summary>What is to be said of it: what a newer complete snapshot has again is a note.</summary>
    public IReadOnlyList<Finding> Open =>
        Newest is null ? []
        : mendedBy is { } id ? [.. Newest.Open.Select(f => LossFindings.Mended(f, id))]
        : Newest.Open;

    /// <summary>Looks.</summary>
    /// <param name="survey">Knows what was confirmed.</param>
    /// <param name="catalog">The store's.</param>
    /// <param name="entries">What it lists, oldest first.</param>
    /// <param name="manifests">Those that were read, of the newest ones.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<ListedLosses> ReadAsync(
        LossSurvey survey,
        Catalog catalog,
        IReadOnlyList<CatalogEntry> entries,
        IReadOnlyDictionary<SnapshotId, Manifest> manifests,
        CancellationToken cancel
    )
    {
        var losses = new ListedLosses();
        foreach (CatalogEntry entry in entries.Reverse())
        {
            if (manifests.TryGetValue(entry.Id, out Manifest? manifest))
            {
                SurveyedLosses found = await survey.OfAsync(manifest, cancel);
                losses.read[manifest.Id] = found;
                losses.Newest ??= found.Unconfirmed.Count > 0 ? found : null;
            }
        }

        losses.Newest ??= await survey.NewestAsync(catalog, [.. entries.Where(e => !manifests.ContainsKey(e.Id))], cancel);
        CatalogEntry? complete = entries.LastOrDefault(static e => e.IsComplete);
        losses.mendedBy =
            losses.Newest is { } lost && complete is not null && !losses.IsRed(complete) && IsOlder(lost.Snapshot, complete)
                ? complete.Id.ToString()
                : null;
        return losses;
    }

    private static bool IsOlder(string snapshot, CatalogEntry than) => string.CompareOrdinal(snapshot, than.Id.ToString()) < 0;

    /// <summary>What is known of a snapshot's losses; null where its manifest was not read.</summary>
    public SurveyedLosses? Of(CatalogEntry entry) =>
        read.GetValueOrDefault(entry.Id.ToString()) ?? (Newest?.Snapshot == entry.Id.ToString() ? Newest : null);

    /// <summary>A snapshot has a loss that nobody has confirmed.</summary>
    public bool IsRed(CatalogEntry entry) => Of(entry) is { } known ? known.Unconfirmed.Count > 0 : entry.HasUnconfirmedLoss;
}
