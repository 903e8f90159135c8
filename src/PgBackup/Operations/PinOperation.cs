using System.Text;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations;

/// <summary>Keeps a snapshot in the stores that hold it until it is unpinned: a mark beside its manifest, which is never edited.</summary>
public sealed class PinOperation(IReadOnlyList<BackupStore> stores)
{
    /// <summary>Pins, or with a null note unpins. Stores that do not hold the snapshot are passed over.</summary>
    /// <returns>The stores in which the snapshot is pinned (or not pinned) now.</returns>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.SnapshotMissing"/> when no store has it; the error of a store that cannot be used.</exception>
    public async Task<IReadOnlyList<string>> RunAsync(string idOrLatest, string? note, CancellationToken cancel)
    {
        string id = idOrLatest == "latest" ? (await new Catalog(stores[0].Store).LatestAsync(cancel)).Id.ToString() : idOrLatest;
        List<string> done = [];
        PgBackupException? missing = null;
        foreach (IObjectStore store in stores.Select(static s => s.Store))
        {
            SnapshotId found;
            try
            {
                (found, _) = await new Catalog(store).FindAsync(id, cancel);
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.SnapshotMissing)
            {
                missing ??= e;
                continue;
            }

            string key = SnapshotLayout.Key(found, SnapshotLayout.Pinned);
            if (note is null)
            {
                await store.DeleteAsync(key, cancel);
            }
            else
            {
                using var content = new MemoryStream(Encoding.UTF8.GetBytes(note + "\n"));
                await store.PutAsync(key, content, cancel);
            }

            done.Add(store.Name);
        }

        return done.Count > 0 ? done : throw missing!;
    }
}
