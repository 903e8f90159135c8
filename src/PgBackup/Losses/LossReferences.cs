using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>Which snapshots of a store a new one is compared with, from their names alone. Pure.</summary>
public static class LossReferences
{
    // A snapshot of one of these days is a few hours younger or older.
    internal static readonly TimeSpan Jitter = TimeSpan.FromHours(1);

    // Of snapshots of a clock that was ahead; they count only where there is nothing else.
    private const int MostOfFuture = 2;

    /// <summary>
    /// The last 14 complete ones, the newest without an unconfirmed loss, and those of 7 and 30 days ago: about twenty at most, newest
    /// first. Those that are later than now come last: their clock was ahead, or that of today is behind.
    /// </summary>
    /// <param name="entries">What the store lists.</param>
    /// <param name="now">The time of the new snapshot.</param>
    public static IReadOnlyList<CatalogEntry> Choose(IEnumerable<CatalogEntry> entries, DateTimeOffset now)
    {
        List<CatalogEntry> complete = [.. entries.Where(static e => e.IsComplete).OrderByDescending(static e => e.Id)];
        List<CatalogEntry> past = [.. complete.Where(e => e.Id.Time <= now)];
        HashSet<SnapshotId> chosen = [.. past.Take(LossRules.UsualNights).Select(static e => e.Id)];
        Choose(TimeSpan.Zero);
        foreach (TimeSpan span in LossRules.LongAgo)
        {
            Choose(span - Jitter);
        }

        return [.. past.Where(e => chosen.Contains(e.Id)), .. complete.Where(e => e.Id.Time > now).Take(MostOfFuture)];

        void Choose(TimeSpan age)
        {
            List<CatalogEntry> old = [.. past.SkipWhile(e => now - e.Id.Time < age)];
            chosen.UnionWith(old.Take(1).Select(static e => e.Id));
            chosen.UnionWith(old.Where(static e => !e.HasUnconfirmedLoss).Take(1).Select(static e => e.Id));
        }
    }
}
