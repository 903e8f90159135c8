using PgBackup.Storage;

namespace PgBackup.Snapshots;

/// <summary>The snapshots that a store holds, read from their manifests; there is no other record of them to lose.</summary>
public sealed class Catalog(IObjectStore store)
{
    // A hundred thousand tables come to some 20 MB.
    private const long LargestManifest = 256L << 20;

    /// <summary>The store.</summary>
    public IObjectStore Store => store;

    /// <summary>Everything in the store that is, or was to become, a snapshot, oldest first.</summary>
    public async Task<IReadOnlyList<CatalogEntry>> ReadAsync(CancellationToken cancel)
    {
        List<CatalogEntry> entries = [];
        foreach (SnapshotId id in await IdsAsync(cancel))
        {
            entries.Add(await ReadEntryAsync(id, cancel));
        }

        return entries;
    }

    /// <summary>The ids of all snapshot folders, with a manifest or without, oldest first.</summary>
    public async Task<IReadOnlyList<SnapshotId>> IdsAsync(CancellationToken cancel)
    {
        List<SnapshotId> ids = [];
        await foreach (string folder in store.ListFoldersAsync(cancel))
        {
            if (SnapshotId.TryParse(folder) is { } id)
            {
                ids.Add(id);
            }
        }

        ids.Sort();
        return ids;
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
        if (entry.Manifest is { } manifest)
        {
            return (id, manifest);
        }

        throw entry.Error ?? new PgBackupException(
            ErrorCode.SnapshotMissing, $"the store {store.Name} ({store.Location}) has no snapshot {id}.", "`olympus-pgbackup list` shows those it has.");
    }

    /// <summary>The newest complete snapshot whose manifest can be read.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.SnapshotMissing"/>.</exception>
    public async Task<(SnapshotId Id, Manifest Manifest)> LatestAsync(CancellationToken cancel)
    {
        foreach (SnapshotId id in (await IdsAsync(cancel)).Reverse())
        {
            if ((await ReadEntryAsync(id, cancel)).Manifest is { IsComplete: true } manifest)
            {
                return (id, manifest);
            }
        }

        throw new PgBackupException(
            ErrorCode.SnapshotMissing,
            $"the store {store.Name} ({store.Location}) has no complete snapshot.",
            "Take one with `olympus-pgbackup backup`; `olympus-pgbackup list` shows incomplete ones, which can be named by their id.");
    }

    /// <summary>What a folder holds.</summary>
    public async Task<CatalogEntry> ReadEntryAsync(SnapshotId id, CancellationToken cancel)
    {
        Dictionary<string, long> objects = new(StringComparer.Ordinal);
        await foreach (StoredObject found in store.ListAsync(id.ToString(), cancel))
        {
            objects[found.Key[(found.Key.IndexOf('/', StringComparison.Ordinal) + 1)..]] = found.Size;
        }

        var entry = new CatalogEntry { Id = id, Objects = objects };
        if (!objects.ContainsKey(SnapshotLayout.Manifest))
        {
            return entry;
        }

        string key = SnapshotLayout.Key(id, SnapshotLayout.Manifest);
        try
        {
            if (objects[SnapshotLayout.Manifest] > LargestManifest)
            {
                throw new PgBackupException(ErrorCode.ManifestUnreadable, $"the manifest {key} is far too large.", "It is no manifest; copy the right one back.");
            }

            await using Stream stream = await store.OpenAsync(key, cancel);
            using var json = new MemoryStream();
            await stream.CopyToAsync(json, cancel);
            Manifest manifest = Manifest.Read(json.ToArray(), $"the manifest {key}");
            return manifest.Id == id.ToString()
                ? entry with { Manifest = manifest }
                : entry with
                {
                    Error = new PgBackupException(
                        ErrorCode.ManifestUnreadable, $"the manifest {key} is that of another snapshot ({manifest.Id}).", "Copy the right one back from another store."),
                };
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.ManifestUnreadable or ErrorCode.ManifestTooNew or ErrorCode.ObjectDamaged)
        {
            return entry with { Error = e };
        }
    }
}

/// <summary>A folder of a store that is named like a snapshot.</summary>
public sealed record CatalogEntry
{
    /// <summary>The id.</summary>
    public required SnapshotId Id { get; init; }

    /// <summary>Its objects by name, with their sizes.</summary>
    public required IReadOnlyDictionary<string, long> Objects { get; init; }

    /// <summary>The manifest, or null when there is none or it cannot be read.</summary>
    public Manifest? Manifest { get; init; }

    /// <summary>Why the manifest cannot be read, or null.</summary>
    public PgBackupException? Error { get; init; }

    /// <summary>The rest of a run that was killed (or one that is under way): no snapshot, and never taken for one.</summary>
    public bool IsLeftover => Manifest is null && Error is null && (Objects.Count == 0 || Objects.ContainsKey(SnapshotLayout.InProgress));
}
