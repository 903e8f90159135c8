using System.Text;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Prune;

/// <summary>Keeps a snapshot in the stores that hold it until it is unpinned: a mark beside its manifest, which is never edited.</summary>
public sealed class PinOperation(IReadOnlyList<BackupStore> stores, TimeProvider clock)
{
    /// <summary>Records it; null to leave no record.</summary>
    public Recorder? Recorder { get; init; }

    /// <summary>
    /// Pins, or with a null note unpins, in every store that can be used. Stores that do not hold the snapshot are skipped. May be
    /// called again, with the same end.
    /// </summary>
    /// <returns>The snapshot, and the stores in which it is pinned (or not pinned) now.</returns>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.SnapshotMissing"/> when no store has it; the error of a store that cannot be used, once the others are done;
    /// <see cref="ErrorCode.AlreadyRunning"/> where it is being removed at this moment.
    /// </exception>
    public Task<PinReport> RunAsync(SnapshotRef wanted, string? note, CancellationToken cancel) =>
        Recorder.RecordAsync(
            r =>
                r.Begin(note is null ? RecordKind.Unpin : RecordKind.Pin, $"{(note is null ? "unpin" : "pin")} {wanted}") with
                {
                    Snapshot = wanted.ToString(),
                    Store = stores is [var only] ? only.Store.Name : null,
                    Note = note,
                },
            () => SetAsync(wanted, note, cancel),
            static (begun, report) =>
                begun with
                {
                    Result = RecordResult.Ok,
                    Snapshot = report.Id,
                    Summary = $"{report.Id} {(report.IsPinned ? "pinned" : "unpinned")} in {string.Join(", ", report.Stores)}",
                },
            cancel
        );

    private async Task<PinReport> SetAsync(SnapshotRef wanted, string? note, CancellationToken cancel)
    {
        // An id is looked for in every store below, and a word in the first one.
        SnapshotId id = wanted.Id ?? (await new Catalog(stores[0].Store, clock).FindAsync(wanted, cancel)).Id;
        List<string> done = [];
        PgBackupException? failed = null;
        foreach (IObjectStore store in stores.Select(static s => s.Store))
        {
            try
            {
                // By its names: one whose manifest cannot be read may be the one to keep.
                if (
                    (await new Catalog(store, clock).ReadEntryAsync(id, cancel)).HasManifest
                    && await (note is null ? UnpinAsync(store, id, cancel) : PinAsync(store, id, note, cancel))
                )
                {
                    done.Add(store.Name);
                }
            }
            catch (PgBackupException e)
            {
                failed ??= e;
            }
        }

        if (failed is not null)
        {
            throw done.Count == 0
                ? failed
                : new PgBackupException(
                    failed.Code,
                    $"{id} is {(note is null ? "unpinned" : "pinned")} in {string.Join(", ", done)} only: {failed.Message}",
                    failed.Remedy,
                    failed
                );
        }

        return done.Count > 0
            ? new PinReport
            {
                Id = id.ToString(),
                IsPinned = note is not null,
                Note = note,
                Stores = done,
            }
            : throw new PgBackupException(
                ErrorCode.SnapshotMissing,
                $"there is no snapshot {id} in {string.Join(", ", stores.Select(static s => $"{s.Store.Name} ({s.Store.Location})"))}.",
                "`olympus-pgbackup list` shows those there are."
            );
    }

    private static async Task<bool> UnpinAsync(IObjectStore store, SnapshotId id, CancellationToken cancel)
    {
        await store.DeleteAsync(SnapshotLayout.Key(id, SnapshotLayout.Pinned), cancel);
        return true;
    }

    // Without the store's lock, which a backup holds for hours. So what may have begun to remove it is looked for afterwards: see
    // Catalog.RemoveAsync, which looks for the pin after its mark.
    private async Task<bool> PinAsync(IObjectStore store, SnapshotId id, string note, CancellationToken cancel)
    {
        string key = SnapshotLayout.Key(id, SnapshotLayout.Pinned);
        using var content = new MemoryStream(Encoding.UTF8.GetBytes(note + "\n"));
        await store.PutAsync(key, content, cancel);
        var catalog = new Catalog(store, clock);
        CatalogEntry entry = await catalog.ReadEntryAsync(id, cancel);
        if (entry.HasManifest && entry.Objects.ContainsKey(SnapshotLayout.InProgress))
        {
            // Either a killed run left the mark, or somebody is at work.
            await using IStoreLock held = await store.LockAsync("pin", cancel);
            entry = await catalog.ReadEntryAsync(id, cancel);
        }

        if (!entry.HasManifest)
        {
            await store.DeleteAsync(key, cancel);
        }

        return entry.HasManifest;
    }
}

/// <summary>What was pinned or unpinned.</summary>
public sealed record PinReport
{
    /// <summary>The snapshot's id.</summary>
    public required string Id { get; init; }

    /// <summary>It is kept until it is unpinned.</summary>
    public required bool IsPinned { get; init; }

    /// <summary>Why it is pinned, or null.</summary>
    public string? Note { get; init; }

    /// <summary>The stores in which that holds now.</summary>
    public required IReadOnlyList<string> Stores { get; init; }
}
