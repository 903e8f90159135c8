using PgBackup.Configuration;
using PgBackup.Postgres;

namespace PgBackup.Operations.Restore;

/// <summary>Where a restore goes to: a container, or a URL.</summary>
public sealed record RestoreTarget
{
    /// <summary><c>podman</c> or <c>docker</c>, or null for a URL.</summary>
    public string? Engine { get; init; }

    /// <summary>The container.</summary>
    public string? Container { get; init; }

    /// <summary>How to connect.</summary>
    public required PgConnection Connection { get; init; }

    /// <summary>An image whose client tools are used for a URL, or null for the usual choice.</summary>
    public string? ToolsImage { get; init; }

    /// <summary>Tools that are at work there already, and outlive the restore; null to open others.</summary>
    internal PostgresTools? Entered { get; init; }

    /// <summary>Ends when the server takes connections; what is thrown is why it never will.</summary>
    internal Task Ready { get; init; } = Task.CompletedTask;

    /// <summary>Reads <c>podman:NAME</c>, <c>podman:USER@NAME</c>, <c>docker:...</c> or a libpq URL.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/> or <see cref="ErrorCode.ConnectionRefusedByPolicy"/>.</exception>
    public static RestoreTarget Parse(string text, bool acceptWeakTls = false)
    {
        foreach (string engine in (string[])["podman", "docker"])
        {
            if (text.StartsWith(engine + ":", StringComparison.Ordinal))
            {
                string rest = text[(engine.Length + 1)..];
                int at = rest.LastIndexOf('@');
                string container = rest[(at + 1)..];
                return container.Length > 0 && container[0] != '-'
                    ? new RestoreTarget
                    {
                        Engine = engine,
                        Container = container,
                        Connection = PgConnection.InContainer(at > 0 ? rest[..at] : "postgres", null),
                    }
                    : throw Invalid(text, "it names no container");
            }
        }

        try
        {
            PgConnection connection = PgConnection.Parse(text);
            return ConnectionPolicy.PoolerRemedy(connection) is { } direct
                    ? throw new PgBackupException(
                        ErrorCode.ConnectionRefusedByPolicy,
                        $"the host {connection.Host} is a connection pooler, which a restore cannot go through.",
                        direct
                    )
                : !acceptWeakTls && ConnectionPolicy.WeakTls(connection) is { } weak
                    ? throw new PgBackupException(
                        ErrorCode.ConnectionRefusedByPolicy,
                        weak,
                        "Add ?sslmode=verify-full to the URL (and sslrootcert=system for a public authority), or say --accept-weak-tls."
                    )
                : new RestoreTarget { Connection = connection };
        }
        catch (FormatException e)
        {
            throw Invalid(text, e.Message);
        }
    }

    /// <summary>
    /// It is the server of a source, as far as the names show: the same container, or a host and port in common. A container that is named
    /// in one place and reached by its published port in the other is not recognised.
    /// </summary>
    public bool IsSourceOf(BackupConfig config) =>
        Engine is not null
            ? Engine == config.Source.Engine && Container == config.Source.Container
            : config
                .Databases.Select(static d => d.Connection)
                .OfType<PgConnection>()
                .Concat(config.Source.Engine is null ? [config.Source.Connection] : Array.Empty<PgConnection>())
                .SelectMany(static c => c.Endpoints)
                .Intersect(Connection.Endpoints)
                .Any();

    /// <summary>Opens the tools for it; what is to be done to the server is done in none of the databases that are replaced.</summary>
    internal async Task<(FoundTools Found, PostgresServer Server)> OpenAsync(
        IReadOnlyList<string> replaced,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        PgConnection connection = Engine is null ? Connection.WithSurroundings() : Connection;
        FoundTools found =
            Entered is not null ? new FoundTools { Tools = Entered }
            : Engine is not null ? await ToolFinder.InContainerAsync(Engine, Container!, clock, cancel)
            : await ToolFinder.ForUrlAsync(
                connection,
                ToolsImage,
                hostOnly: false,
                TimeSpan.FromSeconds(Connection.IsRemote ? 60 : 0),
                clock,
                cancel
            );
        string[] maintenance = [connection.Database ?? "postgres", "postgres", "template1"];
        string database = maintenance.FirstOrDefault(m => !replaced.Contains(m, StringComparer.Ordinal)) ?? maintenance[0];
        return (
            found,
            new PostgresServer(
                found.Tools,
                database == maintenance[0] ? connection : connection.With("PGDATABASE", database),
                "olympus-pgbackup restore",
                clock
            )
            {
                OtherDatabases = [.. maintenance[1..].Where(m => !replaced.Contains(m, StringComparer.Ordinal))],
            }.AsTarget()
        );
    }

    private static PgBackupException Invalid(string text, string why)
    {
        int at = text.LastIndexOf('@');
        string shown = at < 0 ? text : "..." + text[at..]; // a password may stand before it
        return new PgBackupException(
            ErrorCode.Usage,
            $"\"{shown}\" is not a target: {why}.",
            "Write podman:CONTAINER, or postgres://role@host:5432/ (with PGPASSWORD or PGPASSFILE in the environment)."
        );
    }
}
