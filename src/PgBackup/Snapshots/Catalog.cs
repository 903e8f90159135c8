using System.Collections.Concurrent;
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

    // One byte more than a right one has.
    private const int LongestSum = 64 + 2 + 13 + 1 + 1;

    // Of a pin's note, what is shown.
    private const int LongestNote = 1000;

    /// <summary>The store.</summary>
    public IObjectStore Store => store;

    private readonly ConcurrentDictionary<SnapshotId, bool> told = [];

    /// <summary>Is told, a sentence each and each once, of snapshots that are passed over because they cannot be read.</summary>
    public Action<string> PassedOver { get; init; } = static _ => { };

    /// <summary>Tells which snapshots are from the future.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Everything in the store that is, or was to become, a snapshot, oldest first, from one listing; no manifest is opened.</summary>
    public async Task<IReadOnlyList<CatalogEntry>> ListAsync(CancellationToken cancel)
    {
        SortedDictionary<SnapshotId, Dictionary<string, long>> found = [];
        Dictionary<SnapshotId, DateTimeOffset> written = [];
        Dictionary<SnapshotId, string> unreadable = [];
        await foreach (StoredObject one in store.ListAsync("", cancel))
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
                    unreadable[id] = one.Unreadable
                        ?? "a link or a file stands where the snapshot's folder should: nothing is read or written through it; remove it";
                }

                objects[name] = one.Size;
                if (name != SnapshotLayout.InProgress && one.Modified > written.GetValueOrDefault(id))
                {
                    written[id] = one.Modified;
                }
            }
        }

        return [.. found.Select(pair => new CatalogEntry { Id = pair.Key, Objects = pair.Value, Written = written.GetValueOrDefault(pair.Key), Unreadable = unreadable.GetValueOrDefault(pair.Key) })];
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
        PgBackupException? passed = null;
        foreach (CatalogEntry entry in (await ListAsync(cancel)).Reverse().Where(static e => e.IsComplete || e.Unreadable is not null)
            .OrderBy(e => e.Id.Time > now ? 1 : 0))
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
                newest.Remedy);
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
            ? new PgBackupException(ErrorCode.ObjectUnreadable, $"{unreadable}.",
            "Look at the disk (`dmesg`), and at the owner and the mode of the folder.") : null;
        if (error is not null && told.TryAdd(entry.Id, true))
        {
            PassedOver($"the snapshot {entry.Id} in {store.Name} cannot be read, and is passed over: {error.CodeText}: {error.Message}");
        }

        return (manifest, error);
    }

    private async Task<(Manifest? Manifest, PgBackupException? Error)> TryAsync(CatalogEntry entry, Func<Task<Manifest>> read,
        CancellationToken cancel)
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

            return (null, new PgBackupException(
                ErrorCode.ObjectUnreadable,
                $"the manifest {SnapshotLayout.Key(entry.Id, SnapshotLayout.Manifest)} in the store {store.Name} ({store.Location}) cannot be read: {e.InnerException?.Message ?? e.Message}",
                "Look at the disk (`dmesg`), and at the owner and the mode of the file; `olympus-pgbackup check --repair` copies a good one of another store over it.",
                e));
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
            if ((await ReadOrPassAsync(entry, cancel)).Manifest is { } manifest)
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

    /// <summary>What <c>manifest.sha256</c> says, or null where there is none.</summary>
    internal async Task<byte[]?> ReadManifestSumAsync(CatalogEntry entry, CancellationToken cancel)
    {
        if (!entry.Objects.ContainsKey(SnapshotLayout.ManifestSum))
        {
            return null;
        }

        await using Stream stream = await store.OpenAsync(SnapshotLayout.Key(entry.Id, SnapshotLayout.ManifestSum), cancel);
        byte[] text = new byte[LongestSum];
        return text[..await stream.ReadAtLeastAsync(text, text.Length, throwOnEndOfStream: false, cancel)];
    }

    /// <summary>The manifest and its bytes, which are those that <c>manifest.sha256</c> names, where that is there.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ObjectDamaged"/> where they are others, and those of <see
    /// cref="ReadManifestAsync"/>.</exception>
    internal async Task<(byte[] Json, Manifest Manifest)> ReadSealedAsync(CatalogEntry entry, CancellationToken cancel)
    {
        byte[] json = await ReadManifestBytesAsync(entry, cancel);
        Manifest manifest = ParseManifest(entry.Id, json);
        return await ReadManifestSumAsync(entry, cancel) is not { } sum
            || sum.AsSpan().SequenceEqual(ManifestSum.Of(json)) ? (json, manifest) : throw new PgBackupException(
            ErrorCode.ObjectDamaged,
            $"the manifest {SnapshotLayout.Key(entry.Id, SnapshotLayout.Manifest)} in the store {store.Name} is not the one that {SnapshotLayout.ManifestSum} beside it names.",
            "`olympus-pgbackup check --read-data --repair` copies a good one of another store over it.");
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

    /// <summary>Why nothing is known of what is in it; null where that is known. It is kept, and nothing is copied into it.</summary>
    public string? Unreadable { get; init; }

    /// <summary>There is a manifest: the snapshot exists. Whether it can be read is another question.</summary>
    public bool HasManifest => Objects.ContainsKey(SnapshotLayout.Manifest);

    /// <summary>The snapshot exists and lacks nothing, by its names.</summary>
    public bool IsComplete => HasManifest && !Objects.ContainsKey(SnapshotLayout.Incomplete);

    /// <summary>It is kept until it is unpinned.</summary>
    public bool IsPinned => HasManifest && Objects.ContainsKey(SnapshotLayout.Pinned);

    /// <summary>A drill restored it and found it equal.</summary>
    public bool IsProven => IsComplete && Objects.ContainsKey(SnapshotLayout.Proven);

    /// <summary>A link, or a file, stands where its folder should.</summary>
    public bool IsNoFolder => Objects.ContainsKey("");

    /// <summary>The bytes of all its objects.</summary>
    public long Bytes => (long)Math.Min(Objects.Values.Sum(static size => (decimal)size), LargestSum);

    // A file with holes may claim any size; sums over all snapshots must not end because of it.
    private const decimal LargestSum = 1L << 50;

    /// <summary>The databases in it, by the names of its objects.</summary>
    public int Databases => Objects.Keys.Count(name => name.StartsWith($"{Id}-", StringComparison.Ordinal) && name.Contains(".dump", StringComparison.Ordinal));

    /// <summary>The rest of a run that was killed (or one that is under way): no snapshot, and never taken for one.</summary>
    public bool IsLeftover => !HasManifest && Unreadable is null && (Objects.Count == 0 || Objects.ContainsKey(SnapshotLayout.InProgress));
}
