using System.Globalization;
using System.Text.Json;

namespace PgBackup.Postgres;

/// <summary>The connections that a run takes, and those that a server has left.</summary>
internal static class Connections
{
    /// <summary>What to do when there are too few.</summary>
    public const string Remedy =
        "A run needs one connection for each database, one for each dump at the same time (dump.jobs), and one for the roles. Lower "
        + "dump.jobs, raise max_connections on the server (or the limit of the role or database), or run when fewer are connected.";

    // SQLSTATE 53300, which psql and pg_dump do not print when they cannot connect.
    private static readonly string[] Refusals =
    [
        "too many clients already",
        "remaining connection slots are reserved",
        "too many connections for role",
        "too many connections for database",
    ];

    /// <summary>The server had none left.</summary>
    public static bool AreUsedUp(string message) => Refusals.Any(r => message.Contains(r, StringComparison.Ordinal));

    /// <summary>
    /// How many dumps can run at the same time beside the sessions that are open already, at most so many as are wanted; one more
    /// connection is kept for the roles. Where the server's figures say that there are too few, it is tried. Others come and go: it is so
    /// at this moment.
    /// </summary>
    /// <param name="databases">How many sessions are open, for the message.</param>
    /// <param name="wanted">How many dumps are wanted at the same time, at least 1.</param>
    /// <param name="server">The server.</param>
    /// <param name="session">One of the sessions.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Connection"/>: not even one can run.</exception>
    public static async Task<int> DumpsAsync(
        int databases,
        int wanted,
        PostgresServer server,
        PsqlSession session,
        CancellationToken cancel
    )
    {
        int needed = wanted + 1;
        int free = await FiguresAsync(session, cancel) >= needed ? needed : await TryAsync(needed, server, cancel);
        return free >= 2
            ? free - 1
            : throw new PgBackupException(
                ErrorCode.Connection,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the server has {Words.Count(free, "connection")} left for this role, with {databases} open that hold "
                        + $"the moment. The run needs {databases} + {wanted} + 1 = {databases + needed}, and with dump.jobs: 1 still "
                        + $"{databases + 2}. Nothing was dumped."
                ),
                Remedy
            );
    }

    // What is reserved counts only for those who may use it. Sessions of other roles show that they are there, and not what they are: this
    // may be too few.
    private static async Task<long> FiguresAsync(PsqlSession session, CancellationToken cancel)
    {
        JsonElement row = await session.QueryRowAsync(
            """
            SELECT least(
              current_setting('max_connections')::bigint
                - CASE WHEN r.rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::bigint
                    + coalesce(current_setting('reserved_connections', true)::bigint, 0) END
                - (SELECT count(*) FROM pg_stat_activity a WHERE a.datid IS NOT NULL AND a.usesysid IS NOT NULL),
              CASE WHEN NOT r.rolsuper AND r.rolconnlimit >= 0
                THEN r.rolconnlimit - (SELECT count(*) FROM pg_stat_activity a WHERE a.usename = r.rolname) END) AS free
            FROM pg_roles r WHERE r.rolname = session_user
            """,
            cancel
        );
        return row.GetProperty("free").GetInt64();
    }

    private static async Task<int> TryAsync(int needed, PostgresServer server, CancellationToken cancel)
    {
        List<PsqlSession> opened = [];
        try
        {
            while (opened.Count < needed)
            {
                opened.Add(await server.ConnectAsync(TimeSpan.Zero, cancel));
            }
        }
        catch (PgBackupException e) when (AreUsedUp(e.Message))
        {
            // that many there are
        }
        finally
        {
            foreach (PsqlSession session in opened)
            {
                await session.DisposeAsync();
            }
        }

        return opened.Count;
    }
}
