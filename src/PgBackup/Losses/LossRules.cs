using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>
/// What a new snapshot has less of than earlier ones. Pure: the same manifests give the same losses.
/// </summary>
/// <remarks>
/// <para>
/// Each thing (a database, a table, a column) is compared with the newest earlier complete snapshot in which it has no loss that nobody
/// settled. So a loss is found again every night, since the same snapshot, until it is confirmed or mended; and where it was confirmed,
/// comparisons start anew. What the newest snapshots say of an open loss is enough for that: the one that it is since may have gone.
/// </para>
/// <para>
/// A loss is a database, a table or a column that is gone; a table of ten rows or more that is empty; a durable table with less than half
/// of
/// its rows, also of those that it had 7 and 30 days ago. A table that nobody classified is compared with the lowest of the last 14, and
/// less
/// than half of that is a warning until it stays, or more than nine tenths are gone. An ephemeral table is lost only when it vanishes.
/// </para>
/// </remarks>
public static class LossRules
{
    /// <summary>Of a table with fewer rows that nobody classified, nothing is said: half of next to nothing is soon lost.</summary>
    public const long FewestRows = 10;

    /// <summary>How many good snapshots show what is normal for a table that nobody classified.</summary>
    public const int UsualNights = 14;

    /// <summary>How far back durable tables are compared beside the last good snapshot: slow losses show there.</summary>
    public static IReadOnlyList<TimeSpan> LongAgo { get; } = [TimeSpan.FromDays(7), TimeSpan.FromDays(30)];

    /// <summary>Compares.</summary>
    /// <param name="now">The new snapshot, complete or not.</param>
    /// <param name="earlier">Complete ones, newest first. Those of a clock that was ahead come last.</param>
    /// <param name="classes">What tables may lose.</param>
    /// <param name="isConfirmed">Whether a person has settled a loss of a snapshot.</param>
    /// <returns>The losses, and partitions that went because they were old: the grave ones first, then by name.</returns>
    public static LossReport Of(Manifest now, IReadOnlyList<Manifest> earlier, TableClasses classes, Func<Manifest, Loss, bool> isConfirmed)
    {
        // One that was not compared itself is no witness, unless there is no other.
        List<Manifest> compared = [.. earlier.Where(static m => m.IsCompared)];
        List<EarlierSnapshot> snapshots = [.. (compared.Count > 0 ? compared : earlier).Select(m => new EarlierSnapshot(m, isConfirmed))];
        IEnumerable<string> names = snapshots
            .SelectMany(static s => s.Manifest.Databases.Select(static p => p.Database!).Concat(s.Open.Select(static l => l.Database)))
            .Distinct(StringComparer.Ordinal);
        var history = new LossHistory(now, snapshots);
        List<Loss> losses = [];
        List<Finding> notes = [];
        foreach (string name in names)
        {
            if (now.Databases.FirstOrDefault(p => p.Database == name) is { } part)
            {
                var database = new DatabaseLosses(now, part, history, classes);
                losses.AddRange(database.Find());
                notes.AddRange(database.Notes);
            }
            else if (IsGone(name, now) && DatabaseGone(name, history) is { } gone)
            {
                losses.Add(gone);
            }
        }

        return new LossReport
        {
            Settled = history.Settled,
            Losses =
            [
                .. losses
                    .OrderByDescending(static l => l.Severity)
                    .ThenBy(static l => l.Database, StringComparer.Ordinal)
                    .ThenBy(static l => l.Table, StringComparer.Ordinal)
                    .ThenBy(static l => l.Column, StringComparer.Ordinal),
            ],
            Notes = [.. notes.OrderBy(static n => n.Subject, StringComparer.Ordinal)],
        };
    }

    // The failure, or the demand to leave it out, says enough where the server still has it. A list of the server is the best witness;
    // without one, the error of the dump is.
    private static bool IsGone(string name, Manifest now)
    {
        if (now.LeftOut.Contains(name, StringComparer.Ordinal))
        {
            return false;
        }

        PartFailure? failed = now.Failures.FirstOrDefault(f => f.Part == name);
        return failed is null
            || (
                now.ServerDatabases is { } today
                    ? !today.Contains(name, StringComparer.Ordinal)
                    : failed.Code == PgBackupException.CodeTextOf(ErrorCode.DatabaseMissing)
            );
    }

    private static Loss? DatabaseGone(string name, LossHistory history)
    {
        LossTrail trail = LossTrail.Of(history, name, null, null);
        return trail.Good is [var reference, ..] && reference.Database(name) is { } part
                ? new Loss
                {
                    Kind = LossKind.DatabaseGone,
                    Database = name,
                    Before = part.Proof.Rows,
                    Now = 0,
                    Since = reference.Manifest.Id,
                    Severity = Severity.Error,
                }
            : trail is { Good: [], Carried: { } carried } ? carried with { IsExpected = false }
            : null;
    }
}

/// <summary>What a comparison found.</summary>
public sealed record LossReport
{
    /// <summary>Nothing.</summary>
    public static LossReport Empty { get; } =
        new()
        {
            Losses = [],
            Notes = [],
            Settled = [],
        };

    /// <summary>The losses.</summary>
    public required IReadOnlyList<Loss> Losses { get; init; }

    /// <summary>What is worth knowing, and no loss: partitions that went because they were old.</summary>
    public required IReadOnlyList<Finding> Notes { get; init; }

    /// <summary>From where on comparisons start anew, for the manifest.</summary>
    public required IReadOnlyList<SettledLoss> Settled { get; init; }
}
