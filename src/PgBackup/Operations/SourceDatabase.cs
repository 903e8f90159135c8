using System.Text.Json;
using PgBackup.Postgres;

namespace PgBackup.Operations;

/// <summary>One database of the cluster, with the session that holds its moment.</summary>
internal sealed class SourceDatabase
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

    /// <summary>The exported snapshot.</summary>
    public string SnapshotName { get; private set; } = "";

    /// <summary>Asks for size, encoding, and what pg_dump leaves out without an error.</summary>
    public static async Task<SourceDatabase> DescribeAsync(
        string name, PostgresServer server, PsqlSession session, ServerFacts facts, CancellationToken cancel)
    {
        JsonElement row = await session.QueryRowAsync(
            """
            SELECT pg_database_size(current_database()) AS bytes, current_setting('server_encoding') AS encoding,
              (SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ' ORDER BY 1) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                 JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid AND c.relkind = 'i') AS invalid_indexes,
              (SELECT count(*) FROM pg_subscription s WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())) AS subscriptions,
              (SELECT count(*) FROM pg_user_mappings) AS user_mappings
            """,
            cancel);
        List<string> notes = [];
        if (row.GetProperty("invalid_indexes").GetString() is { } invalid)
        {
            notes.Add($"{name}: invalid indexes are not part of a dump: {invalid}");
        }

        if (!facts.IsSuperuser && row.GetProperty("subscriptions").GetInt64() > 0)
        {
            notes.Add($"{name}: its subscriptions are not in the dump, because {facts.Role} is no superuser");
        }

        if (!facts.IsSuperuser && row.GetProperty("user_mappings").GetInt64() > 0)
        {
            notes.Add($"{name}: users and passwords of foreign servers are not in the dump, because {facts.Role} is no superuser");
        }

        return new SourceDatabase
        {
            Name = name,
            Server = server,
            Session = session,
            Facts = facts,
            Bytes = row.GetProperty("bytes").GetInt64(),
            Encoding = row.GetProperty("encoding").GetString()!,
            Notes = notes,
        };
    }

    /// <summary>Fixes the moment, in the transaction that was begun.</summary>
    public async Task ExportAsync(CancellationToken cancel)
    {
        JsonElement row = await Session.QueryRowAsync("SELECT pg_export_snapshot() AS name", cancel);
        SnapshotName = row.GetProperty("name").GetString()!;
    }
}
