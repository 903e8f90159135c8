namespace PgBackup.Postgres;

/// <summary>What to do about libpq's connection errors, and which of them pass by themselves.</summary>
internal static class ConnectionAdvice
{
    private static readonly string[] Passing =
    [
        "Connection refused", "timeout expired", "Connection timed out", "server closed the connection unexpectedly", "starting up",
        "Control plane request failed", "endpoint is", "Connection reset by peer", "Temporary failure in name resolution",
        "No route to host", "SSL SYSCALL error: EOF detected", "Compute node", "could not wake",
    ];

    /// <summary>What to do about a database that is not there.</summary>
    public const string Missing = "`psql -l` on that server lists its databases; correct the name in the config.";

    /// <summary>A sleeping compute or a starting server gives these; trying again is right.</summary>
    public static bool IsTransient(string message) => Passing.Any(p => message.Contains(p, StringComparison.OrdinalIgnoreCase));

    /// <summary>None of the words is known: the server may have said it in another language, which nothing can change before it lets us
    /// in.</summary>
    public static bool IsUnknown(string message) => !IsTransient(message) && For(message) is null;

    /// <summary>It was this database that let us not in; another of the same server may.</summary>
    public static bool IsOfDatabase(PgBackupException refused) => refused.Code == ErrorCode.DatabaseMissing ||
        ((string[])["permission denied for database", "pg_hba.conf", "not currently accepting connections", "invalid database",
            "too many connections for database"])
            .Any(w => refused.Message.Contains(w, StringComparison.Ordinal)) || IsUnknown(refused.Message);

    /// <summary>The remedy for what libpq or the server said, or null.</summary>
    public static string? For(string message)
    {
        // pgbouncer, in old and new words. No server says so.
        if (message.Contains("unsupported startup parameter", StringComparison.Ordinal)
            || message.Contains("no such database: ", StringComparison.Ordinal) ||
            message.Contains("pgbouncer", StringComparison.OrdinalIgnoreCase))
        {
            return "That is a connection pooler (pgbouncer). Give the port of the server itself, mostly 5432.";
        }

        if (message.Contains(".s.PGSQL.", StringComparison.Ordinal) && message.Contains("No such file or directory", StringComparison.Ordinal))
        {
            return "No server listens there: is it up? In a container it is looked for where PGDATA/postmaster.pid says, or PGHOST and PGPORT of the container; in a URL add its port and ?host=/FOLDER.";
        }

        if (message.Contains("password authentication failed", StringComparison.Ordinal))
        {
            return "The password is wrong for this role: check password_file (or PGPASSWORD / PGPASSFILE).";
        }

        if (message.Contains("no password supplied", StringComparison.Ordinal))
        {
            return "The server asks for a password: set password_file in the config (or PGPASSWORD / PGPASSFILE in the environment).";
        }

        if (message.Contains("root certificate", StringComparison.Ordinal) || message.Contains("certificate verify failed", StringComparison.Ordinal))
        {
            return "Add sslrootcert=/path/to/ca.pem to the URL, or sslrootcert=system for a certificate of a public authority.";
        }

        if (Connections.AreUsedUp(message))
        {
            return Connections.Remedy;
        }

        // An interrupted DROP DATABASE leaves one (SQLSTATE 55000).
        if (message.Contains("cannot connect to invalid database", StringComparison.Ordinal))
        {
            return "A DROP DATABASE of it was interrupted, and what is left cannot be used by anybody: DROP DATABASE it, and take its name out of the config.";
        }

        if (message.Contains("not currently accepting connections", StringComparison.Ordinal))
        {
            return "Somebody closed it: ALTER DATABASE ... ALLOW_CONNECTIONS true opens it, or take its name out of the config.";
        }

        if (message.Contains("role \"", StringComparison.Ordinal) && message.Contains("does not exist", StringComparison.Ordinal))
        {
            return "Name a role that the server has, with its superuser for the most: podman: { container: NAME, user: ROLE }, or in the URL; `\\du` lists them.";
        }

        if (message.Contains("does not exist", StringComparison.Ordinal))
        {
            return Missing;
        }

        if (message.Contains("permission denied for database", StringComparison.Ordinal))
        {
            return "GRANT CONNECT ON DATABASE ... TO the backup role: a database whose PUBLIC rights were revoked needs it each time.";
        }

        if (message.Contains("Connection refused", StringComparison.Ordinal) || message.Contains("could not translate host name", StringComparison.Ordinal))
        {
            return "Check host and port, and that the server listens there.";
        }

        return null;
    }
}
