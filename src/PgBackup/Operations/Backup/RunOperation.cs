using System.Globalization;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Operations.Keys;
using PgBackup.Operations.Prune;
using PgBackup.Operations.Replicate;
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

    /// <summary>Remove afterwards what the rules no longer keep.</summary>
    public bool Prune { get; init; }
}

/// <summary>What a run did.</summary>
public sealed record RunReport
{
    /// <summary>The snapshot.</summary>
    public required Manifest Manifest { get; init; }

    /// <summary>The stores besides the primary.</summary>
    public required IReadOnlyList<ReplicaReport> Replicas { get; init; }

    /// <summary>What was removed, for each store where pruning was carried out.</summary>
    public required IReadOnlyList<PruneReport> Pruned { get; init; }

    /// <summary>Why nothing was removed from a store, and other things worth knowing.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Some store lacks what it should hold.</summary>
    public bool LacksReplicas => Replicas.Any(static r => r.Code is not null || r.Lacks.Count > 0);
}

/// <summary>
/// The nightly job: a snapshot into the primary store, copies of it and of what was missed earlier in the others, and last, if all of the
/// snapshot succeeded, the removal of what each store's rules no longer keep; and a look at the keys, which changes nothing about the run's end.
/// </summary>
public sealed class RunOperation(BackupConfig config, IReadOnlyList<BackupStore> stores, ICipher cipher, TimeProvider clock, Progress progress)
{
    /// <summary>Runs. Failures of single databases, of replicas and of pruning are in the report.</summary>
    /// <exception cref="PgBackupException">Nothing was stored; nothing was removed either.</exception>
    public async Task<RunReport> RunAsync(RunRequest request, CancellationToken cancel)
    {
        string holder = string.Create(
            CultureInfo.InvariantCulture, $"process {Environment.ProcessId} on {Environment.MachineName}, since {clock.GetUtcNow():yyyy-MM-dd HH:mm:ss} UTC");
        List<Replica> replicas = [.. stores.Skip(1).Select(s => Replica.Start(stores, s, config.Cluster, holder, clock, progress, cancel))];
        Manifest manifest;
        ReplicaReport[] reports;
        string? first;
        try
        {
            var backup = new BackupOperation(config, stores[0], cipher, clock, progress)
            {
                PartStored = (id, part) => replicas.ForEach(r => r.Offer(id, part)),
                Abandoned = id => replicas.ForEach(r => r.Abandon(id)),
            };
            manifest = await backup.RunAsync(request.Databases, request.Pin, cancel);
            first = backup.First;
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
        List<string> notes = [.. ((string?[])[first, .. reports.Select(static r => r.Note)]).OfType<string>()];
        if (request.Prune && manifest.Failures.Count > 0)
        {
            notes.Add("nothing was removed from any store, because part of the backup failed");
        }
        else if (request.Prune)
        {
            pruned = await PruneAsync(stores, reports, notes, clock, progress, cancel);
        }

        HashSet<string> unusable = [.. reports.Where(static r => r.Code is not null).Select(static r => r.Store)];
        var keys = new KeysOperation([.. stores.Select(static s => s.Store).Where(s => !unusable.Contains(s.Name))], clock);
        notes.AddRange(await keys.AfterRunAsync(manifest, cipher, cancel));
        return new RunReport { Manifest = manifest, Replicas = reports, Pruned = pruned, Notes = notes };
    }

    /// <summary>
    /// Prunes each store that lacks nothing, and from the primary, which is the first, nothing that another one still lacks. What cannot be
    /// pruned is noted, and does not keep the others from it.
    /// </summary>
    internal static async Task<IReadOnlyList<PruneReport>> PruneAsync(
        IReadOnlyList<BackupStore> stores, IReadOnlyList<ReplicaReport> replicas, List<string> notes, TimeProvider clock, Progress progress, CancellationToken cancel)
    {
        List<PruneReport> pruned = [];
        HashSet<string> awaited = [.. replicas.SelectMany(static r => r.Lacks)];
        List<string> unknown = [.. replicas.Where(static r => !r.LacksAreKnown).Select(static r => r.Store)];
        foreach (BackupStore store in stores)
        {
            bool isPrimary = store == stores[0];
            if (isPrimary && unknown.Count > 0)
            {
                notes.Add($"nothing was removed from the store {store.Store.Name}, because it is not known what {string.Join(" and ", unknown)} lack{(unknown.Count == 1 ? "s" : "")}");
                continue;
            }

            if (replicas.FirstOrDefault(r => r.Store == store.Store.Name) is { Code: not null } or { Lacks.Count: > 0 })
            {
                notes.Add($"nothing was removed from the store {store.Store.Name}, because it lacks snapshots");
                continue;
            }

            try
            {
                var prune = new PruneOperation(store, clock, progress) { Awaited = isPrimary ? awaited : [] };
                PruneReport report = await prune.RunAsync(dryRun: false, unattended: true, cancel);
                pruned.Add(report);
                notes.AddRange([.. report.Problems.Select(p => $"{store.Store.Name}: {p}"), .. report.Notes]);
                List<string> spared = [.. report.Plan.Kept.Where(static d => d.Reasons is [{ Kind: KeepReasonKind.Awaited }]).Select(static d => d.Snapshot.Id.ToString())];
                if (spared.Count > 0)
                {
                    List<string> lacking = [.. replicas.Where(r => r.Lacks.Intersect(spared).Any()).Select(static r => r.Store)];
                    notes.Add($"{string.Join(", ", spared)} stay{(spared.Count == 1 ? "s" : "")} in the store {store.Store.Name} because {string.Join(" and ", lacking)} lack{(lacking.Count == 1 ? "s" : "")} {(spared.Count == 1 ? "it" : "them")}");
                }
            }
            catch (PgBackupException e)
            {
                notes.Add($"{e.CodeText}: {e.Message}{(e.Remedy is { } remedy ? $" {remedy}" : "")}");
            }
        }

        return pruned;
    }
}
