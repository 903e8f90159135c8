using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Replicate;

/// <summary>
/// A manifest is never edited, so it is the same wherever the snapshot lies. Before one is copied into yet another store, those that have
/// it are asked: an edited one is not to be spread.
/// </summary>
internal static class ManifestWitness
{
    /// <summary>How the stores disagree about a snapshot's manifest; null when all that have it and can be asked have the same.</summary>
    public static async Task<string?> DisagreementAsync(
        SnapshotId id,
        IEnumerable<IObjectStore> stores,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        (IObjectStore Store, byte[] Json)? first = null;
        foreach (IObjectStore store in stores)
        {
            if (await ReadAsync(id, new Catalog(store, clock), cancel) is not { } json)
            {
                continue;
            }

            if (first is { } known && !known.Json.AsSpan().SequenceEqual(json))
            {
                return $"its manifests in {known.Store.Name} and {store.Name} differ, and one of them was changed; `olympus-pgbackup "
                    + $"check {id} --identity FILE` shows which is right";
            }

            first ??= (store, json);
        }

        return null;
    }

    // A store that is down, or whose copy is unreadable or not the one that its digest names, says nothing; its own check does.
    private static async Task<byte[]?> ReadAsync(SnapshotId id, Catalog catalog, CancellationToken cancel)
    {
        try
        {
            CatalogEntry entry = await catalog.ReadEntryAsync(id, cancel);
            if (!entry.HasManifest)
            {
                return null;
            }

            return (await catalog.ReadSealedAsync(entry, cancel)).Json;
        }
        catch (PgBackupException) when (!cancel.IsCancellationRequested)
        {
            return null;
        }
    }
}
