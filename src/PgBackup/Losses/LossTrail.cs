using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>What the earlier snapshots say of one thing: a database, a table or a column.</summary>
internal sealed record LossTrail
{
    /// <summary>Those in which it has no open loss, newest first, back to the first in which a loss of it was settled: what was before that
    /// does not count any more.</summary>
    public required IReadOnlyList<EarlierSnapshot> Good { get; init; }

    /// <summary>Its loss in the newest ones, which nobody has settled; null where the newest is good.</summary>
    public required Loss? Carried { get; init; }

    /// <summary>Follows a thing through the snapshots.</summary>
    /// <param name="history">The earlier snapshots.</param>
    /// <param name="database">The database.</param>
    /// <param name="table">The table, or null.</param>
    /// <param name="column">The column, or null.</param>
    public static LossTrail Of(LossHistory history, string database, string? table, string? column)
    {
        IReadOnlyList<EarlierSnapshot> earlier = history.Snapshots;
        string? start = history.StartOf(database, table, column);
        int lacking = earlier.TakeWhile(s => s.OpenLoss(database, table, column) is not null).Count();
        Loss? carried = lacking > 0 ? earlier[0].OpenLoss(database, table, column) : null;
        if (lacking < earlier.Count && string.CompareOrdinal(earlier[lacking].Manifest.Id, carried?.Since) < 0)
        {
            // The one that the loss is since was removed: what was before it knows less than the loss says.
            return new LossTrail { Good = [], Carried = carried };
        }

        List<EarlierSnapshot> good = [];
        foreach (EarlierSnapshot snapshot in earlier.Skip(lacking).TakeWhile(s => string.CompareOrdinal(s.Manifest.Id, start) >= 0))
        {
            if (snapshot.OpenLoss(database, table, column) is { } dip)
            {
                // Only one from which it came back by itself shows what is normal.
                good.AddRange(dip.Severity == Severity.Warning ? [snapshot] : []);
                continue;
            }

            good.Add(snapshot);
            if (snapshot.IsSettled(database, table, column))
            {
                break;
            }
        }

        return new LossTrail { Good = good, Carried = carried };
    }
}
