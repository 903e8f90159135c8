using System.Text.Json;
using PgBackup.Postgres;

namespace PgBackup.Operations.Drill;

/// <summary>What a server has apart from databases: its roles with a digest of each, its tablespaces, and the settings of all
/// roles.</summary>
internal sealed record ServerBelongings(
    IReadOnlyDictionary<string, string> Roles,
    IReadOnlySet<string> Tablespaces,
    IReadOnlyDictionary<string, string> Settings
)
{
    /// <summary>Asks; of a role that may not read passwords, the digests are without them.</summary>
    public static async Task<ServerBelongings> ReadAsync(PsqlSession session, CancellationToken cancel)
    {
        bool whole = (await session.QueryRowAsync("SELECT has_table_privilege('pg_authid', 'SELECT') AS may", cancel))
            .GetProperty("may")
            .GetBoolean();
        IReadOnlyList<JsonElement> roles = await session.QueryAsync(
            $"""
            SELECT r.rolname AS name, md5(r::text
                || coalesce((SELECT string_agg(s.setconfig::text, ' ') FROM pg_db_role_setting s WHERE s.setrole = r.oid
                  AND s.setdatabase = 0), '')
                || coalesce((SELECT string_agg(m::text, ' ' ORDER BY m.roleid, m::text) FROM pg_auth_members m
                  WHERE m.member = r.oid), '')) AS digest
            FROM {(whole ? "pg_authid" : "pg_roles")} r
            """,
            cancel
        );
        IReadOnlyList<string> settings = await GlobalsSupplement.SettingsAsync(session, cancel);
        return new ServerBelongings(
            roles.ToDictionary(
                static r => r.GetProperty("name").GetString()!,
                static r => r.GetProperty("digest").GetString()!,
                StringComparer.Ordinal
            ),
            await RoleLimits.NamesAsync(session, "SELECT spcname AS name FROM pg_tablespace", cancel),
            settings.ToDictionary(static s => s[..s.IndexOf('=', StringComparison.Ordinal)], StringComparer.OrdinalIgnoreCase)
        );
    }
}
