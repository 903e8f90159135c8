namespace PgBackup.Postgres;

/// <summary>What to do about libpq's connection errors, and which of them pass by themselves.</summary>
internal static class ConnectionAdvice
{
    private static readonly string[] Passing =
    [
        "Connection refused",
        "timeout expired",
        "Connection timed out",
        "server closed the connection unexpectedly",
        "starting up",
        "Control plane request failed",
        "endpoint is",
        "Connection reset by peer",
        "Temporary failure in name resolution",
        "No route to host",
        "SSL SYSCALL error: EOF detected",
        "Compute node",
        "could not wake",
    ];

    // The first one that fits is used: a message names every address that was tried, and some words are part of others.
    private static readonly KnownError[] Known =
    [
        // pgbouncer, in old and new words. No server says so.
        new(IsOfPooler, "That is a connection pooler (pgbouncer). Give the port of the server itself, mostly 5432."),
        new(
            All(".s.PGSQL.", "No such file or directory"),
            "No server listens there: is it up? In a container it is looked for where PGDATA/postmaster.pid says, or PGHOST "
                + "and PGPORT of the container; in a URL add its port and ?host=/FOLDER."
        ),
        new(
            All("password authentication failed"),
            "The password is wrong for this role: check password_file (or PGPASSWORD / PGPASSFILE)."
        ),
        new(
            All("no password supplied"),
            "The server asks for a password: set password_file in the config (or PGPASSWORD / PGPASSFILE in the environment)."
        ),
        new(
            Any("root certificate", "certificate verify failed"),
            "Add sslrootcert=/path/to/ca.pem to the URL, or sslrootcert=system for a certificate of a public authority."
        ),
        new(Connections.AreUsedUp, Connections.Remedy),
        // An interrupted DROP DATABASE leaves one (SQLSTATE 55000).
        new(
            All("cannot connect to invalid database"),
            "A DROP DATABASE of it was interrupted, and what is left cannot be used by anybody: DROP DATABASE it, and take its "
                + "name out of the config."
        ),
        new(
            All("not currently accepting connections"),
            "Somebody closed it: ALTER DATABASE ... ALLOW_CONNECTIONS true opens it, or take its name out of the config."
        ),
        new(
            All("role \"", "does not exist"),
            "Name a role that the server has, with its superuser for the most: podman: { container: NAME, user: ROLE }, or in "
                + "the URL; `\\du` lists them."
        ),
        new(All("does not exist"), Missing),
        new(
            All("permission denied for database"),
            "GRANT CONNECT ON DATABASE ... TO the backup role: a database whose PUBLIC rights were revoked needs it each time."
        ),
        new(Any("Connection refused", "could not translate host name"), "Check host and port, and that the server listens there."),
    ];

    /// <summary>What to do about a database that is not there.</summary>
    public const string Missing = "`psql -l` on that server lists its databases; correct the name in the config.";

    /// <summary>A sleeping compute or a starting server gives these; trying again is right.</summary>
    public static bool IsTransient(string message) => Passing.Any(p => message.Contains(p, StringComparison.OrdinalIgnoreCase));

    /// <summary>None of the words is known: the server may have said it in another language, which nothing can change before it lets us
    /// in.</summary>
    public static bool IsUnknown(string message) => !IsTransient(message) && For(message) is null;

    /// <summary>It was this database that let us not in; another of the same server may.</summary>
    public static bool IsOfDatabase(PgBackupException refused) =>
        refused.Code == ErrorCode.DatabaseMissing
        || (
            (string[])
                [
                    "permission denied for database",
                    "pg_hba.conf",
                    "not currently accepting connections",
                    "invalid database",
                    "too many connections for database",
                ]
        ).Any(w => refused.Message.Contains(w, StringComparison.Ordinal))
        || IsUnknown(refused.Message);

    /// <summary>The remedy for what libpq or the server said, or null.</summary>
    public static string? For(string message) => Array.Find(Known, k => k.IsIn(message))?.Remedy;

    private static bool IsOfPooler(string message) =>
        message.Contains("unsupported startup parameter", StringComparison.Ordinal)
        || message.Contains("no such database: ", StringComparison.Ordinal)
        || message.Contains("pgbouncer", StringComparison.OrdinalIgnoreCase);

    private static Func<string, bool> All(params string[] words) =>
        message => Array.TrueForAll(words, w => message.Contains(w, StringComparison.Ordinal));

    private static Func<string, bool> Any(params string[] words) =>
        message => Array.Exists(words, w => message.Contains(w, StringComparison.Ordinal));

    private sealed record KnownError(Func<string, bool> IsIn, string Remedy);
}
