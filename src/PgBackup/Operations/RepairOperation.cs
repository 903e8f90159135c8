using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations;

/// <summary>
/// Copies good objects over damaged or missing ones of the same snapshot, from whichever other store has them. A part is compared with
/// the manifest while it is copied, so that a second damaged copy never replaces a first.
/// </summary>
public sealed class RepairOperation(IReadOnlyList<BackupStore> stores, Progress progress)
{
    /// <summary>Mends what checks found.</summary>
    /// <returns>The same findings, with the store from which each object was copied where one had it.</returns>
    public async Task<IReadOnlyList<SnapshotCheck>> RunAsync(IReadOnlyList<SnapshotCheck> found, string holder, CancellationToken cancel)
    {
        List<SnapshotCheck> mended = [];
        foreach (IGrouping<string, SnapshotCheck> group in found.GroupBy(static f => f.Store, StringComparer.Ordinal))
        {
            BackupStore damaged = stores.First(s => s.Store.Name == group.Key);
            if (group.All(static c => c.Problems.Count == 0))
            {
                mended.AddRange(group);
                continue;
            }

            await using IStoreLock held = await damaged.Store.LockAsync(holder, cancel);
            foreach (SnapshotCheck check in group)
            {
                mended.Add(check.Problems.Count == 0 ? check : check with { Problems = await MendAsync(damaged, check, held, cancel) });
            }
        }

        return mended;
    }

    // The manifest first: what the parts should be stands in it.
    private async Task<IReadOnlyList<ObjectProblem>> MendAsync(BackupStore damaged, SnapshotCheck check, IStoreLock held, CancellationToken cancel)
    {
        SnapshotId id = SnapshotId.TryParse(check.Id)!.Value;
        List<ObjectProblem> problems = [];
        foreach (ObjectProblem problem in check.Problems.OrderBy(static p => p.Object == SnapshotLayout.Manifest ? 0 : 1))
        {
            string? from = null;
            foreach (BackupStore good in stores.Where(s => s.Store.Name != damaged.Store.Name))
            {
                held.RequireHeld();
                if (await TryCopyAsync(id, problem.Object, good.Store, damaged, cancel))
                {
                    from = good.Store.Name;
                    progress.Log($"{damaged.Store.Name}: {id}/{problem.Object} was copied again from {from}");
                    break;
                }
            }

            problems.Add(problem with { RepairedFrom = from });
        }

        return problems;
    }

    private static async Task<bool> TryCopyAsync(SnapshotId id, string name, IObjectStore good, BackupStore damaged, CancellationToken cancel)
    {
        string key = SnapshotLayout.Key(id, name);
        try
        {
            var source = new Catalog(good);
            CatalogEntry entry = await source.ReadEntryAsync(id, cancel);
            if (!entry.HasManifest || !entry.Objects.ContainsKey(name))
            {
                return false;
            }

            byte[] json = await source.ReadManifestBytesAsync(entry, cancel);
            Manifest manifest = Catalog.ParseManifest(id, json);
            DateTimeOffset? locked = damaged.LockUntil(id, []);
            if (name == SnapshotLayout.Manifest)
            {
                using var bytes = new MemoryStream(json);
                await damaged.Store.PutAsync(key, bytes, locked, cancel);
                return true;
            }

            Stream content = await good.OpenAsync(key, cancel);
            await using Stream safe = manifest.Parts.FirstOrDefault(p => p.Object == name) is { } part ? new ExpectedStream(content, part.Size, part.Sha256, $"{key} in the store {good.Name}") : content;
            await damaged.Store.PutAsync(key, safe, locked, cancel);
            return true;
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.ObjectDamaged or ErrorCode.ManifestUnreadable or ErrorCode.ManifestTooNew)
        {
            return false; // this copy is no better; perhaps the next store's is
        }
    }
}
