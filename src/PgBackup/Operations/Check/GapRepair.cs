using PgBackup.Operations.Replicate;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Check;

/// <summary>
/// Copies whole snapshots into stores that lack them, from whichever other store has them: also into the first store, from which runs copy
/// and into which they never do. For a store that was emptied, or is new.
/// </summary>
public sealed class GapRepair(IReadOnlyList<BackupStore> stores, TimeProvider clock, Progress progress)
{
    /// <summary>Fills what a check found missing, the oldest first. A store that cannot be filled now does not keep the others from it.</summary>
    /// <param name="gaps">What is missing, in which store.</param>
    /// <param name="found">What the same check found: a copy that is damaged is not copied.</param>
    /// <param name="holder">For the stores' locks.</param>
    /// <param name="cancel">Gives up; what was not copied whole is gone on with by the next run or repair.</param>
    /// <returns>The same gaps, with what was copied and whence.</returns>
    public async Task<IReadOnlyList<StoreGap>> RunAsync(IReadOnlyList<StoreGap> gaps, IReadOnlyList<SnapshotCheck> found, string holder, CancellationToken cancel)
    {
        List<StoreGap> filled = [];
        foreach (StoreGap gap in gaps)
        {
            List<string> problems = [];
            filled.Add(gap.Missing.Count == 0 ? gap : gap with
            {
                Filled = await FillAsync(stores.First(s => s.Store.Name == gap.Store), gap, found, holder, problems, cancel),
                NotFilled = problems,
            });
        }

        return filled;
    }

    private async Task<IReadOnlyList<FilledGap>> FillAsync(BackupStore into, StoreGap gap, IReadOnlyList<SnapshotCheck> found, string holder, List<string> problems, CancellationToken cancel)
    {
        List<FilledGap> filled = [];
        try
        {
            await using IStoreLock held = await into.Store.LockAsync(holder, cancel);
            await into.Store.CheckWritableAsync(cancel);
            List<CatalogEntry> entries = [.. await new Catalog(into.Store).ListAsync(cancel)];
            foreach (SnapshotId id in gap.Missing.Select(static m => SnapshotId.TryParse(m)!.Value))
            {
                if (await CopyAsync(into, id, entries, found, held, problems, cancel) is var (from, entry))
                {
                    filled.Add(new FilledGap { Snapshot = id.ToString(), From = from });
                    entries.Add(entry); // those after it are not the first of its month any more
                    progress.Log($"{into.Store.Name}: has {id} now, from {from}");
                }
            }
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            problems.Add($"{e.CodeText}: {e.Message}");
            progress.Log($"{into.Store.Name}: not filled ({e.CodeText}): {e.Message}");
        }

        return filled;
    }

    private async Task<(string From, CatalogEntry Entry)?> CopyAsync(
        BackupStore into, SnapshotId id, IReadOnlyList<CatalogEntry> entries, IReadOnlyList<SnapshotCheck> found, IStoreLock held, List<string> problems, CancellationToken cancel)
    {
        List<IObjectStore> others = [.. stores.Select(static s => s.Store).Where(s => s.Name != into.Store.Name)];
        if (await ManifestWitness.DisagreementAsync(id, others, cancel) is { } disagreement)
        {
            problems.Add($"{id} is not copied: {disagreement}");
            progress.Log($"{into.Store.Name}: {id} is not copied: {disagreement}");
            return null;
        }

        bool tried = false;
        foreach (IObjectStore from in others.Where(s => !found.Any(f => f.Store == s.Name && f.Id == id.ToString() && f.Problems.Count > 0)))
        {
            try
            {
                CatalogEntry entry = await new Catalog(from).ReadEntryAsync(id, cancel);
                if (entry.HasManifest)
                {
                    await new SnapshotCopy(from, into.Store, clock, progress).RunAsync(id, into.LockUntil(id, entries), held, cancel);
                    return (from.Name, entry);
                }
            }
            catch (PgBackupException e) when (e.IsFull)
            {
                // So it is for every other snapshot: once is enough, and what was begun takes room.
                await RemoveBegunAsync(into.Store, id, held, cancel);
                throw;
            }
            catch (PgBackupException e) when (
                e.Code is ErrorCode.ObjectDamaged or ErrorCode.ManifestUnreadable or ErrorCode.ManifestTooNew or ErrorCode.StoreUnavailable
                && !e.IsFull)
            {
                tried = true;
                problems.Add($"{id} could not be copied from {from.Name}: {e.Message}");
                progress.Log($"{into.Store.Name}: {id} could not be copied from {from.Name}: {e.Message}");
            }
        }

        if (!tried)
        {
            problems.Add($"{id}: no store has a copy in which the check found nothing wrong");
        }

        await RemoveBegunAsync(into.Store, id, held, cancel);
        return null;
    }

    // Nobody will go on with it: runs copy from the first store, which may be this one.
    private static async Task RemoveBegunAsync(IObjectStore store, SnapshotId id, IStoreLock held, CancellationToken cancel)
    {
        var catalog = new Catalog(store);
        CatalogEntry begun = await catalog.ReadEntryAsync(id, cancel);
        if (begun.IsLeftover && begun.Objects.Count > 0)
        {
            held.RequireHeld();
            await catalog.RemoveAsync(begun, cancel);
        }
    }
}
