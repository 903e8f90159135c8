using System.Globalization;
using PgBackup.Proofs;

namespace PgBackup.Snapshots;

/// <summary>
/// What a new snapshot has less of than the one before it: nothing failed, and yet somebody should look before the old ones are gone.
/// </summary>
internal static class SnapshotWarnings
{
    /// <summary>Of a table with fewer rows, nothing is said: half of next to nothing is soon lost.</summary>
    internal const long FewestRows = 10;

    // Of one database; a dropped schema has hundreds of tables.
    private const int MostTables = 10;

    /// <summary>Compares with the last complete snapshot; without one, there is nothing to say.</summary>
    /// <returns>A sentence each.</returns>
    public static IReadOnlyList<string> Of(Manifest? previous, Manifest now)
    {
        if (previous is null)
        {
            return [];
        }

        List<string> warnings = [];
        foreach (Part before in previous.Databases)
        {
            if (now.Databases.FirstOrDefault(p => p.Database == before.Database) is { } after)
            {
                warnings.AddRange(Losses(before.Database!, before.Proof, after.Proof, previous.Id));
            }
            else if (Absence(before.Database!, now) is { } why)
            {
                warnings.Add(string.Create(CultureInfo.InvariantCulture, $"the database {before.Database} {why}; the snapshot {previous.Id} has it, with {before.Proof.Rows:N0} rows"));
            }
        }

        if (previous.ServerDatabases is { } then && now.ServerDatabases is { } today)
        {
            warnings.AddRange(then.Except(today, StringComparer.Ordinal).Where(name => previous.Databases.All(p => p.Database != name))
                .Select(name => $"the database {name}, which no backup took, was on the server at {previous.Id}, and is not there any more"));
            // One that failed, or was left out on demand, is in the config all the same.
            HashSet<string> known = [.. now.Databases.Select(static p => p.Database!), .. now.Failures.Select(static f => f.Part), .. now.LeftOut];
            warnings.AddRange(today.Except(then, StringComparer.Ordinal).Where(name => !known.Contains(name))
                .Select(name => $"the database {name} is on the server since {previous.Id}, and in no snapshot: the config does not name it"));
        }

        return warnings;
    }

    // Null where the failure, or the demand to leave it out, says enough.
    private static string? Absence(string name, Manifest now)
    {
        bool failed = now.Failures.Any(f => f.Part == name);
        // A list of the server is the best witness; without one, the error of the dump is.
        bool gone = now.ServerDatabases is { } today
            ? !today.Contains(name, StringComparer.Ordinal)
            : now.Failures.Any(f => f.Part == name && f.Code == PgBackupException.CodeTextOf(ErrorCode.DatabaseMissing));
        return now.LeftOut.Contains(name, StringComparer.Ordinal) ? null
            : !failed ? "is in no backup any more: the config does not name it" + (gone ? ", and the server does not have it" : "")
            : gone ? "is not on the server any more"
            : null;
    }

    private static IEnumerable<string> Losses(string database, Proof before, Proof after, string since)
    {
        List<(string Table, long Before, long? After)> lost = [];
        foreach ((string table, TableProof proof) in before.Tables.Where(static t => t.Value.Rows >= FewestRows))
        {
            long? rows = after.Tables.GetValueOrDefault(table)?.Rows;
            if ((rows ?? 0) < proof.Rows - (rows ?? 0))
            {
                lost.Add((table, proof.Rows, rows));
            }
        }

        foreach ((string table, long rows, long? left) in lost.OrderByDescending(static l => l.Before).Take(MostTables))
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{database}: the table {table} {(left is null ? $"is gone; it had {rows:N0} rows" : $"lost more than half of its rows: {rows:N0}")} in {since}{(left is { } few ? $", {few:N0} now" : "")}");
        }

        if (lost.Count > MostTables)
        {
            yield return $"{database}: {lost.Count - MostTables} more tables lost more than half of their rows since {since}: `olympus-pgbackup diff` names them";
        }
    }
}
