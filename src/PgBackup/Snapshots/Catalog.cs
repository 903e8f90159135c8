using PgBackup.Storage;

namespace PgBackup.Snapshots;

/// <summary>
/// The snapshots that a store holds; there is no other record of them to lose. A listing of names is enough to know which there are,
/// complete or not, pinned, proven, and how large; a manifest is opened only for what stands in it.
/// </summary>
public sealed class Catalog(IObjectStore store)
{
    // A hundred thousand tables come to some 20 MB.
    private const long LargestManifest = 256L << 20;

    // Hosts that share a store do not agree to the minute.
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(15);

    // Of a pin's note, what is shown.
    private const int LongestNote = 1000;

    /// <summary>The store.</summary>
    public IObjectStore Store => store;

    /// <summary>Tells which snapshots are from the future.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Everything in the store that is, or was to become, a snapshot, oldest first, from one listing; no manifest is opened.</summary>
    public async Task<IReadOnlyList<CatalogEntry>> ListAsync(CancellationToken cancel)
    {
        SortedDictionary<SnapshotId, Dictionary<string, long>> found = [];
        Dictionary<SnapshotId, DateTimeOffset> written = [];
        await foreach (StoredObject one in store.ListAsync("", cancel))
        {
            int slash = one.Key.IndexOf('/', StringComparison.Ordinal);
            if (slash > 0 && SnapshotId.TryParse(one.Key[..slash]) is { } id)
            {
                if (!found.TryGetValue(id, out Dictionary<string, long>? objects))
                {
                    found[id] = objects = new Dictionary<string, long>(StringComparer.Ordinal);
                }

                string name = one.Key[(slash + 1)..];
                objects[name] = one.Size;
                if (name != SnapshotLayout.InProgress && one.Modified > written.GetValueOrDefault(id))
                {
                    written[id] = one.Modified;
                }
            }
        }

        return [.. found.Select(pair => new CatalogEntry { Id = pair.Key, Objects = pair.Value, Written = written.GetValueOrDefault(pair.Key) })];
    }

    /// <summary>One snapshot by its id, or the newest complete one by the word <c>latest</c>.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.SnapshotMissing"/>, <see cref="ErrorCode.ManifestUnreadable"/> or <see cref="ErrorCode.ManifestTooNew"/>.
    /// </exception>
    public async Task<(SnapshotId Id, Manifest Manifest)> FindAsync(string idOrLatest, CancellationToken cancel)
    {
        if (idOrLatest == "latest")
        {
            return await LatestAsync(cancel);
        }

        if (SnapshotId.TryParse(idOrLatest) is not { } id)
        {
            throw new PgBackupException(
                ErrorCode.Usage, $"\"{idOrLatest}\" is no snapshot id.", "An id looks like 20260301T030000Z; `latest` is the newest complete one; `olympus-pgbackup list` shows them.");
        }

        CatalogEntry entry = await ReadEntryAsync(id, cancel);
        return entry.HasManifest
            ? (id, await ReadManifestAsync(entry, cancel))
            : throw new PgBackupException(
                ErrorCode.SnapshotMissing, $"the store {store.Name} ({store.Location}) has no snapshot {id}.", "`olympus-pgbackup list` shows those it has.");
    }

    /// <summary>
    /// The newest complete snapshot whose manifest can be read. One whose id is later than now was made under a wrong clock, and is
    /// taken only if there is no other: else it would be the latest for as long as the clock was ahead.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.SnapshotMissing"/>.</exception>
    public async Task<(SnapshotId Id, Manifest Manifest)> LatestAsync(CancellationToken cancel)
    {
        DateTimeOffset now = Clock.GetUtcNow() + ClockTolerance;
        foreach (CatalogEntry entry in (await ListAsync(cancel)).Reverse().Where(static e => e.IsComplete).OrderBy(e => e.Id.Time > now ? 1 : 0))
        {
            if ((await TryReadManifestAsync(entry, cancel)).Manifest is { IsComplete: true } manifest)
            {
                return (entry.Id, manifest);
            }
        }

        throw new PgBackupException(
            ErrorCode.SnapshotMissing,
            $"the store {store.Name} ({store.Location}) has no complete snapshot.",
            "Take one with `olympus-pgbackup backup`; `olympus-pgbackup list` shows incomplete ones, which can be named by their id, and what the other stores hold (--store NAME).");
    }

    /// <summary>The newest complete snapshot that is older than another, and whose manifest can be read; null when there is none.</summary>
    public async Task<(SnapshotId Id, Manifest Manifest)?> BeforeAsync(SnapshotId other, CancellationToken cancel) =>
        await BeforeAsync(other, await ListAsync(cancel), cancel);

    /// <summary>The same among those of a listing.</summary>
    internal async Task<(SnapshotId Id, Manifest Manifest)?> BeforeAsync(SnapshotId other, IReadOnlyList<CatalogEntry> entries, CancellationToken cancel)
    {
        foreach (CatalogEntry entry in entries.Reverse().Where(e => e.IsComplete && e.Id < other))
        {
            if ((await TryReadManifestAsync(entry, cancel)).Manifest is { IsComplete: true } manifest)
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
    public async Task<(Manifest? Manifest, PgBackupException? Error)> TryReadManifestAsync(CatalogEntry entry, CancellationToken cancel)
    {
        if (!entry.HasManifest)
        {
            return (null, null);
        }

        try
        {
            return (await ReadManifestAsync(entry, cancel), null);
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.ManifestUnreadable or ErrorCode.ManifestTooNew or ErrorCode.ObjectDamaged)
        {
            return (null, e);
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
    /// the snapshot is still whole, or the mark stands beside what is left, and <see cref="RemoveLeftoversAsync"/> goes on.
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
    public async Task<IReadOnlyList<SnapshotId>> RemoveLeftoversAsync(IEnumerable<CatalogEntry> entries, Func<CatalogEntry, bool> spare, CancellationToken cancel)
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
            if ((await TryReadManifestAsync(entry, cancel)).Manifest is { } manifest)
            {
                return manifest.Cluster == cluster
                    ? manifest
                    : throw new PgBackupException(
                        ErrorCode.StoreOfAnotherCluster,
                        $"the store {store.Name} ({store.Location}) holds snapshots of the cluster \"{manifest.Cluster}\", and this config is for \"{cluster}\".",
                        "Give each cluster a folder (or prefix) of its own, or correct cluster: in the config.");
            }
        }

        return null;
    }

    /// <summary>Why a snapshot is pinned, or null when it is not.</summary>
    public async Task<string?> ReadPinAsync(SnapshotId id, CancellationToken cancel)
    {
        string key = SnapshotLayout.Key(id, SnapshotLayout.Pinned);
        if (await store.FindAsync(key, cancel) is null)
        {
            return null;
        }

        await using Stream stream = await store.OpenAsync(key, cancel);
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
            throw new PgBackupException(ErrorCode.ManifestUnreadable, $"the manifest {key} is far too large.", "It is no manifest; copy the right one back.");
        }

        await using Stream stream = await store.OpenAsync(key, cancel);
        using var json = new MemoryStream();
        await stream.CopyToAsync(json, cancel);
        return json.ToArray();
    }

    /// <summary>Reads a manifest's bytes, which must be those of this snapshot.</summary>
    internal static Manifest ParseManifest(SnapshotId id, byte[] json)
    {
        string key = SnapshotLayout.Key(id, SnapshotLayout.Manifest);
        Manifest manifest = Manifest.Read(json, $"the manifest {key}");
        return manifest.Id == id.ToString()
            ? manifest
            : throw new PgBackupException(
                ErrorCode.ManifestUnreadable, $"the manifest {key} is that of another snapshot ({manifest.Id}).", "Copy the right one back from another store.");
    }
}

/// <summary>A folder of a store that is named like a snapshot.</summary>
public sealed record CatalogEntry
{
    /// <summary>The id.</summary>
    public required SnapshotId Id { get; init; }

    /// <summary>Its objects by name, with their sizes.</summary>
    public required IReadOnlyDictionary<string, long> Objects { get; init; }

    /// <summary>When the newest of them was written, by the store's clock, the mark of an unfinished run apart; the least time where that is not known.</summary>
    public DateTimeOffset Written { get; init; }

    /// <summary>There is a manifest: the snapshot exists. Whether it can be read is another question.</summary>
    public bool HasManifest => Objects.ContainsKey(SnapshotLayout.Manifest);

    /// <summary>The snapshot exists and lacks nothing, by its names.</summary>
    public bool IsComplete => HasManifest && !Objects.ContainsKey(SnapshotLayout.Incomplete);

    /// <summary>It is kept until it is unpinned.</summary>
    public bool IsPinned => HasManifest && Objects.ContainsKey(SnapshotLayout.Pinned);

    /// <summary>A drill restored it and found it equal.</summary>
    public bool IsProven => IsComplete && Objects.ContainsKey(SnapshotLayout.Proven);

    /// <summary>The bytes of all its objects.</summary>
    public long Bytes => Objects.Values.Sum();

    /// <summary>The databases in it, by the names of its objects.</summary>
    public int Databases => Objects.Keys.Count(name => name.StartsWith($"{Id}-", StringComparison.Ordinal) && name.Contains(".dump", StringComparison.Ordinal));

    /// <summary>The rest of a run that was killed (or one that is under way): no snapshot, and never taken for one.</summary>
    public bool IsLeftover => !HasManifest && (Objects.Count == 0 || Objects.ContainsKey(SnapshotLayout.InProgress));
}
