using System.Collections.Concurrent;
using PgBackup.Storage;

namespace PgBackup.Snapshots;

/// <summary>
/// The snapshots that a store holds; there is no other record of them to lose. A listing of names is enough to know which there are,
/// complete or not, pinned, proven, and how large; a manifest is opened only for what stands in it.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="clock">Tells which snapshots are of the future, and cannot be the latest.</param>
public sealed class Catalog(IObjectStore store, TimeProvider clock)
{
    // A hundred thousand tables are about 20 MB.
    private const int LargestManifest = 256 << 20;

    // A right one has 80 bytes.
    private const int LargestSum = 1000;

    // Of a pin's note, what is shown.
    private const int LongestNote = 1000;

    /// <summary>The store.</summary>
    public IObjectStore Store => store;

    private readonly ConcurrentDictionary<SnapshotId, bool> told = [];

    /// <summary>Called once, with a sentence, for each snapshot that is skipped because it cannot be read.</summary>
    public Action<Finding> PassedOver { get; init; } = static _ => { };

    /// <summary>Everything in the store that is, or was to become, a snapshot, oldest first, from one listing; no manifest is
    /// opened.</summary>
    public async Task<IReadOnlyList<CatalogEntry>> ListAsync(CancellationToken cancel) =>
        EntriesOf(await store.ListAsync("", cancel).ToListAsync(cancel));

    /// <summary>The same of a listing of the whole store that was made for several purposes.</summary>
    internal static IReadOnlyList<CatalogEntry> EntriesOf(IEnumerable<StoredObject> listing)
    {
        SortedDictionary<SnapshotId, Dictionary<string, long>> found = [];
        Dictionary<SnapshotId, DateTimeOffset> written = [];
        Dictionary<SnapshotId, string> unreadable = [];
        foreach (StoredObject one in listing)
        {
            // What has the name of a snapshot and is no folder (a link, a file) is an object without a name.
            int slash = one.Key.IndexOf('/', StringComparison.Ordinal) is var first and >= 0 ? first : one.Key.Length;
            if (SnapshotId.TryParse(one.Key[..slash]) is { } id)
            {
                if (!found.TryGetValue(id, out Dictionary<string, long>? objects))
                {
                    found[id] = objects = new Dictionary<string, long>(StringComparer.Ordinal);
                }

                string name = slash < one.Key.Length ? one.Key[(slash + 1)..] : "";
                if (name.Length == 0)
                {
                    unreadable[id] =
                        one.Unreadable
                        ?? "there is a link or a file in the place of the snapshot's folder: nothing is read or written through it; "
                            + "remove it";
                }

                objects[name] = one.Size;
                if (name != SnapshotLayout.InProgress && one.Modified > written.GetValueOrDefault(id))
                {
                    written[id] = one.Modified;
                }
            }
        }

        return
        [
            .. found.Select(pair => new CatalogEntry
            {
                Id = pair.Key,
                Objects = pair.Value,
                Written = written.GetValueOrDefault(pair.Key),
                Unreadable = unreadable.GetValueOrDefault(pair.Key),
            }),
        ];
    }

    /// <summary>One snapshot by its id, or the newest complete one by the word <c>latest</c>.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.Usage"/> for a word that only a comparison takes; <see cref="ErrorCode.SnapshotMissing"/>,
    /// <see cref="ErrorCode.ManifestUnreadable"/> or <see cref="ErrorCode.ManifestTooNew"/>.
    /// </exception>
    public async Task<(SnapshotId Id, Manifest Manifest)> FindAsync(SnapshotRef wanted, CancellationToken cancel)
    {
        if (wanted.IsLatest)
        {
            return await LatestAsync(cancel);
        }

        SnapshotId id = wanted.Id ?? throw SnapshotRef.NoSnapshot(wanted.ToString());
        CatalogEntry entry = await ReadEntryAsync(id, cancel);
        return entry.HasManifest
            ? (id, await ReadManifestAsync(entry, cancel))
            : throw new PgBackupException(
                ErrorCode.SnapshotMissing,
                $"the store {store.Name} ({store.Location}) has no snapshot {id}.",
                "`olympus-pgbackup list` shows those it has."
            );
    }

    /// <summary>
    /// The newest complete snapshot whose manifest can be read. One whose id is later than now was made under a wrong clock, and is
    /// taken only if there is no other: else it would be the latest for as long as the clock was ahead.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.SnapshotMissing"/>.</exception>
    public async Task<(SnapshotId Id, Manifest Manifest)> LatestAsync(CancellationToken cancel)
    {
        DateTimeOffset now = clock.GetUtcNow();
        PgBackupException? passed = null;
        foreach (
            CatalogEntry entry in (await ListAsync(cancel))
                .Reverse()
                .Where(static e => e.IsComplete || e.Unreadable is not null)
                .OrderBy(e => e.Id.IsAfter(now) ? 1 : 0)
        )
        {
            (Manifest? found, PgBackupException? error) = await ReadOrPassAsync(entry, cancel);
            passed ??= error;
            if (found is { IsComplete: true } manifest)
            {
                return (entry.Id, manifest);
            }
        }

        if (passed is { } newest)
        {
            throw new PgBackupException(
                newest.Code == ErrorCode.ManifestTooNew ? ErrorCode.ManifestTooNew : ErrorCode.SnapshotMissing,
                $"the store {store.Name} ({store.Location}) has no complete snapshot that can be read: {newest.Message}",
                newest.Remedy
            );
        }

        throw new PgBackupException(
            ErrorCode.SnapshotMissing,
            $"the store {store.Name} ({store.Location}) has no complete snapshot.",
            "Take one with `olympus-pgbackup backup`; `olympus-pgbackup list` shows incomplete ones, which can be named by their id, "
                + "and what the other stores hold (--store NAME)."
        );
    }

    /// <summary>The newest complete snapshot that is older than another, and whose manifest can be read; null when there is none.</summary>
    public async Task<(SnapshotId Id, Manifest Manifest)?> BeforeAsync(SnapshotId other, CancellationToken cancel) =>
        await BeforeAsync(other, await ListAsync(cancel), cancel);

    /// <summary>The same among those of a listing.</summary>
    internal async Task<(SnapshotId Id, Manifest Manifest)?> BeforeAsync(
        SnapshotId other,
        IReadOnlyList<CatalogEntry> entries,
        CancellationToken cancel
    )
    {
        foreach (CatalogEntry entry in entries.Reverse().Where(e => (e.IsComplete || e.Unreadable is not null) && e.Id < other))
        {
            if ((await ReadOrPassAsync(entry, cancel)).Manifest is { IsComplete: true } manifest)
            {
                return (entry.Id, manifest);
            }
        }

        return null;
    }

    /// <summary>What the folder of a snapshot holds.</summary>
    public async Task<CatalogEntry> ReadEntryAsync(SnapshotId id, CancellationToken cancel)
    {
        Dictionary<string, long> objects = new(StringComparer.Ordinal);
        await foreach (StoredObject found in store.ListAsync(id.ToString(), cancel))
        {
            objects[found.Key[(found.Key.IndexOf('/', StringComparison.Ordinal) + 1)..]] = found.Size;
        }

        return new CatalogEntry { Id = id, Objects = objects };
    }

    /// <summary>The manifest of a snapshot, or what is wrong with it; both null when it has none.</summary>
    public Task<(Manifest? Manifest, PgBackupException? Error)> TryReadManifestAsync(CatalogEntry entry, CancellationToken cancel) =>
        TryAsync(entry, () => ReadManifestAsync(entry, cancel), cancel);

    /// <summary>The same; a manifest that is not the one that <c>manifest.sha256</c> names is an error too.</summary>
    internal Task<(Manifest? Manifest, PgBackupException? Error)> TryReadSealedAsync(CatalogEntry entry, CancellationToken cancel) =>
        TryAsync(entry, async () => (await ReadSealedAsync(entry, cancel)).Manifest, cancel);

    private async Task<(Manifest? Manifest, PgBackupException? Error)> ReadOrPassAsync(CatalogEntry entry, CancellationToken cancel)
    {
        (Manifest? manifest, PgBackupException? error) = await TryReadManifestAsync(entry, cancel);
        error ??= entry.Unreadable is { } unreadable
            ? new PgBackupException(
                ErrorCode.ObjectUnreadable,
                $"{unreadable}.",
                "Look at the disk (`dmesg`), and at the owner and the mode of the folder."
            )
            : null;
        if (error is not null && told.TryAdd(entry.Id, true))
        {
            string what = $"the snapshot {entry.Id} in {store.Name} cannot be read, and is ignored";
            PassedOver(Finding.Warning(error.Code, entry.Id.ToString(), what, error.Message, error.Remedy));
        }

        return (manifest, error);
    }

    private async Task<(Manifest? Manifest, PgBackupException? Error)> TryAsync(
        CatalogEntry entry,
        Func<Task<Manifest>> read,
        CancellationToken cancel
    )
    {
        if (!entry.HasManifest)
        {
            return (null, null);
        }

        try
        {
            return (await read(), null);
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.ManifestUnreadable or ErrorCode.ManifestTooNew or ErrorCode.ObjectDamaged)
        {
            return (null, e);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.StoreUnavailable && !cancel.IsCancellationRequested)
        {
            // A bad sector under one file, or rights that it lacks, are one finding; a store that is gone is another matter.
            if (!await IsListedAsync(entry, cancel))
            {
                throw;
            }

            return (
                null,
                new PgBackupException(
                    ErrorCode.ObjectUnreadable,
                    $"the manifest {SnapshotLayout.Key(entry.Id, SnapshotLayout.Manifest)} in the store {store.Name} "
                        + $"({store.Location}) cannot be read: {e.InnerException?.Message ?? e.Message}",
                    "Look at the disk (`dmesg`), and at the owner and the mode of the file; `olympus-pgbackup check --repair` copies "
                        + "a good one of another store over it.",
                    e
                )
            );
        }
    }

    private async Task<bool> IsListedAsync(CatalogEntry entry, CancellationToken cancel)
    {
        try
        {
            return (await ReadEntryAsync(entry.Id, cancel)).HasManifest;
        }
        catch (PgBackupException) when (!cancel.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>The manifest of a snapshot that has one.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.ManifestUnreadable"/>, <see cref="ErrorCode.ManifestTooNew"/>, <see cref="ErrorCode.ObjectDamaged"/> or
    /// <see cref="ErrorCode.StoreUnavailable"/>.
    /// </exception>
    public async Task<Manifest> ReadManifestAsync(CatalogEntry entry, CancellationToken cancel) =>
        ParseManifest(entry.Id, await ReadManifestBytesAsync(entry, cancel));

    /// <summary>
    /// Removes a snapshot, or what is left of one: a mark first, then the manifest, the parts, and the mark last. Killed in between, either
    /// the snapshot is still whole, or the mark stands beside what is left, and <see cref="RemoveLeftoversAsync"/> continues.
    /// </summary>
    /// <returns>False where it stays, because somebody has pinned it since it was listed.</returns>
    public async Task<bool> RemoveAsync(CatalogEntry entry, CancellationToken cancel)
    {
        if (entry.HasManifest)
        {
            string key = SnapshotLayout.Key(entry.Id, SnapshotLayout.InProgress);
            using var mark = new MemoryStream("being removed\n"u8.ToArray());
            await store.PutAsync(key, mark, cancel);
            // Who pins looks for this mark after pinning, and here it is the other way round: one of the two sees the other.
            entry = await ReadEntryAsync(entry.Id, cancel);
            if (entry.IsPinned)
            {
                await store.DeleteAsync(key, cancel);
                return false;
            }

            await store.DeleteAsync(SnapshotLayout.Key(entry.Id, SnapshotLayout.Manifest), cancel);
        }

        foreach (string name in entry.Objects.Keys.Where(static n => n is not (SnapshotLayout.InProgress or SnapshotLayout.Manifest)))
        {
            await store.DeleteAsync(SnapshotLayout.Key(entry.Id, name), cancel);
        }

        await store.DeleteFolderAsync(entry.Id.ToString(), cancel);
        return true;
    }

    /// <summary>
    /// Removes what killed runs left. Only for who holds the store's lock: an unfinished folder then belongs to nobody. Where only the mark
    /// is left over, and the snapshot is whole, the mark goes.
    /// </summary>
    /// <param name="entries">What the store holds.</param>
    /// <param name="spare">Leftovers that somebody will finish.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The ids of what was removed.</returns>
    public async Task<IReadOnlyList<SnapshotId>> RemoveLeftoversAsync(
        IEnumerable<CatalogEntry> entries,
        Func<CatalogEntry, bool> spare,
        CancellationToken cancel
    )
    {
        List<SnapshotId> removed = [];
        foreach (CatalogEntry entry in entries.Where(static e => e.Objects.ContainsKey(SnapshotLayout.InProgress)))
        {
            if (!entry.IsLeftover)
            {
                // Killed between the manifest and the mark, in writing or in removing.
                await store.DeleteAsync(SnapshotLayout.Key(entry.Id, SnapshotLayout.InProgress), cancel);
            }
            else if (!spare(entry))
            {
                await RemoveAsync(entry, cancel);
                removed.Add(entry.Id);
            }
        }

        return removed;
    }

    /// <summary>Refuses a store that holds another cluster's snapshots.</summary>
    /// <returns>The newest manifest that can be read, or null.</returns>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.StoreOfAnotherCluster"/>.</exception>
    public async Task<Manifest?> RequireClusterAsync(string cluster, IReadOnlyList<CatalogEntry> entries, CancellationToken cancel)
    {
        foreach (CatalogEntry entry in entries.Reverse())
        {
            if ((await ReadOrPassAsync(entry, cancel)).Manifest is { } manifest)
            {
                return manifest.Cluster == cluster
                    ? manifest
                    : throw new PgBackupException(
                        ErrorCode.StoreOfAnotherCluster,
                        $"the store {store.Name} ({store.Location}) holds snapshots of the cluster \"{manifest.Cluster}\", and this "
                            + $"config is for \"{cluster}\".",
                        "Give each cluster a folder (or prefix) of its own, or correct cluster: in the config."
                    );
            }
        }

        return null;
    }

    /// <summary>Why a snapshot is pinned, or null when it is not.</summary>
    public async Task<string?> ReadPinAsync(SnapshotId id, CancellationToken cancel)
    {
        await using Stream? stream = await store.TryOpenAsync(SnapshotLayout.Key(id, SnapshotLayout.Pinned), cancel);
        if (stream is null)
        {
            return null;
        }

        using var text = new StreamReader(stream);
        char[] note = new char[LongestNote];
        return new string(note, 0, await text.ReadBlockAsync(note, cancel)).Trim();
    }

    /// <summary>The manifest's bytes, as stored.</summary>
    internal async Task<byte[]> ReadManifestBytesAsync(CatalogEntry entry, CancellationToken cancel)
    {
        string key = SnapshotLayout.Key(entry.Id, SnapshotLayout.Manifest);
        if (entry.Objects.GetValueOrDefault(SnapshotLayout.Manifest) > LargestManifest)
        {
            throw new PgBackupException(
                ErrorCode.ManifestUnreadable,
                $"the manifest {key} is far too large.",
                "It is not a manifest; copy the right one back."
            );
        }

        return await store.ReadBytesAsync(key, LargestManifest, cancel);
    }

    /// <summary>What <c>manifest.sha256</c> says, or null where there is none.</summary>
    internal async Task<byte[]?> ReadManifestSumAsync(CatalogEntry entry, CancellationToken cancel) =>
        entry.Objects.ContainsKey(SnapshotLayout.ManifestSum)
            ? await store.ReadBytesAsync(SnapshotLayout.Key(entry.Id, SnapshotLayout.ManifestSum), LargestSum, cancel)
            : null;

    /// <summary>The manifest and its bytes, which are those that <c>manifest.sha256</c> names, where that is there.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ObjectDamaged"/> where they are others, and those of <see
    /// cref="ReadManifestAsync"/>.</exception>
    internal async Task<(byte[] Json, Manifest Manifest)> ReadSealedAsync(CatalogEntry entry, CancellationToken cancel)
    {
        byte[] json = await ReadManifestBytesAsync(entry, cancel);
        Manifest manifest = ParseManifest(entry.Id, json);
        return await ReadManifestSumAsync(entry, cancel) is not { } sum || sum.AsSpan().SequenceEqual(ManifestSum.Of(json))
            ? (json, manifest)
            : throw new PgBackupException(
                ErrorCode.ObjectDamaged,
                $"the manifest {SnapshotLayout.Key(entry.Id, SnapshotLayout.Manifest)} in the store {store.Name} is not the one that "
                    + $"{SnapshotLayout.ManifestSum} beside it names.",
                "`olympus-pgbackup check --read-data --repair` copies a good one of another store over it."
            );
    }

    /// <summary>Reads a manifest's bytes, which must be those of this snapshot.</summary>
    internal static Manifest ParseManifest(SnapshotId id, byte[] json)
    {
        string key = SnapshotLayout.Key(id, SnapshotLayout.Manifest);
        Manifest manifest = Manifest.Read(json, $"the manifest {key}");
        return manifest.Id == id.ToString()
            ? manifest
            : throw new PgBackupException(
                ErrorCode.ManifestUnreadable,
                $"the manifest {key} is that of another snapshot ({manifest.Id}).",
                "Copy the right one back from another store."
            );
    }
}
