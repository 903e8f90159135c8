using System.Globalization;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Snapshots;

namespace PgBackup.Operations;

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
/// snapshot succeeded, the removal of what each store's rules no longer keep.
/// </summary>
public sealed class RunOperation(BackupConfig config, IReadOnlyList<BackupStore> stores, ICipher cipher, TimeProvider clock, Progress progress)
{
    /// <summary>Runs. Failures of single databases, of replicas and of pruning are in the report.</summary>
    /// <exception cref="PgBackupException">Nothing was stored; nothing was removed either.</exception>
    public async Task<RunReport> RunAsync(RunRequest request, CancellationToken cancel)
    {
        string holder = string.Create(
            CultureInfo.InvariantCulture, $"process {Environment.ProcessId} on {Environment.MachineName}, since {clock.GetUtcNow():yyyy-MM-dd HH:mm:ss} UTC");
        List<Replica> replicas = [.. stores.Skip(1).Select(s => Replica.Start(stores[0], s, config.Cluster, holder, clock, progress, cancel))];
        Manifest manifest;
        ReplicaReport[] reports;
        try
        {
            var backup = new BackupOperation(config, stores[0], cipher, clock, progress)
            {
                PartStored = (id, part) => replicas.ForEach(r => r.Offer(id, part)),
            };
            manifest = await backup.RunAsync(request.Databases, request.Pin, cancel);
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
        List<string> notes = [.. reports.Select(static r => r.Note).OfType<string>()];
        if (request.Prune && manifest.Failures.Count > 0)
        {
            notes.Add("nothing was removed from any store, because part of the backup failed");
        }
        else if (request.Prune)
        {
            pruned = await PruneAsync(stores, reports, notes, clock, progress, cancel);
        }

        return new RunReport { Manifest = manifest, Replicas = reports, Pruned = pruned, Notes = notes };
    }

    /// <summary>Prunes each store that lacks nothing. What cannot be pruned is noted, and does not keep the others from it.</summary>
    internal static async Task<IReadOnlyList<PruneReport>> PruneAsync(
        IReadOnlyList<BackupStore> stores, IReadOnlyList<ReplicaReport> replicas, List<string> notes, TimeProvider clock, Progress progress, CancellationToken cancel)
    {
        List<PruneReport> pruned = [];
        foreach (BackupStore store in stores)
        {
            if (replicas.FirstOrDefault(r => r.Store == store.Store.Name) is { Code: not null } or { Lacks.Count: > 0 })
            {
                notes.Add($"nothing was removed from the store {store.Store.Name}, because it lacks snapshots");
                continue;
            }

            try
            {
                pruned.Add(await new PruneOperation(store, clock, progress).RunAsync(dryRun: false, unattended: true, cancel));
            }
            catch (PgBackupException e)
            {
                notes.Add($"{e.CodeText}: {e.Message}{(e.Remedy is { } remedy ? $" {remedy}" : "")}");
            }
        }

        return pruned;
    }
}
