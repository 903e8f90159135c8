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
    /// <summary>Fills what a check found missing, the oldest first. A store that cannot be filled now does not keep the others from
    /// it.</summary>
    /// <param name="gaps">What is missing, in which store.</param>
    /// <param name="found">What the same check found: a copy that is damaged is not copied.</param>
    /// <param name="holder">For the stores' locks.</param>
    /// <param name="cancel">Gives up; the next run or repair resumes what was not copied whole.</param>
    /// <returns>The same gaps, with what was copied, and from where.</returns>
    public async Task<IReadOnlyList<StoreGap>> RunAsync(
        IReadOnlyList<StoreGap> gaps,
        IReadOnlyList<SnapshotCheck> found,
        string holder,
        CancellationToken cancel
    )
    {
        List<StoreGap> filled = [];
        foreach (StoreGap gap in gaps)
        {
            List<Finding> problems = [];
            filled.Add(
                gap.Missing.Count == 0
                    ? gap
                    : gap with
                    {
                        Filled = await FillAsync(stores.First(s => s.Store.Name == gap.Store), gap, found, holder, problems, cancel),
                        NotFilled = problems,
                    }
            );
        }

        return filled;
    }

    private async Task<IReadOnlyList<FilledGap>> FillAsync(
        BackupStore into,
        StoreGap gap,
        IReadOnlyList<SnapshotCheck> found,
        string holder,
        List<Finding> problems,
        CancellationToken cancel
    )
    {
        List<FilledGap> filled = [];
        try
        {
            await using IStoreLock held = await into.Store.LockAsync(holder, cancel);
            await into.Store.CheckWritableAsync(cancel);
            List<CatalogEntry> entries = [.. await new Catalog(into.Store, clock).ListAsync(cancel)];
            foreach (SnapshotId id in gap.Missing.Select(static m => SnapshotId.TryParse(m)!.Value))
            {
                if (await CopyAsync(into, id, entries, found, held, problems, cancel) is var (from, entry))
                {
                    filled.Add(new FilledGap { Snapshot = id.ToString(), From = from });
                    entries.Add(entry); // those after it are not the first of its month any more
                    progress.Done(into.Store.Name, $"has {id} now, from {from}");
                }
            }
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            problems.Add(Finding.Of(Severity.Error, into.Store.Name, e));
            progress.Warn(into.Store.Name, $"not filled ({e.CodeText}): {e.Message}", e.Code);
        }

        return filled;
    }

    private async Task<(string From, CatalogEntry Entry)?> CopyAsync(
        BackupStore into,
        SnapshotId id,
        IReadOnlyList<CatalogEntry> entries,
        IReadOnlyList<SnapshotCheck> found,
        IStoreLock held,
        List<Finding> problems,
        CancellationToken cancel
    )
    {
        List<IObjectStore> others = [.. stores.Select(static s => s.Store).Where(s => s.Name != into.Store.Name)];
        if (await ManifestWitness.DisagreementAsync(id, others, clock, cancel) is { } disagreement)
        {
            problems.Add(Finding.Error(ErrorCode.GapNotFilled, into.Store.Name, $"{id} is not copied", disagreement));
            progress.Warn(into.Store.Name, $"{id} is not copied: {disagreement}");
            return null;
        }

        bool tried = false;
        foreach (
            IObjectStore from in others.Where(s => !found.Any(f => f.Store == s.Name && f.Id == id.ToString() && f.Problems.Count > 0))
        )
        {
            try
            {
                CatalogEntry entry = await new Catalog(from, clock).ReadEntryAsync(id, cancel);
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
            catch (PgBackupException e)
                when (e.Code
                        is ErrorCode.ObjectDamaged
                            or ErrorCode.ManifestUnreadable
                            or ErrorCode.ManifestTooNew
                            or ErrorCode.StoreUnavailable
                    && !e.IsFull
                )
            {
                tried = true;
                string what = $"{id} could not be copied from {from.Name}";
                problems.Add(Finding.Of(Severity.Error, ErrorCode.GapNotFilled, into.Store.Name, what, e));
                progress.Warn(into.Store.Name, $"{what}: {e.Message}", e.Code);
            }
        }

        if (!tried)
        {
            const string What = "no store has a copy in which the check found nothing wrong";
            problems.Add(Finding.Error(ErrorCode.GapNotFilled, into.Store.Name, $"{id}: {What}"));
        }

        await RemoveBegunAsync(into.Store, id, held, cancel);
        return null;
    }

    // Nobody will continue it: runs copy from the first store, which may be this one.
    private async Task RemoveBegunAsync(IObjectStore store, SnapshotId id, IStoreLock held, CancellationToken cancel)
    {
        var catalog = new Catalog(store, clock);
        CatalogEntry begun = await catalog.ReadEntryAsync(id, cancel);
        if (begun.IsLeftover && begun.Objects.Count > 0)
        {
            held.RequireHeld();
            await catalog.RemoveAsync(begun, cancel);
        }
    }
}
