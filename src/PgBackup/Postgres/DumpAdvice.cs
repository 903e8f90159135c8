namespace PgBackup.Postgres;

/// <summary>What to do about the usual refusals of pg_dump.</summary>
internal static class DumpAdvice
{
    /// <summary>
    /// pg_dump gave up waiting for a table: its <c>--lock-wait-timeout</c> is a statement_timeout around LOCK TABLE, and is reported as
    /// one, in the server's language. The query is quoted in any.
    /// </summary>
    public static bool IsLockTimeout(string message) =>
        message.Contains("LOCK TABLE", StringComparison.Ordinal)
        && !LockTable.IsFull(message)
        && !message.Contains("permission denied", StringComparison.Ordinal);

    /// <summary>The remedy for what pg_dump said, or null.</summary>
    public static string? For(string message) =>
        message switch
        {
            _ when message.Contains("row-level security policy", StringComparison.Ordinal) =>
                "The role does not see all rows, and a dump of some rows is not a backup: ALTER ROLE ... BYPASSRLS (as a superuser), or "
                    + "back up as a superuser.",
            _ when message.Contains("permission denied for large object", StringComparison.Ordinal) =>
                "GRANT SELECT ON LARGE OBJECT ... TO the backup role (pg_read_all_data does not cover large objects), or back up as a "
                    + "superuser.",
            _ when message.Contains("permission denied for", StringComparison.Ordinal) =>
                "GRANT pg_read_all_data TO the backup role: it then reads every table, those of later migrations too.",
            _ when Connections.AreUsedUp(message) => Connections.Remedy,
            // PostgreSQL manual, hot standby: a query is ended when the primary removes rows, or locks a table, that it still needs.
            _ when message.Contains("conflict with recovery", StringComparison.Ordinal) =>
                "The server is a standby, and what the primary did ended the dump. Set hot_standby_feedback = on and "
                    + "max_standby_streaming_delay = -1 on the standby, or back up from the primary.",
            _ when message.Contains("invalid memory alloc request size", StringComparison.Ordinal) =>
                "A value of that table is too long for the text of COPY, which ends at 1 GB: bytea of more than some 500 MiB does not "
                    + "fit. Find it: SELECT ctid, octet_length(COLUMN) FROM TABLE ORDER BY 2 DESC LIMIT 5;"
                    + " then split it into several rows, or move it into a large object.",
            _ when LockTable.IsFull(message) => LockTable.Remedy,
            // --lock-wait-timeout is a statement_timeout around LOCK TABLE, and is reported as one.
            _ when message.Contains("lock timeout", StringComparison.Ordinal)
                    || message.Contains("Query was: LOCK TABLE", StringComparison.Ordinal) =>
                "A migration or another long transaction holds a lock on a table. Run the backup again when it has ended, or raise "
                    + "dump.lock_timeout."
                    + " A prepared transaction never ends by itself: SELECT gid, prepared, owner FROM pg_prepared_xacts; then COMMIT "
                    + "PREPARED or ROLLBACK PREPARED.",
            _ when message.Contains("terminating connection", StringComparison.Ordinal)
                    || message.Contains("server closed the connection", StringComparison.Ordinal) =>
                "The server ended the dump's session (a restart, a dropped database, or an administrator). Run the backup again.",
            _ when message.Contains("does not support compression", StringComparison.Ordinal) =>
                "This pg_dump was built without that method: write dump: { compress: \"gzip:6\" }.",
            _ => null,
        };
}
