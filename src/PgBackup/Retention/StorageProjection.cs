using PgBackup.Snapshots;

namespace PgBackup.Retention;

/// <summary>
/// What rules add up to in the long run, for one complete snapshot a night, all of one size, none pinned: first a number of snapshots that
/// come and go, then the growth by those that stay.
/// </summary>
public sealed record StorageProjection
{
    // Longer than this is growth to anyone who buys disks.
    private const int LongestYears = 30;

    // After 28 years the nights of the year fall on the same days of the week.
    private const int Years = 28;
    private const int Window = 10_227;

    // A Monday and the first of a year, so that every tier starts with the first night; no leap year is left out until 2100.
    private static readonly DateTimeOffset FirstNight = new(2001, 1, 1, 3, 0, 0, TimeSpan.Zero);

    /// <summary>
    /// The most snapshots that are there at once for reasons that end, as counted each night after the plan was carried out. A length of
    /// more than 30 years counts as for ever.
    /// </summary>
    public required int Snapshots { get; init; }

    /// <summary>Their bytes.</summary>
    public required long Bytes { get; init; }

    /// <summary>How many snapshots a year are kept for ever, on average: they add to <see cref="Snapshots"/>.</summary>
    public required double SnapshotsPerYear { get; init; }

    /// <summary>The bytes that they add a year.</summary>
    public required long BytesPerYear { get; init; }

    /// <summary>Goes through the nights until as many go as come, and then through all that a calendar can hold.</summary>
    public static StorageProjection Of(RetentionRules rules, long bytesPerSnapshot)
    {
        var walk = new TierWalk(rules);
        // By night: how many come, less how many go.
        List<int> changes = [];
        List<bool> forEver = [];
        int longest = 1;
        for (int night = 0; night < longest + Window; night++)
        {
            DateTimeOffset time = FirstNight.AddDays(night);
            List<KeepReason> reasons = walk.Next(Complete(time, bytesPerSnapshot));
            DateTimeOffset limit = time.AddYears(LongestYears);
            DateTimeOffset end = reasons.Where(r => r.Until <= limit).Max(static r => r.Until) ?? time;
            // The newest one is there in its own night, whatever the rules say.
            int nights = Math.Max(1, (int)Math.Ceiling((end - time) / TimeSpan.FromDays(1)));
            longest = Math.Max(longest, nights);
            Add(changes, night, 1);
            Add(changes, night + nights, -1);
            forEver.Add(!rules.HasTiers || reasons.Any(r => r.Until is null || r.Until > limit));
        }

        int there = 0;
        int most = 0;
        for (int night = 0; night < forEver.Count; night++)
        {
            there += changes[night];
            most = Math.Max(most, there);
        }

        double perYear = forEver.TakeLast(Window).Count(static stays => stays) / (double)Years;
        return new StorageProjection
        {
            Snapshots = most,
            Bytes = Times(bytesPerSnapshot, most),
            SnapshotsPerYear = perYear,
            BytesPerYear = Times(bytesPerSnapshot, perYear),
        };
    }

    private static RetainedSnapshot Complete(DateTimeOffset time, long bytes) =>
        new()
        {
            Id = SnapshotId.At(time),
            IsComplete = true,
            IsProven = false,
            IsPinned = false,
            IsReadable = true,
            Bytes = bytes,
        };

    private static void Add(List<int> changes, int night, int change)
    {
        while (changes.Count <= night)
        {
            changes.Add(0);
        }

        changes[night] += change;
    }

    // Conversion of a double to a long saturates.
    private static long Times(long bytes, double number) => (long)Math.Round(bytes * number);
}
