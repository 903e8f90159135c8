using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>Databases of the server that no backup takes: which came, and which went. Pure.</summary>
internal static class UncoveredDatabases
{
    /// <summary>Compares with the last complete snapshot; without one, there is nothing to say.</summary>
    public static IReadOnlyList<Finding> Of(Manifest? previous, Manifest now)
    {
        if (previous?.ServerDatabases is not { } then || now.ServerDatabases is not { } today)
        {
            return [];
        }

        // One that failed, or was left out on demand, is in the config all the same.
        HashSet<string> known =
        [
            .. now.Databases.Select(static p => p.Database!),
            .. now.Failures.Select(static f => f.Part),
            .. now.LeftOut,
        ];
        return
        [
            .. then.Except(today, StringComparer.Ordinal)
                .Where(name => previous.Databases.All(p => p.Database != name))
                .Select(name =>
                    Finding.Warning(
                        ErrorCode.UncoveredDatabaseGone,
                        name,
                        $"the database {name}, which no backup took, was on the server at {previous.Id}, and is not there any more"
                    )
                ),
            .. today
                .Except(then, StringComparer.Ordinal)
                .Where(name => !known.Contains(name))
                .Select(name =>
                    Finding.Warning(
                        ErrorCode.DatabaseUncovered,
                        name,
                        $"the database {name} is on the server since {previous.Id}, and in no snapshot",
                        "the config does not name it"
                    )
                ),
        ];
    }
}
