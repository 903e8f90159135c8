using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations;

/// <summary>
/// Copies good objects over damaged or missing ones of the same snapshot, from whichever other store has them. A part is compared with
/// the manifest while it is copied, so that a second damaged copy never replaces a first; and a manifest is put back last, when the parts
/// beside it are those that it names.
/// </summary>
public sealed class RepairOperation(IReadOnlyList<BackupStore> stores, Progress progress)
{
    /// <summary>Mends what checks found. A store that cannot be mended now (another run works there) does not keep the others from it.</summary>
    /// <returns>The same findings, with the store from which each object was copied where one had it.</returns>
    public async Task<IReadOnlyList<SnapshotCheck>> RunAsync(IReadOnlyList<SnapshotCheck> found, string holder, CancellationToken cancel)
    {
        List<SnapshotCheck> mended = [];
        foreach (IGrouping<string, SnapshotCheck> group in found.GroupBy(static f => f.Store, StringComparer.Ordinal))
        {
            mended.AddRange(await MendStoreAsync(stores.First(s => s.Store.Name == group.Key), [.. group], found, holder, cancel));
        }

        return mended;
    }

    private async Task<List<SnapshotCheck>> MendStoreAsync(
        BackupStore damaged, List<SnapshotCheck> checks, IReadOnlyList<SnapshotCheck> found, string holder, CancellationToken cancel)
    {
        if (checks.All(static c => c.Problems.Count == 0))
        {
            return checks;
        }

        int next = 0;
        try
        {
            await using IStoreLock held = await damaged.Store.LockAsync(holder, cancel);
            var catalog = new Catalog(damaged.Store);
            IReadOnlyList<CatalogEntry> entries = await catalog.ListAsync(cancel);
            for (; next < checks.Count; next++)
            {
                SnapshotCheck check = checks[next];
                if (check.Problems.Count == 0)
                {
                    continue;
                }

                SnapshotId id = SnapshotId.TryParse(check.Id)!.Value;
                // Those whose copy was found bad in the same check need not be asked.
                List<IObjectStore> Good(string name) => [.. stores.Select(static s => s.Store).Where(s => s.Name != damaged.Store.Name &&
                    !found.Any(f => f.Store == s.Name && f.Id == check.Id && f.Problems.Any(p => p.Object == name || p.Object == SnapshotLayout.Manifest)))];
                var mend = new Mend(damaged.Store, catalog, id, damaged.LockUntil(id, entries), held, Good, progress);
                checks[next] = check with { Problems = await mend.RunAsync(check.Problems, cancel) };
            }
        }
        catch (PgBackupException e)
        {
            progress.Log($"{damaged.Store.Name}: not mended ({e.CodeText}): {e.Message}");
        }

        return checks;
    }

    // One snapshot in one store.
    private sealed class Mend(
        IObjectStore damaged, Catalog catalog, SnapshotId id, DateTimeOffset? lockedUntil, IStoreLock held, Func<string, List<IObjectStore>> good, Progress progress)
    {
        // The manifest first: what the parts should be stands in it.
        public async Task<IReadOnlyList<ObjectProblem>> RunAsync(IReadOnlyList<ObjectProblem> found, CancellationToken cancel)
        {
            if ((await catalog.ReadEntryAsync(id, cancel)).IsLeftover)
            {
                return found; // removed since it was checked
            }

            List<ObjectProblem> problems = [];
            foreach (ObjectProblem problem in found.OrderBy(static p => p.Object == SnapshotLayout.Manifest ? 0 : 1))
            {
                string? from = problem.Object == SnapshotLayout.Manifest ? await MendManifestAsync(cancel) : await MendObjectAsync(problem.Object, cancel);
                problems.Add(problem with { RepairedFrom = from });
            }

            return problems;
        }

        private async Task<string?> MendObjectAsync(string name, CancellationToken cancel)
        {
            CatalogEntry entry = await catalog.ReadEntryAsync(id, cancel);
            return (await catalog.TryReadManifestAsync(entry, cancel)).Manifest is { } manifest ? await CopyAsync(manifest, name, cancel) : null;
        }

        private async Task<string?> MendManifestAsync(CancellationToken cancel)
        {
            foreach (IObjectStore from in good(SnapshotLayout.Manifest))
            {
                byte[] json;
                Manifest manifest;
                try
                {
                    var source = new Catalog(from);
                    CatalogEntry there = await source.ReadEntryAsync(id, cancel);
                    if (!there.HasManifest)
                    {
                        continue;
                    }

                    json = await source.ReadManifestBytesAsync(there, cancel);
                    manifest = Catalog.ParseManifest(id, json);
                }
                catch (PgBackupException)
                {
                    continue; // perhaps the next store's is better
                }

                CatalogEntry entry = await catalog.ReadEntryAsync(id, cancel);
                bool whole = await MendPartsAsync(manifest, entry, cancel);
                if (!whole && !entry.HasManifest)
                {
                    return null; // it would make a snapshot of what is none
                }

                held.RequireHeld();
                await PutAsync(SnapshotLayout.Manifest, json, cancel);
                return Log(SnapshotLayout.Manifest, from);
            }

            return null;
        }

        // The check could not look at them without the manifest.
        private async Task<bool> MendPartsAsync(Manifest manifest, CatalogEntry entry, CancellationToken cancel)
        {
            bool whole = true;
            foreach (Part part in manifest.Parts)
            {
                var stored = new StoredPart(damaged, id, part);
                bool right = (stored.Compare(entry.Objects) ?? await ReadAsync(stored, cancel)) is null;
                whole &= right || await CopyAsync(manifest, part.Object, cancel) is not null;
            }

            foreach (string name in (string[])[SnapshotLayout.Sums, SnapshotLayout.Guide])
            {
                if (!entry.Objects.ContainsKey(name))
                {
                    await CopyAsync(manifest, name, cancel);
                }
            }

            if (!manifest.IsComplete && !entry.Objects.ContainsKey(SnapshotLayout.Incomplete) && await CopyAsync(manifest, SnapshotLayout.Incomplete, cancel) is null)
            {
                await PutAsync(SnapshotLayout.Incomplete, "incomplete, as its manifest says\n"u8.ToArray(), cancel);
            }

            return whole;
        }

        private async Task<string?> ReadAsync(StoredPart stored, CancellationToken cancel)
        {
            PartProgress display = progress.Add($"{damaged.Name} {id} {stored.Part.Database ?? stored.Part.Kind}", stored.Part.Size);
            display.State = "checking";
            try
            {
                return await stored.ReadThroughAsync(display, cancel);
            }
            catch (PgBackupException e)
            {
                return e.Message;
            }
            finally
            {
                display.State = "done";
            }
        }

        private async Task<string?> CopyAsync(Manifest manifest, string name, CancellationToken cancel)
        {
            string key = SnapshotLayout.Key(id, name);
            foreach (IObjectStore from in good(name))
            {
                held.RequireHeld();
                Stream content;
                try
                {
                    content = await from.OpenAsync(key, cancel);
                }
                catch (PgBackupException)
                {
                    continue; // not there, or the store is down
                }

                string what = $"{key} in the store {from.Name}";
                await using Stream safe = manifest.Parts.FirstOrDefault(p => p.Object == name) is { } part ? new ExpectedStream(content, part.Size, part.Sha256, what)
                    : name == SnapshotLayout.Sums ? CheckOperation.ExpectedSums(content, manifest, what)
                    : content;
                try
                {
                    await damaged.PutAsync(key, safe, lockedUntil, cancel);
                    return Log(name, from);
                }
                catch (PgBackupException e) when (e.Code is ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable)
                {
                    progress.Log($"{damaged.Name}: {key} could not be copied from {from.Name}: {e.Message}");
                }
            }

            return null;
        }

        private async Task PutAsync(string name, byte[] bytes, CancellationToken cancel)
        {
            using var content = new MemoryStream(bytes);
            await damaged.PutAsync(SnapshotLayout.Key(id, name), content, lockedUntil, cancel);
        }

        private string Log(string name, IObjectStore from)
        {
            progress.Log($"{damaged.Name}: {id}/{name} was copied again from {from.Name}");
            return from.Name;
        }
    }
}
