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

    /// <summary>A sleeping compute or a starting server gives these; trying again is right.</summary>
    public static bool IsTransient(string message) => Passing.Any(p => message.Contains(p, StringComparison.OrdinalIgnoreCase));

    /// <summary>The remedy for what libpq or the server said, or null.</summary>
    public static string? For(string message)
    {
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

        if (message.Contains("does not exist", StringComparison.Ordinal))
        {
            return "`psql -l` on that server lists its databases and `\\du` its roles; correct the name in the config.";
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
