using System.Threading.Channels;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations;

/// <summary>
/// A store that is kept level with the primary during one run. Parts are copied as soon as the primary has them, while others are still
/// being dumped; in the end the snapshot is finished, and what the store lacked before is caught up, the oldest gap first. What its own
/// rules would remove is not copied, so that nothing comes back that retention took away. Nothing that happens here stops the run.
/// </summary>
public sealed class Replica : IAsyncDisposable
{
    private readonly BackupStore primary;
    private readonly BackupStore replica;
    private readonly string cluster;
    private readonly TimeProvider clock;
    private readonly Progress progress;
    private readonly SnapshotCopy copy;
    private readonly Catalog catalog;
    private readonly Channel<(SnapshotId Id, Part Part)> ahead = Channel.CreateUnbounded<(SnapshotId, Part)>();
    private readonly CancellationTokenSource stop;
    private readonly Task copying;
    private IStoreLock? held;
    private IReadOnlyList<CatalogEntry> entries = [];
    private PgBackupException? error;

    private Replica(BackupStore primary, BackupStore replica, string cluster, string holder, TimeProvider clock, Progress progress, CancellationToken cancel)
    {
        this.primary = primary;
        this.replica = replica;
        this.cluster = cluster;
        this.clock = clock;
        this.progress = progress;
        copy = new SnapshotCopy(primary.Store, replica.Store, clock, progress);
        catalog = new Catalog(replica.Store);
        stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        copying = Task.Run(() => WorkAsync(holder), CancellationToken.None);
    }

    /// <summary>Begins: takes the store's lock in the background, and waits for parts.</summary>
    public static Replica Start(BackupStore primary, BackupStore replica, string cluster, string holder, TimeProvider clock, Progress progress, CancellationToken cancel) =>
        new(primary, replica, cluster, holder, clock, progress, cancel);

    /// <summary>Tells it of a part that the primary has now.</summary>
    public void Offer(SnapshotId id, Part part) => ahead.Writer.TryWrite((id, part));

    /// <summary>Copies the snapshot of this run to its end, and whatever else the store lacks.</summary>
    /// <param name="newest">The snapshot of this run, or null when there is none.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<ReplicaReport> CatchUpAsync(SnapshotId? newest, CancellationToken cancel)
    {
        ahead.Writer.TryComplete();
        await copying;
        List<string> copied = [];
        List<CatalogEntry> gaps = [];
        if (error is null && held is not null)
        {
            try
            {
                gaps = await GapsAsync(newest, cancel);
                foreach (CatalogEntry gap in gaps.ToList())
                {
                    if (await CopyAsync(gap, held, cancel))
                    {
                        gaps.Remove(gap);
                        copied.Add(gap.Id.ToString());
                        progress.Log($"{replica.Store.Name}: has {gap.Id} now");
                    }
                }
            }
            catch (PgBackupException e)
            {
                error = e;
            }
        }

        if (error is not null)
        {
            progress.Log($"{replica.Store.Name}: FAILED ({error.CodeText}), see below");
        }

        return new ReplicaReport
        {
            Store = replica.Store.Name,
            Location = replica.Store.Location,
            Copied = copied,
            // Not known where the store could not even be listed: then all that tonight's run made.
            Lacks = error is not null && gaps.Count == 0 && newest is { } id && !copied.Contains(id.ToString()) ? [id.ToString()] : [.. gaps.Select(static g => g.Id.ToString())],
            Code = error?.CodeText,
            Problem = error is null ? null : error.Remedy is { } remedy ? $"{error.Message}\n  what to do: {remedy}" : error.Message,
            Note = held?.Note,
        };
    }

    /// <summary>Ends it: nothing more is copied, what has no snapshot in the primary is removed, and the lock is given back.</summary>
    public async ValueTask DisposeAsync()
    {
        ahead.Writer.TryComplete();
        if (!copying.IsCompleted)
        {
            await stop.CancelAsync();
        }

        await copying;
        if (held is not null)
        {
            await held.DisposeAsync();
        }

        stop.Dispose();
    }

    // One that is damaged in the primary is no reason to go without the others.
    private async Task<bool> CopyAsync(CatalogEntry gap, IStoreLock holding, CancellationToken cancel)
    {
        try
        {
            await copy.RunAsync(gap, replica.LockUntil(gap.Id, entries), holding, cancel);
            return true;
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.ObjectDamaged or ErrorCode.ManifestUnreadable or ErrorCode.ManifestTooNew)
        {
            error ??= e;
            return false;
        }
    }

    private async Task WorkAsync(string holder)
    {
        bool ready = false;
        try
        {
            held = await replica.Store.LockAsync(holder, stop.Token);
            await replica.Store.CheckWritableAsync(stop.Token);
            entries = await catalog.ListAsync(stop.Token);
            await catalog.RequireClusterAsync(cluster, entries, stop.Token);
            ready = true;
            await foreach ((SnapshotId id, Part part) in ahead.Reader.ReadAllAsync(stop.Token))
            {
                await copy.RunAheadAsync(id, part, replica.LockUntil(id, entries), stop.Token);
            }
        }
        catch (PgBackupException e) when (e.IsTransient && ready)
        {
            // Tried once more at the end, as a gap.
            progress.Log($"{replica.Store.Name}: {e.Message}");
        }
        catch (PgBackupException e)
        {
            error = e;
        }
        catch (OperationCanceledException)
        {
            // the run was ended
        }
    }

    // Tonight's first, of which nearly everything is there; then the oldest.
    private async Task<List<CatalogEntry>> GapsAsync(SnapshotId? newest, CancellationToken cancel)
    {
        IReadOnlyList<CatalogEntry> there = await new Catalog(primary.Store).ListAsync(cancel);
        entries = await catalog.ListAsync(cancel);
        HashSet<SnapshotId> inPrimary = [.. there.Where(static e => e.HasManifest).Select(static e => e.Id)];
        foreach (SnapshotId left in await catalog.RemoveLeftoversAsync(entries, inPrimary.Contains, cancel))
        {
            progress.Log($"{replica.Store.Name}: removed what a killed run left of {left}");
        }

        Dictionary<SnapshotId, RetainedSnapshot> union = BackupStore.Facts(there).ToDictionary(static f => f.Id);
        foreach (RetainedSnapshot fact in BackupStore.Facts(entries))
        {
            union[fact.Id] = union.TryGetValue(fact.Id, out RetainedSnapshot? other) ? fact with { IsPinned = fact.IsPinned || other.IsPinned } : fact;
        }

        HashSet<SnapshotId> wanted = [.. RetentionPolicy.Plan(replica.Keep, union.Values, clock.GetUtcNow()).Kept.Select(static d => d.Snapshot.Id)];
        HashSet<SnapshotId> inReplica = [.. entries.Where(static e => e.HasManifest).Select(static e => e.Id)];
        return [.. there.Where(e => e.HasManifest && wanted.Contains(e.Id) && !inReplica.Contains(e.Id)).OrderBy(e => e.Id == newest ? 0 : 1).ThenBy(static e => e.Id)];
    }
}

/// <summary>What became of a replica in a run.</summary>
public sealed record ReplicaReport
{
    /// <summary>The store.</summary>
    public required string Store { get; init; }

    /// <summary>Where it is.</summary>
    public required string Location { get; init; }

    /// <summary>The snapshots that it got, whole.</summary>
    public required IReadOnlyList<string> Copied { get; init; }

    /// <summary>The snapshots that it should have, and lacks.</summary>
    public required IReadOnlyList<string> Lacks { get; init; }

    /// <summary>The code of what went wrong, or null.</summary>
    public string? Code { get; init; }

    /// <summary>What went wrong, and what to do, or null.</summary>
    public string? Problem { get; init; }

    /// <summary>Something worth knowing, or null.</summary>
    public string? Note { get; init; }
}
