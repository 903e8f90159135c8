using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Installations;
using PgBackup.Operations;
using PgBackup.Snapshots;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>list --all-stores</c>: which snapshot is where, by names alone.</summary>
internal static class ListAllStores
{
    private static readonly TimeSpan ListingTime = TimeSpan.FromSeconds(30);

    /// <summary>Lists; a store that cannot be read has a column of question marks, and makes the exit code 1.</summary>
    public static async Task<int> RunAsync(Installation installation, bool json, CancellationToken cancel)
    {
        IReadOnlyList<BackupStore> stores = installation.Stores();
        Listing[] listings = await Task.WhenAll(stores.Select(s => ReadAsync(installation, s, cancel)));
        DateTimeOffset now = installation.Clock.GetUtcNow();
        SnapshotId[] ids = [.. listings.SelectMany(static l => l.Entries.Keys).Distinct().Order()];
        List<PlacedRow> rows = [.. ids.Select(id => Row(id, listings, now))];
        if (json)
        {
            Terminal.Line(JsonSerializer.Serialize(rows, AppJson.Readable.ListPlacedRow));
        }
        else if (rows.Count == 0)
        {
            Terminal.Line("No store has a snapshot yet. `olympus-pgbackup` takes one.");
        }
        else
        {
            Terminal.Table(
                ["SNAPSHOT", "AGE", .. listings.Select(static l => l.Name)],
                [
                    .. rows.Select(r =>
                        (IReadOnlyList<string>)
                            [
                                r.Id,
                                Words.Age(TimeSpan.FromSeconds(r.AgeSeconds)),
                                .. listings.Select(l => r.Stores.GetValueOrDefault(l.Name, "-")),
                            ]
                    ),
                ],
                1
            );
        }

        if (!json)
        {
            FindingText.Line(
                listings
                    .Where(static l => l.Problem is null)
                    .SelectMany(l => Freshness.Of(l.Name, [.. l.Entries.Values], installation.Config.MaxAge, now))
            );
        }

        FindingText.Message(listings.Select(static l => l.Problem).OfType<Finding>());
        return listings.Any(static l => l.Problem is not null) ? 1 : 0;
    }

    private static PlacedRow Row(SnapshotId id, Listing[] listings, DateTimeOffset now) =>
        new()
        {
            Id = id.ToString(),
            AgeSeconds = Math.Round((now - id.Time).TotalSeconds),
            Stores = listings
                .Select(l =>
                    (
                        l.Name,
                        State: l.Problem is not null ? "?"
                        : l.Entries.TryGetValue(id, out CatalogEntry? e) ? State(e)
                        : null
                    )
                )
                .Where(static s => s.State is not null)
                .ToDictionary(static s => s.Name, static s => s.State!, StringComparer.Ordinal),
        };

    private static string State(CatalogEntry entry) =>
        entry.Unreadable is not null ? "unreadable"
        : entry.IsLeftover ? "unfinished"
        : !entry.HasManifest ? "no manifest"
        : (entry.IsComplete ? "complete" : "incomplete")
            + (entry.IsProven ? ", proven" : "")
            + (entry.IsPinned ? ", pinned" : "")
            + (entry.HasUnconfirmedLoss ? ", LOSS" : "");

    private static async Task<Listing> ReadAsync(Installation installation, BackupStore store, CancellationToken cancel)
    {
        try
        {
            IReadOnlyList<CatalogEntry> entries = await Patience.RequireAsync(
                $"the store {store.Store.Name}",
                c => installation.CatalogOf(store.Store).ListAsync(c),
                ListingTime,
                installation.Clock,
                cancel
            );
            return new Listing(store.Store.Name, entries.ToDictionary(static e => e.Id), null);
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
        {
            return new Listing(
                store.Store.Name,
                new Dictionary<SnapshotId, CatalogEntry>(),
                Finding.Of(Severity.Error, store.Store.Name, e)
            );
        }
    }

    private sealed record Listing(string Name, IReadOnlyDictionary<SnapshotId, CatalogEntry> Entries, Finding? Problem);
}
