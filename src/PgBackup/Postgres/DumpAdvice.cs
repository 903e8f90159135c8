namespace PgBackup.Postgres;

/// <summary>What to do about the usual refusals of pg_dump.</summary>
internal static class DumpAdvice
{
    /// <summary>The remedy for what pg_dump said, or null.</summary>
    public static string? For(string message) => message switch
    {
        _ when message.Contains("row-level security policy", StringComparison.Ordinal) =>
            "The role does not see all rows, and a dump of some rows is no backup: ALTER ROLE ... BYPASSRLS (as a superuser), or back up as a superuser.",
        _ when message.Contains("permission denied for large object", StringComparison.Ordinal) =>
            "GRANT SELECT ON LARGE OBJECT ... TO the backup role (pg_read_all_data does not cover large objects), or back up as a superuser.",
        _ when message.Contains("permission denied for", StringComparison.Ordinal) =>
            "GRANT pg_read_all_data TO the backup role: it then reads every table, those of later migrations too.",
        // --lock-wait-timeout is a statement_timeout around LOCK TABLE, and is told as one.
        _ when message.Contains("lock timeout", StringComparison.Ordinal) || message.Contains("Query was: LOCK TABLE", StringComparison.Ordinal) =>
            "A migration or another long transaction holds a lock on a table. Run the backup again when it has ended, or raise dump.lock_timeout.",
        _ when message.Contains("terminating connection", StringComparison.Ordinal) || message.Contains("server closed the connection", StringComparison.Ordinal) =>
            "The server ended the dump's session (a restart, a dropped database, or an administrator). Run the backup again.",
        _ when message.Contains("does not support compression", StringComparison.Ordinal) =>
            "This pg_dump was built without that method: write dump: { compress: \"gzip:6\" }.",
        _ => null,
    };
}
