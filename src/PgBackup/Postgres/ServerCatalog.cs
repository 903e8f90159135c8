using System.Text.Json;

namespace PgBackup.Postgres;

/// <summary>The databases of a server, templates and closed ones too.</summary>
internal static class ServerCatalog
{
    /// <summary>Their names.</summary>
    public static Task<HashSet<string>> DatabasesAsync(PsqlSession session, CancellationToken cancel) =>
        RoleLimits.NamesAsync(session, "SELECT datname AS name FROM pg_database", cancel);

    /// <summary>Their names, each with its oid, which a database keeps under another name.</summary>
    public static async Task<Dictionary<string, long>> OidsAsync(PsqlSession session, CancellationToken cancel)
    {
        Dictionary<string, long> oids = new(StringComparer.Ordinal);
        foreach (JsonElement row in await session.QueryAsync("SELECT datname, oid::bigint AS oid FROM pg_database", cancel))
        {
            oids[row.GetProperty("datname").GetString()!] = row.GetProperty("oid").GetInt64();
        }

        return oids;
    }
}
