using System.Globalization;

namespace PgBackup.Snapshots;

/// <summary>A snapshot's name: the UTC second in which it was taken, <c>20260301T030000Z</c>. Names sort as times do.</summary>
public readonly record struct SnapshotId : IComparable<SnapshotId>
{
    private const string Format = "yyyyMMdd'T'HHmmss'Z'";

    // Hosts that share a store do not agree to the minute.
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(15);

    private SnapshotId(DateTimeOffset time) => Time = time;

    /// <summary>The moment, in UTC, to the second.</summary>
    public DateTimeOffset Time { get; }

    /// <summary>The id of a moment.</summary>
    public static SnapshotId At(DateTimeOffset time)
    {
        DateTimeOffset utc = time.ToUniversalTime();
        return new SnapshotId(new DateTimeOffset(utc.Year, utc.Month, utc.Day, utc.Hour, utc.Minute, utc.Second, TimeSpan.Zero));
    }

    /// <summary>Reads an id; null for any other text.</summary>
    public static SnapshotId? TryParse(string text) =>
        DateTimeOffset.TryParseExact(
            text,
            Format,
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out DateTimeOffset time
        ) && time.Year is >= 1970 and < 9000 // no clock says otherwise, and what is computed from it has room
            ? new SnapshotId(time)
            : null;

    /// <summary>It is later than a moment by more than clocks of two hosts differ: a wrong clock, or a forged name.</summary>
    public bool IsAfter(DateTimeOffset moment) => Time > moment + ClockTolerance;

    /// <inheritdoc/>
    public int CompareTo(SnapshotId other) => Time.CompareTo(other.Time);

    /// <inheritdoc/>
    public override string ToString() => Time.ToString(Format, CultureInfo.InvariantCulture);

    /// <summary>Earlier than.</summary>
    public static bool operator <(SnapshotId left, SnapshotId right) => left.CompareTo(right) < 0;

    /// <summary>Later than.</summary>
    public static bool operator >(SnapshotId left, SnapshotId right) => left.CompareTo(right) > 0;

    /// <summary>Not later than.</summary>
    public static bool operator <=(SnapshotId left, SnapshotId right) => left.CompareTo(right) <= 0;

    /// <summary>Not earlier than.</summary>
    public static bool operator >=(SnapshotId left, SnapshotId right) => left.CompareTo(right) >= 0;
}
