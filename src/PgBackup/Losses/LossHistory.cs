using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>The earlier snapshots that a new one is compared with, and from which of them on each thing is compared anew.</summary>
internal sealed class LossHistory
{
    // Longer than the longest comparison.
    private static readonly TimeSpan Remembered = TimeSpan.FromDays(40);

    private readonly Dictionary<(string Database, string? Table, string? Column), SettledLoss> starts = [];

    /// <summary>Reads it.</summary>
    /// <param name="now">The new snapshot.</param>
    /// <param name="snapshots">Complete ones, newest first.</param>
    public LossHistory(Manifest now, IReadOnlyList<EarlierSnapshot> snapshots)
    {
        Snapshots = snapshots;
        // What a clock that was ahead settled holds for that snapshot alone.
        foreach (SettledLoss one in snapshots.SelectMany(static s => s.Settled).Where(s => string.CompareOrdinal(s.Snapshot, now.Id) < 0))
        {
            var key = (one.Database, one.Table, one.Column);
            if (!starts.TryGetValue(key, out SettledLoss? known) || string.CompareOrdinal(known.Snapshot, one.Snapshot) < 0)
            {
                starts[key] = one;
            }
        }

        DateTimeOffset oldest = SnapshotId.TryParse(now.Id)!.Value.Time - Remembered;
        Settled =
        [
            .. starts
                .Values.Where(s => SnapshotId.TryParse(s.Snapshot) is { } id && id.Time >= oldest)
                .OrderBy(static s => s.Database, StringComparer.Ordinal)
                .ThenBy(static s => s.Table, StringComparer.Ordinal)
                .ThenBy(static s => s.Column, StringComparer.Ordinal),
        ];
    }

    /// <summary>The snapshots, newest first.</summary>
    public IReadOnlyList<EarlierSnapshot> Snapshots { get; }

    /// <summary>What the new snapshot hands on.</summary>
    public IReadOnlyList<SettledLoss> Settled { get; }

    /// <summary>The snapshot from which on a thing is compared, because a loss of it, or of what it is in, was settled there; null for
    /// all.</summary>
    public string? StartOf(string database, string? table, string? column)
    {
        string? start = Of(null, null);
        if (table is not null)
        {
            start = Later(start, Of(table, null));
        }

        return column is null ? start : Later(start, Of(table, column));

        string? Of(string? inTable, string? inColumn) => starts.GetValueOrDefault((database, inTable, inColumn))?.Snapshot;
    }

    private static string? Later(string? one, string? other) => string.CompareOrdinal(one, other) >= 0 ? one : other;
}
