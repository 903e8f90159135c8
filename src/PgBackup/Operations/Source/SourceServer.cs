using PgBackup.Configuration;
using PgBackup.Postgres;

namespace PgBackup.Operations.Source;

/// <summary>The server of a config and the tools for it, before anything is asked of it.</summary>
internal static class SourceServer
{
    /// <summary>Finds the tools. The server is that of the source itself.</summary>
    /// <param name="source">The server.</param>
    /// <param name="databases">The databases, one of which serves where there is no database <c>postgres</c>.</param>
    /// <param name="applicationName">What the server calls the sessions.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The tools, to be disposed last, and the server.</returns>
    /// <exception cref="PgBackupException">There are no tools that fit, or the password cannot be read.</exception>
    public static async Task<(FoundTools Found, PostgresServer Server)> OpenAsync(
        SourceConfig source,
        IReadOnlyList<DatabaseConfig> databases,
        string applicationName,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        PgConnection connection = source.Connection.WithPasswordOf(source.PasswordFile);
        connection = source.Engine is null ? connection.WithSurroundings() : connection;
        FoundTools found = source.Engine is not null
            ? await ToolFinder.InContainerAsync(source.Engine, source.Container!, clock, cancel)
            : await ToolFinder.ForUrlAsync(connection, source.ToolsImage, source.HostToolsOnly, source.ConnectRetry, clock, cancel);
        return (
            found,
            new PostgresServer(found.Tools, connection, applicationName, clock)
            {
                OtherDatabases = [.. databases.Where(static d => d.Connection is null).Select(static d => d.Name), "template1"],
            }
        );
    }

    /// <summary>The server that a database is on: that of the source, or one of its own.</summary>
    /// <exception cref="PgBackupException">The password cannot be read.</exception>
    public static PostgresServer Of(DatabaseConfig database, PostgresServer source, string applicationName, TimeProvider clock) =>
        database.Connection is null && database.PasswordFile is null
            ? source
            : new PostgresServer(
                source.Tools,
                (database.Connection ?? source.Connection).WithPasswordOf(database.PasswordFile).WithSurroundings(),
                applicationName,
                clock
            );
}
