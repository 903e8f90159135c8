using System.Globalization;
using System.Text.Json;
using PgBackup.Postgres;

namespace PgBackup.Operations.Doctor;

/// <summary>The settings of a server, as a session in one of its databases has them, that a backup or a restore suffers from.</summary>
internal sealed class DatabaseSettings
{
    // What a role or a database sets, and pg_dump takes over. A run sets its own.
    private static readonly string[] TakenOver =
    [
        "client_encoding",
        "default_transaction_read_only",
        "idle_in_transaction_session_timeout",
        "lock_timeout",
        "role",
        "row_security",
        "search_path",
        "statement_timeout",
        "transaction_timeout",
    ];

    private const string Question = """
        SELECT (SELECT coalesce(json_object_agg(name, json_build_object('setting', setting, 'source', source)), '{}'::json)
            FROM pg_settings WHERE name IN ('zero_damaged_pages', 'ignore_checksum_failure', 'old_snapshot_threshold',
              'hot_standby_feedback', 'max_standby_streaming_delay', 'max_locks_per_transaction', 'max_connections',
              'max_prepared_transactions')) AS settings,
          (SELECT coalesce(json_agg(DISTINCT pair ORDER BY pair), '[]'::json) FROM pg_db_role_setting s, unnest(s.setconfig) pair
            WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
              AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))) AS own,
          (SELECT count(*) FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'p', 'S', 'v', 'm', 'f') AND relpersistence <> 't')
            AS lockable
        """;

    private readonly string database;
    private readonly Dictionary<string, (string Value, string Source)> settings = new(StringComparer.Ordinal);
    private readonly List<string> own = [];

    private DatabaseSettings(string database, JsonElement row)
    {
        this.database = database;
        foreach (JsonProperty one in row.GetProperty("settings").EnumerateObject())
        {
            settings[one.Name] = (one.Value.GetProperty("setting").GetString() ?? "", one.Value.GetProperty("source").GetString() ?? "");
        }

        own.AddRange(row.GetProperty("own").EnumerateArray().Select(static p => p.GetString()!));
        Lockable = row.GetProperty("lockable").GetInt64();
    }

    /// <summary>How many tables, sequences and views it has, each of which a dump locks.</summary>
    public long Lockable { get; }

    /// <summary>Asks.</summary>
    public static async Task<DatabaseSettings> ReadAsync(string database, PsqlSession session, CancellationToken cancel) =>
        new(database, await session.QueryRowAsync(Question, cancel));

    /// <summary>The settings that do harm, each with the statement that takes it back.</summary>
    /// <param name="server">For messages.</param>
    /// <param name="role">The role of the backup.</param>
    /// <param name="isStandby">The server follows another one.</param>
    public IReadOnlyList<Finding> Findings(string server, string role, bool isStandby)
    {
        List<Finding> findings = [];
        if (Of("zero_damaged_pages") == "on")
        {
            findings.Add(Bites(server, role, "zero_damaged_pages", "rows on a damaged page are dumped as if they were not there"));
        }

        if (Of("ignore_checksum_failure") == "on")
        {
            findings.Add(Bites(server, role, "ignore_checksum_failure", "damaged rows are dumped as they are, without an error"));
        }

        if (Of("old_snapshot_threshold") is { Length: > 0 } and not "-1")
        {
            findings.Add(Bites(server, role, "old_snapshot_threshold", "a dump that takes longer fails: \"snapshot too old\""));
        }

        if (isStandby && Of("hot_standby_feedback") != "on" && Of("max_standby_streaming_delay") != "-1")
        {
            findings.Add(
                Finding.Warning(
                    ErrorCode.SettingBites,
                    server,
                    $"{server} is a standby, and ends a dump that is in the way of what the primary does",
                    "hot_standby_feedback is off, and max_standby_streaming_delay is not -1",
                    "On the standby: ALTER SYSTEM SET hot_standby_feedback = on; SELECT pg_reload_conf();"
                )
            );
        }

        List<string> takenOver = [.. own.Where(static o => TakenOver.Contains(o.Split('=')[0], StringComparer.Ordinal))];
        if (takenOver.Count > 0)
        {
            bool readOnly = takenOver.Any(static o => o.StartsWith("default_transaction_read_only=", StringComparison.Ordinal));
            findings.Add(
                Finding.Note(
                    ErrorCode.SettingBites,
                    database,
                    $"{database} has {string.Join(", ", takenOver)} for {role}, or for all",
                    "runs, drills and restores of olympus-pgbackup set their own; a pg_dump or pg_restore by hand takes it over",
                    readOnly
                        ? "For a restore by hand: export PGOPTIONS='-c default_transaction_read_only=off'"
                        : "For a dump by hand, take it back first (`\\drds` in psql lists them), or name it in PGOPTIONS"
                )
            );
        }

        return findings;
    }

    /// <summary>That a run may lock more tables than the server has room for: those of all databases at the same time.</summary>
    public static IReadOnlyList<Finding> Locks(string server, IReadOnlyList<DatabaseSettings> databases)
    {
        long needed = databases.Sum(static d => d.Lockable) * 2; // our own session and pg_dump's
        DatabaseSettings one = databases[0];
        long each = one.Number("max_locks_per_transaction");
        long backends = one.Number("max_connections") + one.Number("max_prepared_transactions");
        if (each == 0 || backends == 0 || needed <= each * backends)
        {
            return [];
        }

        long wanted = (needed + backends - 1) / backends;
        return
        [
            Finding.Warning(
                ErrorCode.SettingBites,
                server,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{server} can hold {each * backends:N0} locks for sure, and a run may take {needed:N0}"
                ),
                "a run locks all tables of all databases, and so does each pg_dump",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"ALTER SYSTEM SET max_locks_per_transaction = {wanted}; then restart the server"
                )
            ),
        ];
    }

    private string Of(string name) => settings.GetValueOrDefault(name).Value ?? "";

    private long Number(string name) =>
        long.TryParse(Of(name), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;

    private Finding Bites(string server, string role, string name, string harm)
    {
        (string value, string from) = settings[name];
        (string subject, string where, string fix) = from switch
        {
            "database" => (database, $" in {database}", $"ALTER DATABASE {Identifier.Quoted(database)} RESET {name};"),
            "user" => (role, $" for {role}", $"ALTER ROLE {Identifier.Quoted(role)} RESET {name};"),
            "database user" => (
                database,
                $" for {role} in {database}",
                $"ALTER ROLE {Identifier.Quoted(role)} IN DATABASE {Identifier.Quoted(database)} RESET {name};"
            ),
            _ => (server, $" on {server}", $"ALTER SYSTEM RESET {name}; SELECT pg_reload_conf(); (or take it out of postgresql.conf)"),
        };
        return Finding.Warning(ErrorCode.SettingBites, subject, $"{name} is {value}{where}", harm, $"As a superuser: {fix}");
    }
}
