using System.Collections.Concurrent;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Replicate;

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
    private readonly IReadOnlyList<IObjectStore> witnesses;
    private readonly SnapshotCopy copy;
    private readonly Catalog catalog;
    private readonly Channel<(SnapshotId Id, Part Part)> ahead = Channel.CreateUnbounded<(SnapshotId, Part)>();
    private readonly CancellationTokenSource stop;
    private readonly Task copying;
    private readonly ConcurrentDictionary<SnapshotId, bool> abandoned = [];
    private readonly List<PgBackupException> errors = [];
    private IStoreLock? held;
    private IReadOnlyList<CatalogEntry> entries = [];
    private IReadOnlyList<CatalogEntry> there = [];
    private bool heldNothing;
    private int earlier;

    private Replica(
        BackupStore primary,
        BackupStore replica,
        IReadOnlyList<IObjectStore> witnesses,
        string cluster,
        string holder,
        TimeProvider clock,
        Progress progress,
        CancellationToken cancel
    )
    {
        this.witnesses = witnesses;
        this.primary = primary;
        this.replica = replica;
        this.cluster = cluster;
        this.clock = clock;
        this.progress = progress;
        copy = new SnapshotCopy(primary.Store, replica.Store, clock, progress);
        catalog = new Catalog(replica.Store, clock);
        stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        copying = Task.Run(() => WorkAsync(holder), CancellationToken.None);
    }

    /// <summary>Begins: takes the store's lock in the background, and waits for parts.</summary>
    /// <param name="stores">All stores, the primary first.</param>
    /// <param name="replica">Which of them.</param>
    /// <param name="cluster">The cluster whose snapshots it may hold.</param>
    /// <param name="holder">For the lock.</param>
    /// <param name="clock">The time.</param>
    /// <param name="progress">For a display.</param>
    /// <param name="cancel">Ends it.</param>
    public static Replica Start(
        IReadOnlyList<BackupStore> stores,
        BackupStore replica,
        string cluster,
        string holder,
        TimeProvider clock,
        Progress progress,
        CancellationToken cancel
    ) =>
        new(
            stores[0],
            replica,
            [.. stores.Select(static s => s.Store).Where(s => s != replica.Store)],
            cluster,
            holder,
            clock,
            progress,
            cancel
        );

    /// <summary>Announces a part that the primary has now.</summary>
    public void Offer(SnapshotId id, Part part) => ahead.Writer.TryWrite((id, part));

    /// <summary>Announces that a snapshot was given up: what the store has of it is useless, and is removed at the end.</summary>
    public void Abandon(SnapshotId id) => abandoned[id] = true;

    /// <summary>Copies the snapshot of this run to its end, and whatever else the store lacks.</summary>
    /// <param name="newest">The snapshot of this run, or null when there is none.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<ReplicaReport> CatchUpAsync(SnapshotId? newest, CancellationToken cancel)
    {
        ahead.Writer.TryComplete();
        await copying;
        List<string> copied = [];
        List<SnapshotId> gaps = [];
        bool known = false;
        if (errors.Count == 0)
        {
            cancel.ThrowIfCancellationRequested();
            try
            {
                gaps = await GapsAsync(newest, held!, cancel);
                known = true;
                foreach (SnapshotId gap in gaps.ToList())
                {
                    if ((gap == newest || await IsUndisputedAsync(gap, cancel)) && await CopyAsync(gap, held!, copied, cancel))
                    {
                        gaps.Remove(gap);
                    }
                }

                await new LossMarks(clock, progress).LevelAsync((primary, there), (replica, entries), cancel);
            }
            catch (Exception e) when (e is not OperationCanceledException || !cancel.IsCancellationRequested)
            {
                errors.Add(Known(e));
            }
        }

        if (errors.Count > 0)
        {
            progress.Failed(replica.Store.Name, errors[0].Code);
        }

        return new ReplicaReport
        {
            Store = replica.Store.Name,
            Location = replica.Store.Location,
            Copied = copied,
            LacksAreKnown = known,
            Lacks =
                !known && newest is { } id && !copied.Contains(id.ToString())
                    ? [id.ToString()]
                    : [.. gaps.Select(static g => g.ToString())],
            Errors = [.. errors.Select(e => Finding.Of(Severity.Warning, replica.Store.Name, e))],
            Note = held?.Note is { } taken ? Finding.Warning(ErrorCode.LockNoted, replica.Store.Name, taken) : null,
            Emptied = known && heldNothing && earlier > 0 ? Empty() : null,
        };
    }

    /// <summary>Ends it: nothing more is copied, and the lock is given back. What was begun, and never became a snapshot, is removed by the
    /// next run.</summary>
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
            try
            {
                await held.DisposeAsync();
            }
            catch (PgBackupException e)
            {
                progress.Warn(replica.Store.Name, $"the lock could not be given back ({e.Message})", e.Code);
            }
        }

        stop.Dispose();
    }

    // One that cannot be read in the primary is no reason to go without the others; a store that cannot be written to is.
    private async Task<bool> CopyAsync(SnapshotId gap, IStoreLock holding, List<string> copied, CancellationToken cancel)
    {
        try
        {
            await copy.RunAsync(gap, replica.LockUntil(gap, entries), holding, cancel);
            copied.Add(gap.ToString());
            entries = [.. entries, .. there.Where(e => e.Id == gap)]; // those after it are not the first of its month any more
            progress.Done(replica.Store.Name, $"has {gap} now");
            return true;
        }
        catch (PgBackupException e) when (IsDamage(e))
        {
            if (!(await new Catalog(primary.Store, clock).ReadEntryAsync(gap, cancel)).HasManifest)
            {
                progress.Done(replica.Store.Name, $"{gap} was removed from {primary.Store.Name} before it was copied");
                return true;
            }

            errors.Add(e);
            return false;
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.StoreUnavailable && !e.IsTransient && !e.IsFull)
        {
            errors.Add(e);
            await replica.Store.CheckWritableAsync(cancel); // which throws where it is this store that failed
            return false;
        }
    }

    private async Task<bool> IsUndisputedAsync(SnapshotId gap, CancellationToken cancel)
    {
        if (await ManifestWitness.DisagreementAsync(gap, witnesses, clock, cancel) is not { } disagreement)
        {
            return true;
        }

        errors.Add(
            new PgBackupException(
                ErrorCode.ObjectDamaged,
                $"the snapshot {gap} is not copied to {replica.Store.Name}: {disagreement}.",
                "Replace the wrong manifest by the right one. `check --all --read-data --repair` does that if it can find out which is "
                    + "right."
            )
        );
        return false;
    }

    private async Task WorkAsync(string holder)
    {
        try
        {
            held = await replica.Store.LockAsync(holder, stop.Token);
            await replica.Store.CheckWritableAsync(stop.Token);
            entries = await catalog.ListAsync(stop.Token);
            await catalog.RequireClusterAsync(cluster, entries, stop.Token);
            bool broken = false;
            await foreach ((SnapshotId id, Part part) in ahead.Reader.ReadAllAsync(stop.Token))
            {
                broken = broken || (!abandoned.ContainsKey(id) && !await CopyAheadAsync(id, part));
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // the run was ended
        }
        catch (Exception e)
        {
            errors.Add(Known(e)); // whatever it is: the run has a snapshot to finish
        }
    }

    // What fails now but may work later is tried again at the end, as a gap; damage is reported then.
    private async Task<bool> CopyAheadAsync(SnapshotId id, Part part)
    {
        try
        {
            await copy.RunAheadAsync(id, part, replica.LockUntil(id, entries), stop.Token);
            return true;
        }
        catch (PgBackupException) when (abandoned.ContainsKey(id))
        {
            return true; // the primary removes it meanwhile
        }
        catch (PgBackupException e) when (e.IsTransient || IsDamage(e))
        {
            progress.Warn(replica.Store.Name, e.Message, e.Code);
            return !e.IsTransient;
        }
    }

    private static bool IsDamage(PgBackupException e) =>
        e.Code is ErrorCode.ObjectDamaged or ErrorCode.ManifestUnreadable or ErrorCode.ManifestTooNew;

    private PgBackupException Known(Exception e) =>
        e as PgBackupException
        ?? new PgBackupException(
            ErrorCode.Unexpected,
            $"the store {replica.Store.Name} ({replica.Store.Location}) failed unexpectedly: {e.Message}",
            null,
            e
        );

    private Finding Empty() =>
        Finding.Warning(
            ErrorCode.FirstSnapshot,
            replica.Store.Name,
            $"{replica.Store.Name} ({replica.Store.Location}) held no snapshot, and {primary.Store.Name} held {earlier}: "
                + "what its rules keep of them is copied into it",
            fix: "If it is a new store, all is well. If not, look whether its disk is mounted (`must_exist: true` refuses a folder "
                + "that is not there), or check its address and prefix in the config"
        );

    // Tonight's first, of which nearly everything is there; then the oldest.
    private async Task<List<SnapshotId>> GapsAsync(SnapshotId? newest, IStoreLock holding, CancellationToken cancel)
    {
        there = await new Catalog(primary.Store, clock).ListAsync(cancel);
        entries = await catalog.ListAsync(cancel);
        heldNothing = !entries.Any(static e => e.HasManifest || e.Unreadable is not null);
        earlier = there.Count(e => e.HasManifest && e.Id != newest);
        List<SnapshotId> gaps =
        [
            .. replica.Lacks(entries, there, clock.GetUtcNow()).OrderBy(id => id == newest ? 0 : 1).ThenBy(static id => id),
        ];
        holding.RequireHeld();
        foreach (SnapshotId left in await catalog.RemoveLeftoversAsync(entries, e => gaps.Contains(e.Id), cancel))
        {
            if (!abandoned.ContainsKey(left))
            {
                progress.Done(replica.Store.Name, $"removed what a killed run left of {left}");
            }
        }

        return gaps;
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

    /// <summary>The snapshots that it should have, and lacks; only that of this run where <see cref="LacksAreKnown"/> is false.</summary>
    public required IReadOnlyList<string> Lacks { get; init; }

    /// <summary>It could be compared with the primary. Where it could not, it may lack more than <see cref="Lacks"/>.</summary>
    public required bool LacksAreKnown { get; init; }

    /// <summary>What went wrong; empty when nothing did.</summary>
    public IReadOnlyList<Finding> Errors { get; init; } = [];

    /// <summary>The code of the first of them as it is printed, or null.</summary>
    [JsonIgnore]
    public string? Code => Errors is [var first, ..] ? PgBackupException.CodeTextOf(first.Code) : null;

    /// <summary>All of them, with what to do, a line each; null for none.</summary>
    [JsonIgnore]
    public string? Problem =>
        Errors.Count == 0
            ? null
            : string.Join('\n', Errors.Select(static e => e.Fix is { } fix ? $"{e.What}\n  what to do: {fix}" : e.What));

    /// <summary>What is worth knowing of its lock, or null.</summary>
    public Finding? Note { get; init; }

    /// <summary>It held no snapshot at all although the primary held earlier ones: it is new, or what was there is not; else
    /// null.</summary>
    public Finding? Emptied { get; init; }
}
