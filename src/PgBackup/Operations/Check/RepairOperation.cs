using System.Text;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Streams;

namespace PgBackup.Operations.Check;

/// <summary>
/// Copies good objects over damaged or missing ones of the same snapshot, from whichever other store has them. A part is compared with
/// the manifest while it is copied, so that a second damaged copy never replaces a first; and a manifest is put back last, when the parts
/// beside it are those that it names.
/// </summary>
public sealed class RepairOperation(IReadOnlyList<BackupStore> stores, TimeProvider clock, Progress progress)
{
    /// <summary>Mends what checks found. A store that cannot be mended now (another run works there) does not keep the others from
    /// it.</summary>
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
        BackupStore damaged,
        List<SnapshotCheck> checks,
        IReadOnlyList<SnapshotCheck> found,
        string holder,
        CancellationToken cancel
    )
    {
        if (checks.All(static c => c.Problems.Count == 0 || c.IsOfNewerVersion))
        {
            return checks;
        }

        int next = 0;
        try
        {
            await using IStoreLock held = await damaged.Store.LockAsync(holder, cancel);
            var catalog = new Catalog(damaged.Store, clock);
            IReadOnlyList<CatalogEntry> entries = await catalog.ListAsync(cancel);
            for (; next < checks.Count; next++)
            {
                SnapshotCheck check = checks[next];
                if (check.Problems.Count == 0 || check.IsOfNewerVersion)
                {
                    continue;
                }

                SnapshotId id = SnapshotId.TryParse(check.Id)!.Value;
                // Those whose copy was found bad in the same check need not be asked.
                List<IObjectStore> Good(string name) =>
                    [
                        .. stores
                            .Select(static s => s.Store)
                            .Where(s =>
                                s.Name != damaged.Store.Name
                                && !found.Any(f =>
                                    f.Store == s.Name
                                    && f.Id == check.Id
                                    && f.Problems.Any(p => p.Object == name || p.Object == SnapshotLayout.Manifest)
                                )
                            ),
                    ];
                var mend = new Mend(catalog, id, damaged.LockUntil(id, entries), held, Good, clock, progress);
                checks[next] = check with { Problems = await MendAsync(mend, check, damaged.Store.Name, cancel) };
            }
        }
        catch (PgBackupException e)
        {
            progress.Warn(damaged.Store.Name, $"not repaired ({e.CodeText}): {e.Message}", e.Code);
        }

        return checks;
    }

    // A folder that cannot be looked into keeps no other from being mended; a lock that is lost does.
    private async Task<IReadOnlyList<ObjectProblem>> MendAsync(Mend mend, SnapshotCheck check, string store, CancellationToken cancel)
    {
        try
        {
            return await mend.RunAsync(check.Problems, cancel);
        }
        catch (PgBackupException e)
            when (e.Code is ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable && !e.IsFull && !cancel.IsCancellationRequested)
        {
            progress.Warn(store, $"{check.Id} was not repaired ({e.CodeText}): {e.Message}", e.Code);
            return check.Problems;
        }
    }

    // One snapshot in one store.
    private sealed class Mend(
        Catalog catalog,
        SnapshotId id,
        DateTimeOffset? lockedUntil,
        IStoreLock held,
        Func<string, List<IObjectStore>> good,
        TimeProvider clock,
        Progress progress
    )
    {
        private readonly IObjectStore damaged = catalog.Store;

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
                if (problem.Object == SnapshotLayout.Manifest)
                {
                    problems.Add(problem with { RepairedFrom = await MendManifestAsync(cancel) });
                }
                else
                {
                    (string? from, string? alone) = await MendObjectAsync(problem.Object, cancel);
                    problems.Add(problem with { RepairedFrom = from, Mended = alone });
                }
            }

            return problems;
        }

        private async Task<(string? From, string? Alone)> MendObjectAsync(string name, CancellationToken cancel)
        {
            CatalogEntry entry = await catalog.ReadEntryAsync(id, cancel);
            if (!entry.HasManifest || name == SnapshotLayout.Proven)
            {
                return default;
            }

            byte[] json;
            Manifest manifest;
            try
            {
                json = await catalog.ReadManifestBytesAsync(entry, cancel);
                manifest = Catalog.ParseManifest(id, json);
            }
            catch (PgBackupException e) when (e.Code is ErrorCode.ManifestUnreadable or ErrorCode.ManifestTooNew or ErrorCode.ObjectDamaged)
            {
                return default;
            }

            if (name == SnapshotLayout.Incomplete && manifest.IsComplete)
            {
                // Only for a manifest that is known to be the one that was written.
                return await IsSealedAsync(entry, json, cancel) ? (null, await RemoveAsync(name, cancel)) : default;
            }

            string? from = await CopyAsync(
                manifest,
                name,
                cancel,
                name == SnapshotLayout.ManifestSum ? ManifestSum.Digest(ManifestSum.Of(json)) : null
            );
            return from is not null ? (from, null) : (null, await WriteAnewAsync(manifest, name, cancel));
        }

        private async Task<bool> IsSealedAsync(CatalogEntry entry, byte[] json, CancellationToken cancel)
        {
            try
            {
                return await catalog.ReadManifestSumAsync(entry, cancel) is { } sum && sum.AsSpan().SequenceEqual(ManifestSum.Of(json));
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.ObjectDamaged)
            {
                return false; // far too large
            }
        }

        private async Task<string?> MendManifestAsync(CancellationToken cancel)
        {
            foreach (IObjectStore from in good(SnapshotLayout.Manifest))
            {
                byte[] json;
                Manifest manifest;
                bool isSealed;
                try
                {
                    var source = new Catalog(from, clock);
                    CatalogEntry there = await source.ReadEntryAsync(id, cancel);
                    if (!there.HasManifest)
                    {
                        continue;
                    }

                    (json, manifest) = await source.ReadSealedAsync(there, cancel);
                    isSealed = there.Objects.ContainsKey(SnapshotLayout.ManifestSum);
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
                if (isSealed || entry.Objects.ContainsKey(SnapshotLayout.ManifestSum))
                {
                    await SealAsync(entry, json, cancel);
                }

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

            foreach (string name in SnapshotLayout.Texts)
            {
                if (
                    !entry.Objects.ContainsKey(name) || (manifest.DigestOf(name) is { } right && !await HasDigestAsync(name, right, cancel))
                )
                {
                    await CopyAsync(manifest, name, cancel);
                }
            }

            await MarkAsync(!manifest.IsComplete, SnapshotLayout.Incomplete, manifest.Gaps);
            await MarkAsync(manifest.HasLoss, SnapshotLayout.Loss, manifest.LossText);

            return whole;

            async Task MarkAsync(bool holds, string name, string text)
            {
                if (holds && !entry.Objects.ContainsKey(name) && await CopyAsync(manifest, name, cancel) is null)
                {
                    await PutAsync(name, Encoding.UTF8.GetBytes(text), cancel);
                }
            }
        }

        private async Task<string> RemoveAsync(string name, CancellationToken cancel)
        {
            held.RequireHeld();
            await damaged.DeleteAsync(SnapshotLayout.Key(id, name), cancel);
            progress.Done(damaged.Name, $"{id}/{name} was removed");
            return "removed";
        }

        // What follows from the manifest needs no other store.
        private async Task<string?> WriteAnewAsync(Manifest manifest, string name, CancellationToken cancel)
        {
            string? text = name switch
            {
                SnapshotLayout.Incomplete => manifest.Gaps,
                SnapshotLayout.Loss => manifest.LossText,
                SnapshotLayout.Sums => manifest.Sums,
                SnapshotLayout.Guide => RestoreGuide.Write(manifest),
                _ => null,
            };
            if (
                text is null
                || (
                    name is not (SnapshotLayout.Incomplete or SnapshotLayout.Loss)
                    && ManifestSum.Digest(Encoding.UTF8.GetBytes(text)) != manifest.DigestOf(name)
                )
            )
            {
                return null;
            }

            held.RequireHeld();
            await PutAsync(name, Encoding.UTF8.GetBytes(text), cancel);
            progress.Done(damaged.Name, $"{id}/{name} was rewritten from the manifest");
            return "rewritten from the manifest";
        }

        // Before the manifest, as in a run: where there was none, the snapshot exists when all of it does.
        private async Task SealAsync(CatalogEntry entry, byte[] json, CancellationToken cancel)
        {
            byte[] sum = ManifestSum.Of(json);
            if (
                !entry.Objects.ContainsKey(SnapshotLayout.ManifestSum)
                || !await HasDigestAsync(SnapshotLayout.ManifestSum, ManifestSum.Digest(sum), cancel)
            )
            {
                await PutAsync(SnapshotLayout.ManifestSum, sum, cancel);
            }
        }

        private async Task<bool> HasDigestAsync(string name, string right, CancellationToken cancel)
        {
            try
            {
                await using var content = new ExpectedStream(
                    await damaged.OpenAsync(SnapshotLayout.Key(id, name), cancel),
                    null,
                    right,
                    name
                );
                await content.CopyToAsync(Stream.Null, cancel);
                return true;
            }
            catch (PgBackupException e) when (e.Code is ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable)
            {
                return false;
            }
        }

        private async Task<string?> ReadAsync(StoredPart stored, CancellationToken cancel)
        {
            PartProgress display = progress.Add($"{damaged.Name} {id} {stored.Part.Name}", stored.Part.Size);
            display.State = PartState.Checking;
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
                display.State = PartState.Done;
            }
        }

        private async Task<string?> CopyAsync(Manifest manifest, string name, CancellationToken cancel, string? sha256 = null)
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
                await using Stream safe =
                    manifest.Parts.FirstOrDefault(p => p.Object == name) is { } part
                        ? new ExpectedStream(content, part.Size, part.Sha256, what)
                    : (sha256 ?? manifest.DigestOf(name)) is { } right ? new ExpectedStream(content, null, right, what)
                    : content;
                try
                {
                    await damaged.PutAsync(key, safe, lockedUntil, cancel);
                    return Log(name, from);
                }
                catch (PgBackupException e) when (e.Code is ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable && !e.IsFull)
                {
                    progress.Warn(damaged.Name, $"{key} could not be copied from {from.Name}: {e.Message}", e.Code);
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
            progress.Done(damaged.Name, $"{id}/{name} was copied again from {from.Name}");
            return from.Name;
        }
    }
}
