using System.Text.Json;
using PgBackup.Postgres;

namespace PgBackup.Operations.Source;

/// <summary>
/// Locks all tables of all databases in ACCESS SHARE mode before the moment is fixed: LOCK TABLE takes no snapshot, so the moment comes
/// when no migration is under way in any of them (PostgreSQL manual, LOCK). Reading and writing continue; DROP, TRUNCATE, CLUSTER, and any
/// ALTER TABLE that could leave a dump without rows wait until the database is dumped.
/// </summary>
/// <remarks>
/// All or none: an attempt that has to wait longer than <see cref="Attempt"/> gives back the locks in every database before the next one.
/// So nobody queues behind this run for long, and a migration that goes through several databases meets no lock of ours that waits for it.
/// An attempt is shorter than the server's default <c>deadlock_timeout</c>: the server never ends the other side of a deadlock for us.
/// </remarks>
internal static class TableLocks
{
    private static readonly TimeSpan Attempt = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    // undefined_table, invalid_schema_name, insufficient_privilege, wrong_object_type
    private static readonly string[] ListIsOld = ["42P01", "3F000", "42501", "42809"];

    /// <summary>
    /// Begins a READ COMMITTED, READ ONLY transaction in the session of each database, and locks its tables. Returns the databases where
    /// that failed, with the reason; they have no transaction, and the others do without them.
    /// </summary>
    /// <param name="databases">The databases; each session is in no transaction.</param>
    /// <param name="patience">How long migrations are waited for; 0 for ever.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<IReadOnlyDictionary<SourceDatabase, PgBackupException>> TakeAsync(
        IReadOnlyList<SourceDatabase> databases,
        TimeSpan patience,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        long start = clock.GetTimestamp();
        Dictionary<SourceDatabase, PgBackupException> failed = [];
        List<SourceDatabase> wanted = [.. databases];
        while (wanted.Count > 0)
        {
            Refusal?[] refusals = await Task.WhenAll(wanted.Select(d => TryAsync(d, cancel)));
            if (refusals.All(static r => r is null))
            {
                break;
            }

            // What was locked is given back everywhere, and no query has fixed a moment yet.
            PgBackupException?[] undone = await Task.WhenAll(
                wanted.Select(
                    (d, i) =>
                        refusals[i] is null
                            ? LostAsync(() => d.Session.ExecuteAsync("ROLLBACK", cancel))
                            : Task.FromResult<PgBackupException?>(null)
                )
            );
            bool over = patience > TimeSpan.Zero && clock.GetElapsedTime(start) >= patience;
            List<SourceDatabase> next = [];
            for (int i = 0; i < wanted.Count; i++)
            {
                if (undone[i] is { } lost)
                {
                    failed[wanted[i]] = lost;
                }
                else if (refusals[i] is { } refusal && (over || !refusal.Passes))
                {
                    failed[wanted[i]] = refusal.IsLock ? await ExplainAsync(wanted[i], refusal.Error, patience, cancel) : refusal.Error;
                }
                else
                {
                    next.Add(wanted[i]);
                }
            }

            if (next.Count == wanted.Count)
            {
                await Task.Delay(Pause, clock, cancel);
            }

            // A table may have come, gone or been renamed: that is what was waited for.
            PgBackupException?[] listed = await Task.WhenAll(next.Select(d => LostAsync(() => d.ListTablesAsync(cancel))));
            for (int i = 0; i < next.Count; i++)
            {
                if (listed[i] is { } lost)
                {
                    failed[next[i]] = lost;
                }
            }

            wanted = [.. next.Where(d => !failed.ContainsKey(d))];
        }

        return failed;
    }

    // Null for success. A database whose session is lost fails alone.
    private static async Task<PgBackupException?> LostAsync(Func<Task> step)
    {
        try
        {
            await step();
            return null;
        }
        catch (PgBackupException e)
        {
            return e;
        }
    }

    // Null for success; else the transaction is undone.
    private static async Task<Refusal?> TryAsync(SourceDatabase database, CancellationToken cancel)
    {
        try
        {
            await database.Session.ExecuteAsync("BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY", cancel);
            if (database.Tables.Length == 0)
            {
                return null;
            }

            await database.Session.ExecuteAsync($"SET LOCAL lock_timeout = {(int)Attempt.TotalMilliseconds}", cancel);
            PsqlReply reply = await database.Session.TryAsync($"LOCK TABLE {database.Tables} IN ACCESS SHARE MODE", cancel);
            if (reply.Succeeded)
            {
                // What is read later in this transaction waits for a catalog as long as it has to.
                await database.Session.ExecuteAsync("SET LOCAL lock_timeout = 0", cancel);
                return null;
            }

            await database.Session.ExecuteAsync("ROLLBACK", cancel);
            string message = $"the tables of {database.Name} cannot be locked: {reply.Message} (SQLSTATE {reply.SqlState})";
            // out_of_memory: psql reports the message without its hint, and for LOCK TABLE it is the lock table that is full.
            var error = new PgBackupException(
                ErrorCode.SqlFailed,
                message,
                reply.SqlState == "53200" ? LockTable.Remedy : DumpAdvice.For(reply.Message)
            );
            return new Refusal(error, reply.SqlState is "55P03" or "40P01", ListIsOld.Contains(reply.SqlState));
        }
        catch (PgBackupException e)
        {
            return new Refusal(e, IsLock: false, IsOld: false); // the session is lost, and with it the transaction
        }
    }

    // Who holds what: the table and the session, or the prepared transaction, which has none.
    private static async Task<PgBackupException> ExplainAsync(
        SourceDatabase database,
        PgBackupException error,
        TimeSpan patience,
        CancellationToken cancel
    )
    {
        IReadOnlyList<JsonElement> holders = [];
        PgBackupException? lost = await LostAsync(async () =>
            holders = await database.Session.QueryAsync(
                """
                SELECT coalesce(n.nspname || '.' || c.relname, 'a table') AS name, l.pid, a.application_name AS application,
                  a.usename AS role, a.xact_start::timestamptz(0)::text AS since
                FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace LEFT
                  JOIN pg_stat_activity a ON a.pid = l.pid
                WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.granted AND c.relkind IN ('r', 'p')
                  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                ORDER BY a.xact_start, 1 LIMIT 3
                """,
                cancel
            )
        );
        if (lost is not null)
        {
            return lost;
        }

        List<string> held = [.. holders.Select(static h => $"{h.GetProperty("name").GetString()} by {Holder(h)}")];
        bool prepared = holders.Any(static h => h.GetProperty("pid").ValueKind == JsonValueKind.Null);
        return new PgBackupException(
            ErrorCode.TablesLocked,
            $"tables of {database.Name} were locked for {patience.TotalSeconds:0} s: "
                + $"{(held.Count == 0 ? error.Message : string.Join("; ", held))}.",
            prepared
                ? "End the prepared transaction: `SELECT * FROM pg_prepared_xacts` names it, and `ROLLBACK PREPARED` or `COMMIT "
                    + "PREPARED` ends it."
                : "A migration or another long transaction holds a lock on a table. Run the backup again when it has ended, or raise "
                    + "dump.lock_timeout."
        );
    }

    private static string Holder(JsonElement row) =>
        row.GetProperty("pid").ValueKind == JsonValueKind.Null
            ? "a prepared transaction"
            : $"process {row.GetProperty("pid").GetInt32()} of the server (\"{row.GetProperty("application").GetString()}\", role "
                + $"{row.GetProperty("role").GetString()}, since {row.GetProperty("since").GetString()})";

    // Somebody holds a lock (lock_not_available, deadlock_detected), or the list of tables is not that of the database any more.
    private sealed record Refusal(PgBackupException Error, bool IsLock, bool IsOld)
    {
        public bool Passes => IsLock || IsOld;
    }
}
