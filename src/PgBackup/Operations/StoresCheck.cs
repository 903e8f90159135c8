using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations;

/// <summary>Checks several stores at the same time, and compares what they hold with each other.</summary>
public sealed class StoresCheck(IReadOnlyList<BackupStore> stores, string cluster, TimeProvider clock, Func<IObjectStore, CheckOperation> checkOf)
{
    /// <summary>Checks one snapshot (an id or <c>latest</c>, which is the newest of any store), or with null all of them.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.SnapshotMissing"/> when no store has it; <see cref="ErrorCode.StoreUnavailable"/> when no store can be read;
    /// <see cref="ErrorCode.IdentityUnusable"/>.
    /// </exception>
    public async Task<CheckReport> RunAsync(string? idOrLatest, CheckDepth depth, CancellationToken cancel)
    {
        StoreFindings[] found = await Task.WhenAll(stores.Select(s => FindAsync(s, idOrLatest, depth, cancel)));
        if (found.All(static f => f.Error is not null))
        {
            throw found[0].Error!;
        }

        List<SnapshotCheck> snapshots = [.. found.SelectMany(static f => f.Checks).OrderBy(static c => c.Id, StringComparer.Ordinal)];
        return new CheckReport
        {
            Snapshots = [.. snapshots.Select(c => c with { Problems = [.. c.Problems.Select(p => p with { GoodCopies = GoodCopies(snapshots, c, p) })] })],
            Gaps = [.. Gaps(found, idOrLatest)],
        };
    }

    private static IReadOnlyList<string> GoodCopies(List<SnapshotCheck> all, SnapshotCheck of, ObjectProblem problem) =>
        [.. all.Where(c => c.Id == of.Id && c.Store != of.Store && c.Problems.All(p => p.Object != problem.Object && p.Object != SnapshotLayout.Manifest)).Select(static c => c.Store)];

    private async Task<StoreFindings> FindAsync(BackupStore store, string? idOrLatest, CheckDepth depth, CancellationToken cancel)
    {
        try
        {
            IReadOnlyList<CatalogEntry> entries = await new Catalog(store.Store).ListAsync(cancel);
            await new Catalog(store.Store).RequireClusterAsync(cluster, entries, cancel);
            IReadOnlyList<SnapshotCheck> checks = await checkOf(store.Store).RunAsync(idOrLatest, depth, cancel);
            return new StoreFindings { Store = store, Entries = entries, Checks = checks };
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.StoreUnavailable or ErrorCode.SnapshotMissing or ErrorCode.StoreOfAnotherCluster or ErrorCode.ToolMissing)
        {
            return new StoreFindings { Store = store, Entries = [], Checks = [], Error = e };
        }
    }

    // What a store should hold: all that any store holds and its own rules would keep.
    private IEnumerable<StoreGap> Gaps(StoreFindings[] found, string? idOrLatest)
    {
        Dictionary<SnapshotId, RetainedSnapshot> union = [];
        foreach (RetainedSnapshot fact in found.SelectMany(static f => BackupStore.Facts(f.Entries)))
        {
            union[fact.Id] = union.TryGetValue(fact.Id, out RetainedSnapshot? other) ? fact with { IsPinned = fact.IsPinned || other.IsPinned } : fact;
        }

        foreach (StoreFindings findings in found)
        {
            if (findings.Error is { Code: not ErrorCode.SnapshotMissing } error)
            {
                yield return new StoreGap { Store = findings.Store.Store.Name, Problem = $"{error.CodeText}: {error.Message}", Missing = [] };
                continue;
            }

            // The primary is where snapshots begin: one that it does not have was removed there, or was never its own.
            bool isPrimary = findings.Store == stores[0] && stores.Count > 1;
            HashSet<SnapshotId> there = [.. findings.Entries.Where(static e => e.HasManifest).Select(static e => e.Id)];
            List<string> missing = [.. RetentionPolicy.Plan(findings.Store.Keep, union.Values, clock.GetUtcNow()).Kept
                .Select(static d => d.Snapshot.Id).Where(id => !there.Contains(id) && (idOrLatest is null or "latest" || idOrLatest == id.ToString())).Select(static id => id.ToString())];
            if (missing.Count > 0 && !isPrimary)
            {
                yield return new StoreGap { Store = findings.Store.Store.Name, Missing = missing };
            }
        }
    }

    private sealed record StoreFindings
    {
        public required BackupStore Store { get; init; }

        public required IReadOnlyList<CatalogEntry> Entries { get; init; }

        public required IReadOnlyList<SnapshotCheck> Checks { get; init; }

        public PgBackupException? Error { get; init; }
    }
}

/// <summary>What a check of several stores found.</summary>
public sealed record CheckReport
{
    /// <summary>Each snapshot in each store, oldest first.</summary>
    public required IReadOnlyList<SnapshotCheck> Snapshots { get; init; }

    /// <summary>Stores that lack snapshots, or could not be checked.</summary>
    public required IReadOnlyList<StoreGap> Gaps { get; init; }

    /// <summary>Something was checked, and all of it is right.</summary>
    public bool IsRight => Snapshots.Count > 0 && Gaps.Count == 0 && Snapshots.All(static s => s.Problems.Count == 0);
}

/// <summary>What a store lacks.</summary>
public sealed record StoreGap
{
    /// <summary>The store.</summary>
    public required string Store { get; init; }

    /// <summary>Snapshots that another store has, and that this one's rules would keep.</summary>
    public required IReadOnlyList<string> Missing { get; init; }

    /// <summary>Why it could not be checked, or null.</summary>
    public string? Problem { get; init; }
}
