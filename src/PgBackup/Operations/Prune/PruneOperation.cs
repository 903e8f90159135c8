using System.Globalization;
using System.Text.Json.Serialization;
using PgBackup.Host;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Prune;

/// <summary>
/// Removes from one store what its rules no longer keep, and what interrupted runs left. The plan is made first, from the names in the
/// store; then exactly that is carried out: a manifest first, then its parts.
/// </summary>
public sealed class PruneOperation(BackupStore target, TimeProvider clock, Progress progress)
{
    /// <summary>How old the rest of an interrupted write must be before it is swept: longer than any run takes.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromDays(2);

    // More than this apart, one of the two clocks is wrong, and nobody knows how old a snapshot is.
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromHours(1);

    private readonly Catalog catalog = new(target.Store, clock);

    // Printed once, by the caller that gets the report.
    private readonly List<Finding> problems = [];

    /// <summary>Snapshots that stay for now, because another store should have them and lacks them.</summary>
    public IReadOnlySet<string> Awaited { get; init; } = new HashSet<string>();

    /// <summary>Makes the plan, and carries it out unless only the plan is wanted.</summary>
    /// <param name="dryRun">Only the plan; nothing is changed, and no lock is taken.</param>
    /// <param name="unattended">Nobody has seen the plan: withhold one that would remove more than half of all snapshots.</param>
    /// <param name="cancel">Stops between two removals.</param>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.PruneWithheld"/> when something about the store forbids it, before anything was removed;
    /// <see cref="ErrorCode.AlreadyRunning"/>, <see cref="ErrorCode.StoreUnavailable"/>.
    /// </exception>
    public async Task<PruneReport> RunAsync(bool dryRun, bool unattended, CancellationToken cancel)
    {
        if (dryRun)
        {
            return Report(await PlanAsync(await catalog.ListAsync(cancel), cancel), [], 0);
        }

        string holder = string.Create(
            CultureInfo.InvariantCulture,
            $"prune, process {Environment.ProcessId} on {Environment.MachineName}, since {clock.GetUtcNow():yyyy-MM-dd HH:mm:ss} UTC"
        );
        await using IStoreLock held = await target.Store.LockAsync(holder, cancel);
        IReadOnlyList<CatalogEntry> entries = await catalog.ListAsync(cancel);
        RetentionPlan plan = await PlanAsync(entries, cancel);
        HashSet<SnapshotId> unwanted = [.. plan.Removed.Select(static d => d.Snapshot.Id)];
        List<CatalogEntry> going = [.. entries.Where(e => unwanted.Contains(e.Id))];
        if (going.Count > 0)
        {
            await RequireSaneAsync(entries, going.Count, unattended, cancel);
        }

        List<string> removed = [];
        foreach (CatalogEntry entry in going)
        {
            held.RequireHeld();
            if (await RemoveAsync(entry, cancel))
            {
                removed.Add(entry.Id.ToString());
            }
        }

        int swept = 0;
        try
        {
            swept = await SweepAsync([.. entries.Where(e => !unwanted.Contains(e.Id))], held, cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.StoreUnavailable && !cancel.IsCancellationRequested)
        {
            Found("what interrupted runs left could not be removed", e);
        }

        return Report(plan, removed, swept);
    }

    // What was removed is reported, whatever happens later; one that cannot be removed does not stop the others.
    private async Task<bool> RemoveAsync(CatalogEntry entry, CancellationToken cancel)
    {
        try
        {
            if (!await catalog.RemoveAsync(entry, cancel))
            {
                progress.Done(target.Store.Name, $"{entry.Id} stays, it was pinned a moment ago");
                return false;
            }
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.StoreUnavailable && !cancel.IsCancellationRequested)
        {
            if ((await catalog.ReadEntryAsync(entry.Id, cancel)).HasManifest)
            {
                Found($"{entry.Id} could not be removed", e);
                return false;
            }

            Found($"{entry.Id} is removed, and some of its objects are left; the next run removes them", e);
        }

        progress.Done(target.Store.Name, $"removed {entry.Id} ({ByteSize.Text(entry.Bytes)})");
        return true;
    }

    private void Found(string what, PgBackupException e) =>
        problems.Add(Finding.Of(Severity.Warning, ErrorCode.NotRemoved, target.Store.Name, $"{target.Store.Name}: {what}", e));

    private PruneReport Report(RetentionPlan plan, IReadOnlyList<string> removed, int swept) =>
        new()
        {
            Store = target.Store.Name,
            Location = target.Store.Location,
            Plan = plan,
            Removed = removed,
            Swept = swept,
            Findings = [.. problems, .. target.Store.Notes.Select(n => Finding.Note(ErrorCode.StoreLimited, target.Store.Name, n))],
        };

    // The names say which would go; only of those the manifests are read, and the locks asked for. What turns out to be unreadable or
    // locked stays, which can only make others stay as well: then those that are left are looked at again.
    private async Task<RetentionPlan> PlanAsync(IReadOnlyList<CatalogEntry> entries, CancellationToken cancel)
    {
        Dictionary<SnapshotId, RetainedSnapshot> facts = BackupStore
            .Facts(entries)
            .ToDictionary(static f => f.Id, f => f with { IsAwaited = Awaited.Contains(f.Id.ToString()) });
        HashSet<SnapshotId> looked = [];
        DateTimeOffset now = clock.GetUtcNow();
        while (true)
        {
            RetentionPlan plan = RetentionPolicy.Plan(target.Keep, facts.Values, now);
            HashSet<SnapshotId> unknown = [.. plan.Removed.Select(static d => d.Snapshot.Id).Where(looked.Add)];
            if (unknown.Count == 0)
            {
                return plan;
            }

            foreach (CatalogEntry entry in entries.Where(e => unknown.Contains(e.Id)))
            {
                (Manifest? manifest, PgBackupException? error) = await catalog.TryReadManifestAsync(entry, cancel);
                DateTimeOffset? locked = target.HasObjectLock
                    ? (await target.Store.FindAsync(SnapshotLayout.Key(entry.Id, SnapshotLayout.Manifest), cancel))?.LockedUntil
                    : null;
                facts[entry.Id] = facts[entry.Id] with
                {
                    IsReadable = error is null,
                    IsDisputed = manifest is { IsComplete: true } && !entry.IsComplete,
                    IsComplete = facts[entry.Id].IsComplete && manifest is { IsComplete: true },
                    LockedUntil = locked,
                };
            }
        }
    }

    private async Task RequireSaneAsync(IReadOnlyList<CatalogEntry> entries, int going, bool unattended, CancellationToken cancel)
    {
        int all = entries.Count(static e => e.HasManifest);
        if (unattended && going > 3 && going * 2 > all)
        {
            throw Withheld(
                $"{going} of {all} snapshots would be removed at once, and nobody has confirmed that plan",
                "`olympus-pgbackup prune --dry-run` shows it with its reasons, `olympus-pgbackup prune` carries it out."
            );
        }

        foreach (CatalogEntry newest in entries.Reverse().Where(static e => e.IsComplete).Take(1))
        {
            (Manifest? manifest, PgBackupException? error) = await catalog.TryReadSealedAsync(newest, cancel);
            string? problem =
                error?.Message
                ?? (manifest!.IsComplete ? null : $"by its manifest it is incomplete, and it lacks the mark {SnapshotLayout.Incomplete}")
                ?? manifest
                    .Parts.Select(p => new StoredPart(target.Store, newest.Id, p))
                    .Select(p => p.Compare(newest.Objects) is { } wrong ? $"{p.Key}: {wrong}" : null)
                    .FirstOrDefault(static p => p is not null);
            if (problem is not null)
            {
                throw Withheld(
                    $"its newest complete snapshot is damaged ({problem})",
                    "Repair it first (`olympus-pgbackup check --repair`), or take a new snapshot: the older ones may be the only good ones."
                );
            }
        }

        TimeSpan apart = await ClockDifferenceAsync(cancel);
        if (apart > ClockTolerance)
        {
            throw Withheld(
                $"the clock of this host and that of the store are {apart.TotalHours:0.0} hours apart",
                "Set the clock (chrony, systemd-timesyncd); ages are not known until then."
            );
        }
    }

    private async Task<TimeSpan> ClockDifferenceAsync(CancellationToken cancel)
    {
        const string Key = ".clock-test";
        using var content = new MemoryStream("time\n"u8.ToArray());
        await target.Store.PutAsync(Key, content, cancel);
        StoredObject? found = await target.Store.FindAsync(Key, cancel);
        DateTimeOffset now = clock.GetUtcNow();
        await target.Store.DeleteAsync(Key, cancel);
        return found is null ? TimeSpan.Zero : (now - found.Modified).Duration();
    }

    // Folders whose removal or copying was interrupted, and the store's own half-written things. A copy of an old snapshot that was begun
    // a moment ago is young; where only the mark is left, there is nothing to resume.
    private async Task<int> SweepAsync(IReadOnlyList<CatalogEntry> entries, IStoreLock held, CancellationToken cancel)
    {
        DateTimeOffset before = clock.GetUtcNow() - Grace;
        held.RequireHeld();
        IReadOnlyList<SnapshotId> folders = await catalog.RemoveLeftoversAsync(
            entries,
            e => e.Id.Time >= before || e.Written >= before,
            cancel
        );
        return folders.Count + await target.Store.SweepAsync(before, cancel);
    }

    private PgBackupException Withheld(string why, string remedy) =>
        new(ErrorCode.PruneWithheld, $"nothing was removed from the store {target.Store.Name} ({target.Store.Location}): {why}.", remedy);
}

/// <summary>What was, or is to be, removed from a store.</summary>
public sealed record PruneReport
{
    /// <summary>The store.</summary>
    public required string Store { get; init; }

    /// <summary>Where it is.</summary>
    public required string Location { get; init; }

    /// <summary>What becomes of each snapshot, and why.</summary>
    public required RetentionPlan Plan { get; init; }

    /// <summary>The snapshots that were removed; empty for a dry run.</summary>
    public required IReadOnlyList<string> Removed { get; init; }

    /// <summary>Rests of interrupted runs that were removed.</summary>
    public required int Swept { get; init; }

    /// <summary>What could not be removed (<see cref="ErrorCode.NotRemoved"/>), and what the store cannot do
    /// (<see cref="ErrorCode.StoreLimited"/>).</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>All that was to go is gone.</summary>
    [JsonIgnore]
    public bool Succeeded => Findings.All(static f => f.Code != ErrorCode.NotRemoved);
}
