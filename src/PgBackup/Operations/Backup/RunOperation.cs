using System.Globalization;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Losses;
using PgBackup.Operations.Keys;
using PgBackup.Operations.Prune;
using PgBackup.Operations.Replicate;
using PgBackup.Records;
using PgBackup.Retention;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Backup;

/// <summary>What a run is to do.</summary>
public sealed record RunRequest
{
    /// <summary>The databases, or null for all of the config.</summary>
    public IReadOnlyCollection<string>? Databases { get; init; }

    /// <summary>Why the snapshot is to be kept until it is unpinned, or null.</summary>
    public string? Pin { get; init; }

    /// <summary>Losses that are to be expected of this run, and count as confirmed: <c>DATABASE</c>, <c>DATABASE.SCHEMA.TABLE</c> or
    /// <c>DATABASE.SCHEMA.TABLE.COLUMN</c>.</summary>
    public IReadOnlyList<string> ExpectedLosses { get; init; } = [];

    /// <summary>When it was due: a complete snapshot of that moment or a later one makes it needless; null where it is wanted
    /// anyway.</summary>
    public DateTimeOffset? Due { get; init; }

    /// <summary>Remove afterwards what the rules no longer keep.</summary>
    public bool Prune { get; init; }
}

/// <summary>What a run did.</summary>
public sealed record RunReport
{
    /// <summary>The snapshot.</summary>
    public required Manifest Manifest { get; init; }

    /// <summary>The stores other than the primary.</summary>
    public required IReadOnlyList<ReplicaReport> Replicas { get; init; }

    /// <summary>What was removed, for each store where pruning was carried out.</summary>
    public required IReadOnlyList<PruneReport> Pruned { get; init; }

    /// <summary>What was found beside the snapshot: its losses, why nothing was removed from a store, keys that need attention, and the
    /// like. What else is worth knowing of the snapshot is in its manifest.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>Some store lacks what it should hold.</summary>
    public bool LacksReplicas => Replicas.Any(static r => r.Code is not null || r.Lacks.Count > 0);
}

/// <summary>
/// The nightly job: a snapshot into the primary store, copies of it and of what was missed earlier in the others, and last, if all of the
/// snapshot succeeded, the removal of what each store's rules no longer keep; and a look at the keys, which changes nothing about the run's
/// end.
/// </summary>
public sealed class RunOperation(
    BackupConfig config,
    IReadOnlyList<BackupStore> stores,
    ICipher cipher,
    TimeProvider clock,
    Progress progress
)
{
    // How often whoever is at work is asked for, and for how long: longer than any night should take.
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(6);

    /// <summary>Records it; null to leave no record.</summary>
    public Recorder? Recorder { get; init; }

    /// <summary>A look at this host before anything is done, which takes no time: what it finds goes into the report.</summary>
    public Func<IReadOnlyList<Finding>> Preflight { get; init; } = static () => [];

    /// <summary>Runs. Failures of single databases, of replicas and of pruning are in the report.</summary>
    /// <exception cref="PgBackupException">Nothing was stored; nothing was removed either.</exception>
    /// <exception cref="NotDueException">By <see cref="RunRequest.Due"/>, it is needless.</exception>
    public Task<RunReport> RunAsync(RunRequest request, CancellationToken cancel) =>
        Recorder.RecordAsync(r => RunRecord.Begin(r, request), () => TakeAsync(request, cancel), RunRecord.End, cancel);

    private async Task<RunReport> TakeAsync(RunRequest request, CancellationToken cancel)
    {
        DateTimeOffset begun = clock.GetUtcNow();
        while (true)
        {
            try
            {
                return await TakeOnceAsync(request, cancel);
            }
            catch (PgBackupException e)
                when (request.Due is not null
                    && e.Code == ErrorCode.AlreadyRunning
                    && clock.GetUtcNow() - begun < LongestWait
                    && !cancel.IsCancellationRequested
                )
            {
                // Another host was first, in the store or on the server: it is waited for, and may have done what is due.
                await Task.Delay(Pause, clock, cancel);
            }
        }
    }

    private async Task<RunReport> TakeOnceAsync(RunRequest request, CancellationToken cancel)
    {
        string holder = string.Create(
            CultureInfo.InvariantCulture,
            $"process {Environment.ProcessId} on {Environment.MachineName}, since {clock.GetUtcNow():yyyy-MM-dd HH:mm:ss} UTC"
        );
        IReadOnlyList<Finding> before = Preflight();
        List<Replica> replicas = [];
        Manifest manifest;
        ReplicaReport[] reports;
        IReadOnlyList<Finding> found;
        try
        {
            var backup = new BackupOperation(config, stores[0], cipher, clock, progress)
            {
                PartStored = (id, part) => replicas.ForEach(r => r.Offer(id, part)),
                ExpectedLosses = request.ExpectedLosses,
                Due = request.Due,
                // Whoever does not get the primary leaves the others to the one who has.
                Begun = () =>
                    replicas.AddRange(
                        stores.Skip(1).Select(s => Replica.Start(stores, s, config.Cluster, holder, clock, progress, cancel))
                    ),
                Others = [.. stores.Skip(1).Select(static s => s.Store)],
                Confirmations = c => new ConfirmationsReader([.. stores.Select(static s => s.Store)], clock).ReadAsync(c),
                Abandoned = id => replicas.ForEach(r => r.Abandon(id)),
            };
            manifest = await backup.RunAsync(request.Databases, request.Pin, cancel);
            found = backup.Findings;
            reports = await Task.WhenAll(replicas.Select(r => r.CatchUpAsync(SnapshotId.TryParse(manifest.Id), cancel)));
        }
        finally
        {
            foreach (Replica replica in replicas)
            {
                await replica.DisposeAsync();
            }
        }

        IReadOnlyList<PruneReport> pruned = [];
        List<Finding> findings =
        [
            .. before,
            .. found,
            .. reports.SelectMany(static r => (Finding?[])[r.Note, r.Emptied]).OfType<Finding>(),
        ];
        if (request.Prune && manifest.Failures.Count > 0)
        {
            const string What = "nothing was removed from any store, because part of the backup failed";
            findings.Add(Finding.Warning(ErrorCode.PruneSkipped, config.Cluster, What));
        }
        else if (request.Prune)
        {
            pruned = await PruneAsync(stores, reports, findings, clock, progress, cancel);
        }

        await RecordExpectedAsync(manifest, cancel);
        HashSet<string> unusable = [.. reports.Where(static r => r.Code is not null).Select(static r => r.Store)];
        var keys = new KeysOperation([.. stores.Select(static s => s.Store).Where(s => !unusable.Contains(s.Name))], clock);
        findings.AddRange(await keys.AfterRunAsync(manifest, cipher, cancel));
        return new RunReport
        {
            Manifest = manifest,
            Replicas = reports,
            Pruned = pruned,
            Findings = findings,
        };
    }

    // The manifests say for forty days that it was announced. A drill may compare with a snapshot that is older, and asks the records.
    private async Task RecordExpectedAsync(Manifest manifest, CancellationToken cancel)
    {
        List<Loss> expected = [.. manifest.Losses.Where(static l => l.IsExpected)];
        if (Recorder is { } recorder && expected.Count > 0)
        {
            await recorder.WriteAsync(
                recorder.Begin(RecordKind.Confirm, "losses that were announced before the run") with
                {
                    Result = RecordResult.Ok,
                    Snapshot = manifest.Id,
                    Summary = $"{Words.Count(expected.Count, "loss", "losses")} of {manifest.Id} announced before the run",
                    Confirmed = expected,
                },
                cancel
            );
        }
    }

    /// <summary>
    /// Prunes each store that lacks nothing, and from the primary, which is the first, nothing that another one still lacks. What cannot be
    /// pruned is a finding, and does not keep the others from it.
    /// </summary>
    internal static async Task<IReadOnlyList<PruneReport>> PruneAsync(
        IReadOnlyList<BackupStore> stores,
        IReadOnlyList<ReplicaReport> replicas,
        List<Finding> findings,
        TimeProvider clock,
        Progress progress,
        CancellationToken cancel
    )
    {
        List<PruneReport> pruned = [];
        HashSet<string> awaited = [.. replicas.SelectMany(static r => r.Lacks)];
        List<string> unknown = [.. replicas.Where(static r => !r.LacksAreKnown).Select(static r => r.Store)];
        foreach (BackupStore store in stores)
        {
            bool isPrimary = store == stores[0];
            if (isPrimary && unknown.Count > 0)
            {
                findings.Add(
                    Finding.Warning(
                        ErrorCode.PruneSkipped,
                        store.Store.Name,
                        $"kept all old snapshots in {store.Store.Name}",
                        $"what {string.Join(" and ", unknown)} lack{(unknown.Count == 1 ? "s" : "")} is not known, and may be among them"
                    )
                );
                continue;
            }

            if (replicas.FirstOrDefault(r => r.Store == store.Store.Name) is { Code: not null } or { Lacks.Count: > 0 })
            {
                findings.Add(
                    Finding.Warning(
                        ErrorCode.PruneSkipped,
                        store.Store.Name,
                        $"kept all old snapshots in {store.Store.Name}",
                        "its copy failed, or it lacks snapshots"
                    )
                );
                continue;
            }

            try
            {
                var prune = new PruneOperation(store, clock, progress) { Awaited = isPrimary ? awaited : [] };
                PruneReport report = await prune.RunAsync(dryRun: false, unattended: true, cancel);
                pruned.Add(report);
                findings.AddRange(report.Findings);
                findings.AddRange(Awaiting(report, replicas));
            }
            catch (PgBackupException e)
            {
                findings.Add(Finding.Of(Severity.Warning, store.Store.Name, e));
            }
        }

        return pruned;
    }

    // What stays for another store's sake alone.
    private static IReadOnlyList<Finding> Awaiting(PruneReport report, IReadOnlyList<ReplicaReport> replicas)
    {
        List<string> spared =
        [
            .. report
                .Plan.Kept.Where(static d => d.Reasons is [{ Kind: KeepReasonKind.Awaited }])
                .Select(static d => d.Snapshot.Id.ToString()),
        ];
        if (spared.Count == 0)
        {
            return [];
        }

        List<string> lacking = [.. replicas.Where(r => r.Lacks.Intersect(spared).Any()).Select(static r => r.Store)];
        return
        [
            Finding.Note(
                ErrorCode.SnapshotAwaited,
                report.Store,
                $"{string.Join(", ", spared)} stay{(spared.Count == 1 ? "s" : "")} in the store {report.Store} because "
                    + $"{string.Join(" and ", lacking)} lack{(lacking.Count == 1 ? "s" : "")} {(spared.Count == 1 ? "it" : "them")}"
            ),
        ];
    }
}
