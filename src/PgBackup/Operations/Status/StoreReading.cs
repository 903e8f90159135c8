using PgBackup.Operations.Keys;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Status;

/// <summary>What one listing of a store's names tells.</summary>
internal sealed record StoreReading
{
    /// <summary>The store.</summary>
    public required BackupStore Store { get; init; }

    /// <summary>Its name.</summary>
    public string Name => Store.Store.Name;

    /// <summary>Why it could not be read; null where it could.</summary>
    public Finding? Problem { get; init; }

    /// <summary>It could be read.</summary>
    public bool IsReadable => Problem is null;

    /// <summary>Its snapshots, and what is left of killed runs.</summary>
    public IReadOnlyList<CatalogEntry> Entries { get; init; } = [];

    /// <summary>What it knows of keys; null where it could not be read.</summary>
    public KeysListing? Keys { get; init; }

    /// <summary>The times of its drills, the newest first.</summary>
    public IReadOnlyList<SnapshotId> Drills { get; init; } = [];

    /// <summary>Its records, the newest first.</summary>
    public IReadOnlyList<RecordName> Records { get; init; } = [];

    /// <summary>It has a record of this name.</summary>
    public bool Has(RecordName record) => Records.Contains(record);

    /// <summary>Lists a store once. One that cannot be read, or does not answer in time, is a finding.</summary>
    /// <param name="store">The store.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<StoreReading> ReadAsync(BackupStore store, TimeSpan limit, TimeProvider clock, CancellationToken cancel)
    {
        try
        {
            List<StoredObject>? listing = await Patience.WithinAsync(
                async c => await store.Store.ListAsync("", c).ToListAsync(c),
                limit,
                clock,
                cancel
            );
            return listing is null ? Silent(store, limit) : Of(store, listing, clock.GetUtcNow());
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            return new StoreReading { Store = store, Problem = Finding.Of(Severity.Error, store.Store.Name, e) };
        }
    }

    private static StoreReading Silent(BackupStore store, TimeSpan limit) =>
        new()
        {
            Store = store,
            Problem = Finding.Error(
                ErrorCode.StoreSilent,
                store.Store.Name,
                $"{store.Store.Name} ({store.Store.Location}) did not answer within {limit.TotalSeconds:0} s: what it holds is not known",
                fix: $"Look at its disk or its network, then `olympus-pgbackup list --store {store.Store.Name}`"
            ),
        };

    private static StoreReading Of(BackupStore store, List<StoredObject> listing, DateTimeOffset now) =>
        new()
        {
            Store = store,
            Entries = Catalog.EntriesOf(listing),
            Keys = KeysFolder.ListingOf(listing, now),
            Drills = [.. listing.Select(static o => DrillOf(o.Key)).OfType<SnapshotId>().OrderDescending()],
            Records = RecordName.NewestFirst(listing.Select(static o => RecordName.TryParse(o.Key)).OfType<RecordName>()),
        };

    private static SnapshotId? DrillOf(string key) =>
        key.StartsWith(SnapshotLayout.Drills + "/", StringComparison.Ordinal) && key.EndsWith(".json", StringComparison.Ordinal)
            ? SnapshotId.TryParse(key[(SnapshotLayout.Drills.Length + 1)..^".json".Length])
            : null;
}
