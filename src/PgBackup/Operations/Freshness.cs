using PgBackup.Snapshots;

namespace PgBackup.Operations;

/// <summary>Whether a store's newest complete snapshot is young enough (<c>max_age</c>). Pure.</summary>
public static class Freshness
{
    /// <summary>The newest complete snapshot by its names, those of the future apart: they were made under a wrong clock, and say nothing
    /// about how old the data is. Null for none.</summary>
    public static CatalogEntry? Newest(IEnumerable<CatalogEntry> entries, DateTimeOffset now) =>
        entries.Where(e => e.IsComplete && !e.Id.IsAfter(now)).MaxBy(static e => e.Id);

    /// <summary>What is wrong with the age of a store's snapshots; empty where nothing is.</summary>
    /// <param name="store">The store's name.</param>
    /// <param name="entries">What it holds.</param>
    /// <param name="maxAge">How old the newest complete one may be.</param>
    /// <param name="now">The moment.</param>
    public static IReadOnlyList<Finding> Of(string store, IReadOnlyList<CatalogEntry> entries, TimeSpan maxAge, DateTimeOffset now)
    {
        List<Finding> findings = [];
        if (Newest(entries, now) is not { } newest)
        {
            findings.Add(
                Finding.Error(
                    ErrorCode.NoCompleteSnapshot,
                    store,
                    $"{store} has no complete snapshot",
                    fix: "Take one with `olympus-pgbackup run`; what fails then says why"
                )
            );
        }
        else
        {
            findings.AddRange(OfAge(store, newest.Id, maxAge, now));
        }

        if (entries.LastOrDefault(e => e.IsComplete && e.Id.IsAfter(now)) is { } future)
        {
            findings.Add(
                Finding.Warning(
                    ErrorCode.SnapshotFromTheFuture,
                    future.Id.ToString(),
                    $"the snapshot {future.Id} in {store} is from the future, and does not count as the newest",
                    "the clock of the host that made it was wrong, or this host's is",
                    "Compare the clocks of both hosts with the time"
                )
            );
        }

        return findings;
    }

    /// <summary>That a snapshot, the newest complete one of its store, is too old; empty where it is not.</summary>
    public static IReadOnlyList<Finding> OfAge(string store, SnapshotId newest, TimeSpan maxAge, DateTimeOffset now) =>
        now - newest.Time <= maxAge
            ? []
            :
            [
                Finding.Error(
                    ErrorCode.SnapshotTooOld,
                    store,
                    $"TOO OLD: the newest complete snapshot in {store}, {newest}, is {Words.Age(now - newest.Time)} old",
                    $"max_age allows {Words.Age(maxAge)}",
                    "Find out why no run has ended well since: look at cron's mail, then start `olympus-pgbackup run`"
                ),
            ];
}
