using PgBackup.Retention;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Status;

/// <summary>One store for a status. Pure.</summary>
internal static class StoreStatusOf
{
    private const decimal Gigabyte = 1_000_000_000;

    /// <summary>Takes it from a listing.</summary>
    /// <param name="reading">The listing.</param>
    /// <param name="others">What the other stores hold.</param>
    /// <param name="now">The moment.</param>
    public static StoreStatus Read(StoreReading reading, IEnumerable<CatalogEntry> others, DateTimeOffset now)
    {
        RetentionPlan plan = RetentionPolicy.Plan(reading.Store.Keep, BackupStore.Facts(reading.Entries), now);
        CatalogEntry? newest = Freshness.Newest(reading.Entries, now);
        return new StoreStatus
        {
            Name = reading.Name,
            Location = reading.Store.Store.Location,
            IsReadable = reading.IsReadable,
            IsOffHost = reading.Store.IsOffHost,
            Snapshots = reading.Entries.Count(static e => e.HasManifest),
            Complete = reading.Entries.Count(static e => e.IsComplete),
            Proven = reading.Entries.Count(static e => e.IsProven),
            NewestComplete = newest?.Id.ToString(),
            AgeSeconds = newest is null ? null : Math.Round((now - newest.Id.Time).TotalSeconds),
            Lacks = reading.IsReadable ? reading.Store.Lacks(reading.Entries, others, now).Count : 0,
            Bytes = reading.Entries.Sum(static e => e.Bytes),
            BytesByTier = plan
                .Kept.GroupBy(static d => Tier(d), StringComparer.Ordinal)
                .ToDictionary(static g => g.Key, static g => g.Sum(static d => d.Snapshot.Bytes)),
            BytesToPrune = plan.BytesFreed,
            CostPerMonth = reading.IsReadable ? Cost(reading) : null,
        };
    }

    /// <summary>What the store costs a month; null without a price.</summary>
    public static decimal? Cost(StoreReading reading) =>
        reading.Store.PricePerGb is { } price ? Math.Round(reading.Entries.Sum(static e => e.Bytes) / Gigabyte * price, 6) : null;

    // The tier that keeps it longest; what no tier keeps is protected, or unknown.
    private static string Tier(RetentionDecision decision) =>
        decision
            .Reasons.Where(static r => r.Kind <= KeepReasonKind.Yearly)
            .OrderByDescending(static r => r.Until ?? DateTimeOffset.MaxValue)
            .Select(static r => r.Kind.ToString().ToLowerInvariant())
            .FirstOrDefault("protected");
}
