using System.Text.Json;
using PgBackup.Postgres;

namespace PgBackup.Operations.Doctor;

/// <summary>One server: its version, its clock, its settings, and the databases that it has.</summary>
/// <param name="databases">The databases of the config that are on it, at least one, each with a session.</param>
/// <param name="named">All databases that the config names on it; null where it is no server of the source, whose other databases are none
/// of ours.</param>
/// <param name="clock">The time.</param>
internal sealed class ServerExamination(IReadOnlyList<OpenedDatabase> databases, IReadOnlyList<string>? named, TimeProvider clock)
{
    // What a server, or who manages it, has for itself.
    private static readonly string[] OfTheService = ["postgres", "rdsadmin", "cloudsqladmin", "azure_maintenance", "azure_sys"];

    private readonly PostgresServer server = databases[0].Server;
    private readonly ServerFacts facts = databases[0].Facts!;

    /// <summary>Where it keeps its data, if the role may know.</summary>
    public string? DataFolder { get; private set; }

    /// <summary>Looks at all of it.</summary>
    public async Task RunAsync(Sheet sheet, CancellationToken cancel)
    {
        sheet.Add($"{server.Description}: Postgres {facts.Version}", Versions());
        DateTimeOffset asked = clock.GetUtcNow();
        long start = clock.GetTimestamp();
        JsonElement row = await databases[0]
            .Session!.QueryRowAsync(
                """
                SELECT extract(epoch FROM clock_timestamp())::float8 AS server_clock, pg_is_in_recovery() AS standby,
                  (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS data_folder,
                  (SELECT coalesce(json_agg(datname ORDER BY datname COLLATE "C"), '[]'::json) FROM pg_database
                    WHERE NOT datistemplate AND datallowconn) AS databases
                """,
                cancel
            );
        sheet.Read(ClockReading.Of(server.Description, row.GetProperty("server_clock").GetDouble(), asked, clock.GetElapsedTime(start)));
        DataFolder = row.GetProperty("data_folder").GetString();
        if (named is not null)
        {
            Finding[] uncovered = Uncovered(row.GetProperty("databases"), named);
            sheet.Add($"databases: the config names {Words.Count(named.Count, "database")}, and the server has no others", uncovered);
        }

        sheet.Add(facts.ReadsPasswords ? $"passwords of the roles: {facts.Role} may read them" : "passwords of the roles", Passwords());
        sheet.Add($"settings of {server.Description}", await SettingsAsync(row.GetProperty("standby").GetBoolean(), cancel));
    }

    // Fixes of pg_dump come in minor versions: what an older one writes may lack one that the server's release notes ask for.
    private Finding[] Versions()
    {
        PostgresTools tools = server.Tools;
        return MinorOf(tools.Version) is { } client && MinorOf(facts.Version) is { } there && client < there
            ?
            [
                Finding.Warning(
                    ErrorCode.ClientOlder,
                    server.Description,
                    $"pg_dump {tools.Host.Place} is {tools.Version}, older than the server's {facts.Version}",
                    "minor versions mend pg_dump and pg_restore too",
                    $"On Debian: apt-get install --only-upgrade postgresql-client-{facts.Major}; for tools of an image, pull it again"
                ),
            ]
            : [];
    }

    // 17.11: 11. A beta has none.
    private static int? MinorOf(string version) =>
        version.Split('.') is [_, var minor] && int.TryParse(minor, out int number) ? number : null;

    private Finding[] Uncovered(JsonElement there, IReadOnlyList<string> names) =>
        [
            .. there
                .EnumerateArray()
                .Select(static d => d.GetString()!)
                .Where(d => !OfTheService.Contains(d, StringComparer.Ordinal) && !names.Contains(d, StringComparer.Ordinal))
                .Select(d =>
                    Finding.Warning(
                        ErrorCode.DatabaseUncovered,
                        d,
                        $"the database {d} is on {server.Description}, and in no snapshot",
                        "the config does not name it",
                        $"Add it to databases: in the config, or take it away: DROP DATABASE {Identifier.Quoted(d)};"
                    )
                ),
        ];

    private Finding[] Passwords() =>
        facts.ReadsPasswords
            ? []
            :
            [
                Finding.Note(
                    ErrorCode.PasswordsUnreadable,
                    facts.Role,
                    $"snapshots have the roles without their passwords, which {facts.Role} may not read",
                    "after a restore of the whole server, each role needs a new password",
                    $"As a superuser: GRANT pg_read_all_data TO {Identifier.Quoted(facts.Role)}; (a managed server may refuse them to "
                        + "everybody)"
                ),
            ];

    // Each database has settings of its own; what holds for the server is the same in all of them, and said once.
    private async Task<IReadOnlyList<Finding>> SettingsAsync(bool isStandby, CancellationToken cancel)
    {
        DatabaseSettings[] all = await Task.WhenAll(databases.Select(d => DatabaseSettings.ReadAsync(d.Name, d.Session!, cancel)));
        return
        [
            .. all.SelectMany(s => s.Findings(server.Description, facts.Role, isStandby)).DistinctBy(static f => (f.Subject, f.What)),
            .. DatabaseSettings.Locks(server.Description, all),
        ];
    }
}
