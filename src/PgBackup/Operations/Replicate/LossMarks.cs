using System.Text;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Replicate;

/// <summary>
/// Copies the marks <c>LOSS</c> and <c>CONFIRMED</c> beside snapshots that two stores have, from the one that has a mark into the one that
/// lacks it: a store that was away when somebody confirmed gets it by the next run. Where a snapshot has <c>CONFIRMED</c>, the records of
/// confirmations are copied too. All of it is added, and never removed.
/// </summary>
internal sealed class LossMarks(TimeProvider clock, Progress progress)
{
    // A hundred lines, of which each may name a table, a person and a note.
    private const int LargestMark = 256 << 10;

    // Of a night; the rest comes in the next ones.
    private const int MostRecords = 100;
    private const int MostTried = 1000;

    private static readonly string[] Names = [SnapshotLayout.Loss, SnapshotLayout.Confirmed];

    /// <summary>Copies in both directions.</summary>
    /// <param name="one">A store, and what it lists.</param>
    /// <param name="other">The same of another.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">One of the two cannot be read or written; what was copied is right.</exception>
    public async Task LevelAsync(
        (BackupStore Store, IReadOnlyList<CatalogEntry> Entries) one,
        (BackupStore Store, IReadOnlyList<CatalogEntry> Entries) other,
        CancellationToken cancel
    )
    {
        await CopyAsync(one, other, cancel);
        await CopyAsync(other, one, cancel);
        if (one.Entries.Concat(other.Entries).Any(static e => e.HasConfirmedLoss))
        {
            await CopyRecordsAsync(one.Store.Store, other.Store.Store, cancel);
        }
    }

    // The marks follow from them: a store that lacks them cannot say who confirmed.
    private async Task CopyRecordsAsync(IObjectStore one, IObjectStore other, CancellationToken cancel)
    {
        IReadOnlyList<RecordName> here = await ConfirmationsAsync(one, cancel);
        IReadOnlyList<RecordName> there = await ConfirmationsAsync(other, cancel);
        await CopyRecordsAsync(one, other, [.. here.ExceptBy(there.Select(static n => n.Name), static n => n.Name)], cancel);
        await CopyRecordsAsync(other, one, [.. there.ExceptBy(here.Select(static n => n.Name), static n => n.Name)], cancel);
    }

    private async Task CopyRecordsAsync(IObjectStore from, IObjectStore to, RecordName[] lacking, CancellationToken cancel)
    {
        int copied = 0;
        foreach (RecordName name in lacking.OrderByDescending(static n => n.Time).Take(MostTried).TakeWhile(_ => copied < MostRecords))
        {
            // One that makes no sense confirms nothing, and stays where it is.
            if (await new RecordsFolder(from).CopyAsync(name, to, cancel))
            {
                copied++;
                progress.Done(to.Name, $"has the record {name.Name} of a confirmation now");
            }
        }
    }

    private static async Task<IReadOnlyList<RecordName>> ConfirmationsAsync(IObjectStore store, CancellationToken cancel) =>
        [.. (await new RecordsFolder(store).ListAsync(cancel)).Where(static n => n.Kind == RecordKind.Confirm)];

    private async Task CopyAsync(
        (BackupStore Store, IReadOnlyList<CatalogEntry> Entries) from,
        (BackupStore Store, IReadOnlyList<CatalogEntry> Entries) to,
        CancellationToken cancel
    )
    {
        Dictionary<SnapshotId, CatalogEntry> there = to.Entries.Where(static e => e.HasManifest).ToDictionary(static e => e.Id);
        foreach (CatalogEntry entry in from.Entries.Where(e => e.HasManifest && there.ContainsKey(e.Id)))
        {
            foreach (string name in Names.Where(n => entry.Objects.ContainsKey(n) && !there[entry.Id].Objects.ContainsKey(n)))
            {
                // Who reads LOSS must find it as long as the snapshot; CONFIRMED comes later, and may be lost without harm.
                DateTimeOffset? lockedUntil = name == SnapshotLayout.Loss ? to.Store.LockUntil(entry.Id, to.Entries) : null;
                await CopyAsync(from.Store.Store, to.Store.Store, entry.Id, name, lockedUntil, cancel);
            }
        }
    }

    private async Task CopyAsync(
        IObjectStore from,
        IObjectStore to,
        SnapshotId id,
        string name,
        DateTimeOffset? lockedUntil,
        CancellationToken cancel
    )
    {
        string key = SnapshotLayout.Key(id, name);
        byte[] text = await ReadAsync(from, key, cancel) ?? Encoding.UTF8.GetBytes($"its text could not be read in {from.Name}\n");
        using var content = new MemoryStream(text);
        await to.PutAsync(key, content, lockedUntil, cancel);
        // Whoever removes a snapshot removes its manifest first: if that is still there, the mark stays or goes with it.
        if ((await new Catalog(to, clock).ReadEntryAsync(id, cancel)).HasManifest)
        {
            progress.Done(to.Name, $"has the mark {name} of {id} now");
        }
        else
        {
            await to.DeleteAsync(key, cancel);
        }
    }

    // A mark counts by its name.
    private static async Task<byte[]?> ReadAsync(IObjectStore from, string key, CancellationToken cancel)
    {
        try
        {
            return await from.ReadBytesAsync(key, LargestMark, cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ObjectDamaged)
        {
            return null;
        }
    }
}
