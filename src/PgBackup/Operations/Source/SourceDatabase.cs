using System.Text.Json;
using PgBackup.Postgres;

namespace PgBackup.Operations.Source;

/// <summary>One database of the cluster, with the session that holds its moment.</summary>
internal sealed class SourceDatabase : IAsyncDisposable
{
    /// <summary>The name.</summary>
    public required string Name { get; init; }

    /// <summary>The server it is on.</summary>
    public required PostgresServer Server { get; init; }

    /// <summary>The session that holds the snapshot.</summary>
    public required PsqlSession Session { get; init; }

    /// <summary>Server and role of the session.</summary>
    public required ServerFacts Facts { get; init; }

    /// <summary>Its size on the server.</summary>
    public required long Bytes { get; init; }

    /// <summary>Its encoding, in which it is dumped.</summary>
    public required string Encoding { get; init; }

    /// <summary>What a dump of it by this role cannot contain.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>The tablespace that it lies in, quoted where SQL needs it; null for the default one.</summary>
    public string? Tablespace { get; private init; }

    /// <summary>Whose its extensions are, which a dump does not say; null when it has none.</summary>
    public IReadOnlyDictionary<string, string>? ExtensionOwners { get; private init; }

    /// <summary>The exported snapshot.</summary>
    public string SnapshotName => moment?.SnapshotName ?? "";

    /// <summary>The tables that a dump reads, as LOCK TABLE wants them; empty for none.</summary>
    public string Tables { get; private set; } = "";

    // A server whose connections are used up has one again when the backend of the dump is gone.
    private static readonly TimeSpan AskingTime = TimeSpan.FromSeconds(15);

    private CatalogWatch? moment;
    private Task? asked;

    /// <summary>Asks for size, encoding, and what pg_dump leaves out without an error.</summary>
    public static async Task<SourceDatabase> DescribeAsync(
        string name,
        PostgresServer server,
        PsqlSession session,
        ServerFacts facts,
        CancellationToken cancel
    )
    {
        JsonElement row = await session.QueryRowAsync(
            """
            SELECT pg_database_size(current_database()) AS bytes, current_setting('server_encoding') AS encoding,
              (SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ' ORDER BY 1) FROM pg_index i JOIN pg_class c
                ON c.oid = i.indexrelid
                 JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid AND c.relkind = 'i') AS invalid_indexes,
              (SELECT count(*) FROM pg_subscription s WHERE s.subdbid = (SELECT oid FROM pg_database
                WHERE datname = current_database())) AS subscriptions,
              (SELECT count(*) FROM pg_user_mappings) AS user_mappings,
              (SELECT format('%I', spcname) FROM pg_tablespace t JOIN pg_database d ON t.oid = d.dattablespace
                WHERE datname = current_database() AND spcname <> 'pg_default') AS tablespace,
              (SELECT json_object_agg(extname, pg_get_userbyid(extowner)) FROM pg_extension WHERE extname <> 'plpgsql') AS extension_owners
            """,
            cancel
        );
        List<string> notes = [];
        if (row.GetProperty("invalid_indexes").GetString() is { } invalid)
        {
            notes.Add($"{name}: invalid indexes are not part of a dump: {invalid}");
        }

        if (!facts.IsSuperuser && row.GetProperty("subscriptions").GetInt64() > 0)
        {
            notes.Add($"{name}: its subscriptions are not in the dump, because {facts.Role} is not a superuser");
        }

        if (!facts.IsSuperuser && row.GetProperty("user_mappings").GetInt64() > 0)
        {
            notes.Add($"{name}: users and passwords of foreign servers are not in the dump, because {facts.Role} is not a superuser");
        }

        var database = new SourceDatabase
        {
            Name = name,
            Server = server,
            Session = session,
            Facts = facts,
            Bytes = row.GetProperty("bytes").GetInt64(),
            Encoding = row.GetProperty("encoding").GetString()!,
            Notes = notes,
            Tablespace = row.GetProperty("tablespace").GetString(),
            ExtensionOwners = row.GetProperty("extension_owners") is { ValueKind: JsonValueKind.Object } owners
                ? new SortedDictionary<string, string>(
                    owners.EnumerateObject().ToDictionary(static o => o.Name, static o => o.Value.GetString()!),
                    StringComparer.Ordinal
                )
                : null,
        };
        await database.ListTablesAsync(cancel);
        await CatalogWatch.PrepareAsync(session, cancel);
        return database;
    }

    /// <summary>
    /// Reads <see cref="Tables"/>, before a transaction has a snapshot. A table that the role may not read is left out: pg_dump says so in
    /// its own words.
    /// </summary>
    public async Task ListTablesAsync(CancellationToken cancel)
    {
        JsonElement row = await Session.QueryRowAsync(
            """
            SELECT string_agg(format('ONLY %I.%I', n.nspname, c.relname), ', ' ORDER BY c.oid) AS tables FROM pg_class c JOIN pg_namespace n
              ON n.oid = c.relnamespace
            WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND has_schema_privilege(n.oid, 'USAGE')
              AND has_table_privilege(c.oid, 'SELECT')
            """,
            cancel
        );
        Tables = row.GetProperty("tables").GetString() ?? "";
    }

    /// <summary>Fixes the moment, in the READ COMMITTED transaction that was begun.</summary>
    public async Task<CatalogWatch> ExportAsync(CancellationToken cancel) => moment = await CatalogWatch.ExportAsync(Session, cancel);

    /// <summary>
    /// Asks, after the dump, whether it is that of the moment: nothing that was there then may have been replaced or dropped meanwhile.
    /// Asked again, it gives the same answer.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.MomentLost"/>, with the names of what changed.</exception>
    public Task RequireUnchangedAsync(CancellationToken cancel) => asked ??= AskAsync(cancel);

    private async Task AskAsync(CancellationToken cancel)
    {
        IReadOnlyList<string> changes;
        try
        {
            changes = await moment!.ChangesAsync(Session, ConnectAsync, cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.Connection && !cancel.IsCancellationRequested)
        {
            // The session has ended, and its locks with it; the dump has continued with the snapshot.
            await using PsqlSession other = await ConnectAsync(cancel);
            changes = [.. (await moment!.ChangedKindsAsync(other, cancel)).Select(static k => $"some {k}")];
        }

        if (changes.Count > 0)
        {
            throw new PgBackupException(
                ErrorCode.MomentLost,
                $"{Name} was changed while it was dumped, so that the dump is not that of one moment: {string.Join(", ", changes)}.",
                "A migration ran at the same time. Run the backup again when it has ended, and keep migrations out of the minutes of "
                    + "the backup."
            );
        }

        Task<PsqlSession> ConnectAsync(CancellationToken c) => Server.ConnectAsync(Name, AskingTime, c);
    }

    /// <summary>Gives the locks on the tables back; the lock that keeps a second backup away stays.</summary>
    public async Task ReleaseAsync(CancellationToken cancel)
    {
        try
        {
            await Session.ExecuteAsync("ROLLBACK", cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.Connection)
        {
            // The session has ended, and its locks with it. The dump was found right before.
        }
    }

    /// <summary>Ends the session, and with it all locks.</summary>
    public async ValueTask DisposeAsync()
    {
        // It ends with the run's cancellation, or with its answer; a server that gives none must not keep the run.
        await (asked ?? Task.CompletedTask)
            .WaitAsync(TimeSpan.FromSeconds(5), Server.Clock)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Session.DisposeAsync();
    }
}
