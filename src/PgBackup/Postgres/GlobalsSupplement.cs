using System.Text;
using System.Text.Json;

namespace PgBackup.Postgres;

/// <summary>
/// What belongs to the roles of a cluster and is in no dump of pg_dumpall: settings of all roles (<c>ALTER ROLE ALL SET</c> without a
/// database) and comments on predefined roles. The rest of a cluster that it leaves out is no content (ALTER SYSTEM, replication slots).
/// </summary>
internal static class GlobalsSupplement
{
    /// <summary>What a statement about all roles begins with.</summary>
    public const string AllRoles = "ALTER ROLE ALL SET ";

    // Settings whose value is a list of quoted names (GUC_LIST_QUOTE); no catalog names them, and pg_dump has the same list.
    private static readonly HashSet<string> Lists = new(StringComparer.OrdinalIgnoreCase)
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    };

    /// <summary>The statements, in an order that does not change. Any role may read them.</summary>
    public static async Task<IReadOnlyList<string>> ReadAsync(PsqlSession session, CancellationToken cancel)
    {
        IReadOnlyList<string> settings = await SettingsAsync(session, cancel);
        IReadOnlyList<JsonElement> comments = await session.QueryAsync(
            """
            SELECT r.rolname AS role, d.description AS comment FROM pg_catalog.pg_shdescription d JOIN pg_catalog.pg_roles r
              ON r.oid = d.objoid
            WHERE d.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND r.rolname LIKE 'pg\_%' ORDER BY r.rolname COLLATE "C"
            """,
            cancel
        );
        return
        [
            .. settings.Select(Setting).Order(StringComparer.Ordinal),
            .. comments.Select(static c =>
                $"COMMENT ON ROLE {Sql.Name(c.GetProperty("role").GetString()!)} IS {Literal(c.GetProperty("comment").GetString()!)};"
            ),
        ];
    }

    /// <summary>The settings of all roles, each as <c>name=value</c>.</summary>
    public static async Task<IReadOnlyList<string>> SettingsAsync(PsqlSession session, CancellationToken cancel) =>
        [
            .. (
                await session.QueryAsync(
                    "SELECT unnest(setconfig) AS setting FROM pg_catalog.pg_db_role_setting WHERE setrole = 0 AND setdatabase = 0",
                    cancel
                )
            ).Select(static s => s.GetProperty("setting").GetString()!),
        ];

    /// <summary>The statement for an element of <c>setconfig</c>, <c>name=value</c>.</summary>
    public static string Setting(string setting)
    {
        int equals = setting.IndexOf('=', StringComparison.Ordinal);
        (string name, string value) = (setting[..equals], setting[(equals + 1)..]);
        string worded = Lists.Contains(name) ? string.Join(", ", Elements(value).Select(Literal)) : Literal(value);
        return $"{AllRoles}{Sql.Name(name)} TO {(worded.Length == 0 ? "''" : worded)};";
    }

    // The names of a list, in double quotes or plain.
    private static IEnumerable<string> Elements(string list)
    {
        int at = 0;
        while (at < list.Length)
        {
            if (list[at] is ' ' or ',')
            {
                at++;
            }
            else if (list[at] == '"' && Sql.ReadName(list, at) is (string quoted, int end))
            {
                at = end;
                yield return quoted;
            }
            else
            {
                int comma = list.IndexOf(',', at);
                comma = comma < 0 ? list.Length : comma;
                yield return list[at..comma].TrimEnd();
                at = comma;
            }
        }
    }

    // Read in the same way whatever standard_conforming_strings says.
    private static string Literal(string text) =>
        new StringBuilder(text.Contains('\\', StringComparison.Ordinal) ? "E'" : "'")
            .Append(text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal))
            .Append('\'')
            .ToString();
}
