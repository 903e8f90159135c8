using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations;

/// <summary>A store of the config, with how long it keeps what.</summary>
public sealed record BackupStore
{
    /// <summary>The store.</summary>
    public required IObjectStore Store { get; init; }

    /// <summary>Its rules.</summary>
    public required RetentionRules Keep { get; init; }

    /// <summary>It is on another machine, as far as the config and the mounts of this host say.</summary>
    public bool IsOffHost { get; init; }

    /// <summary>What a GB (10^9 bytes) costs there a month; null where the config does not say.</summary>
    public decimal? PricePerGb { get; init; }

    /// <summary>What is written there is locked for as long as the tiers keep it.</summary>
    public bool HasObjectLock { get; init; }

    /// <summary>What retention has to know of snapshots, from their names alone.</summary>
    public static IReadOnlyList<RetainedSnapshot> Facts(IEnumerable<CatalogEntry> entries) =>
        [.. entries.Where(static e => e.HasManifest).Select(static e => Fact(e))];

    /// <summary>The same of one.</summary>
    public static RetainedSnapshot Fact(CatalogEntry entry) =>
        new()
        {
            Id = entry.Id,
            IsComplete = entry.IsComplete,
            IsProven = entry.IsProven,
            IsPinned = entry.IsPinned,
            IsReadable = true,
            HasUnconfirmedLoss = entry.HasUnconfirmedLoss,
            Bytes = entry.Bytes,
        };

    /// <summary>What this store lacks, and its own rules would keep beside what it has; oldest first.</summary>
    /// <param name="own">What it has.</param>
    /// <param name="others">What other stores have.</param>
    /// <param name="now">The moment for which its rules are asked.</param>
    public IReadOnlyList<SnapshotId> Lacks(IReadOnlyList<CatalogEntry> own, IEnumerable<CatalogEntry> others, DateTimeOffset now)
    {
        List<CatalogEntry> all = [.. others, .. own];
        HashSet<SnapshotId> lost = [.. all.Where(static e => e.Objects.ContainsKey(SnapshotLayout.Loss)).Select(static e => e.Id)];
        // Confirmed in one store is confirmed: the mark is on its way to the others.
        lost.ExceptWith(all.Where(static e => e.Objects.ContainsKey(SnapshotLayout.Confirmed)).Select(static e => e.Id));
        Dictionary<SnapshotId, RetainedSnapshot> union = [];
        foreach (RetainedSnapshot fact in Facts(all))
        {
            union[fact.Id] = fact with
            {
                IsPinned = fact.IsPinned || union.GetValueOrDefault(fact.Id)?.IsPinned == true,
                HasUnconfirmedLoss = lost.Contains(fact.Id),
            };
        }

        // Into what cannot be looked into, nothing is copied: it may be there.
        HashSet<SnapshotId> there = [.. own.Where(static e => e.HasManifest || e.Unreadable is not null).Select(static e => e.Id)];
        return [.. RetentionPolicy.Plan(Keep, union.Values, now).Kept.Select(static d => d.Snapshot.Id).Where(id => !there.Contains(id))];
    }

    /// <summary>
    /// Until when an object of a snapshot that is being written is to be locked; null for no lock. What a tier keeps for ever is locked
    /// for as long as the longest other tier, or a year: nobody could ever undo a lock without end, and the tier keeps it all the same.
    /// </summary>
    public DateTimeOffset? LockUntil(SnapshotId id, IEnumerable<CatalogEntry> inStore)
    {
        if (!HasObjectLock)
        {
            return null;
        }

        IReadOnlyList<RetainedSnapshot> there = Facts(inStore);
        DateTimeOffset? until =
            RetentionPolicy.RetainUntil(Keep, id, isComplete: true, there)
            ?? RetentionPolicy.RetainUntil(Finite(Keep), id, isComplete: true, there);
        return until > id.Time ? until : null;
    }

    private static RetentionRules Finite(RetentionRules rules)
    {
        RetentionLength?[] lengths = [rules.All, rules.Daily, rules.Weekly, rules.Monthly, rules.Yearly];
        DateTimeOffset start = DateTimeOffset.UnixEpoch;
        RetentionLength longest =
            lengths.OfType<RetentionLength>().Where(l => l.End(start) is not null).MaxBy(l => l.End(start))
            ?? RetentionLength.Of(1, RetentionUnit.Years);
        RetentionLength? Cut(RetentionLength? length) =>
            length is null ? null
            : length.End(start) is null ? longest
            : length;
        return new RetentionRules
        {
            All = Cut(rules.All),
            Daily = Cut(rules.Daily),
            Weekly = Cut(rules.Weekly),
            Monthly = Cut(rules.Monthly),
            Yearly = Cut(rules.Yearly),
        };
    }
}
