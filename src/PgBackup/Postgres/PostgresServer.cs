using System.Text.Json;
using PgBackup.Tools;

namespace PgBackup.Postgres;

/// <summary>
/// A server and the tools that talk to it: sessions, dumps, restores. The owner of all knowledge about the arguments of
/// pg_dump, pg_dumpall, pg_restore and psql.
/// </summary>
public sealed class PostgresServer(PostgresTools tools, PgConnection connection, string applicationName)
{
    /// <summary>The tools in use.</summary>
    public PostgresTools Tools => tools;

    /// <summary>How it is reached.</summary>
    public PgConnection Connection => connection;

    /// <summary>The database to connect to when none in particular is meant.</summary>
    public string MaintenanceDatabase => connection.Database ?? "postgres";

    /// <summary>For messages: the container, or the URL without its password.</summary>
    public string Description => tools.Host is ContainerTools && connection.Host is null ? $"the server {tools.Host.Place}" : connection.ToString();

    /// <summary>Opens a session; for <paramref name="patience"/>, tries again while the failure is one that passes.</summary>
    /// <param name="database">The database's name.</param>
    /// <param name="patience">How long a sleeping compute or a starting server is waited for.</param>
    /// <param name="clock">Time.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Connection"/> or <see cref="ErrorCode.DatabaseMissing"/>.</exception>
    public async Task<PsqlSession> ConnectAsync(string database, TimeSpan patience, TimeProvider clock, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                ToolProcess psql = await StartAsync(
                    "psql", ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password", "--set=ON_ERROR_STOP=0"], database, cancel);
                return await PsqlSession.OpenAsync(psql, $"database {database} on {Description}", cancel);
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.Connection && ConnectionAdvice.IsTransient(e.Message))
            {
                // Exponential, with jitter, so that five databases do not knock in step.
                double seconds = Math.Min(Math.Pow(2, attempt) * 0.5, 8) * (0.75 + (0.5 * Random.Shared.NextDouble()));
                if (clock.GetElapsedTime(start) + TimeSpan.FromSeconds(seconds) >= patience)
                {
                    throw;
                }

                await Task.Delay(TimeSpan.FromSeconds(seconds), clock, cancel);
            }
        }
    }

    /// <summary>What the backup must know of a server before it begins.</summary>
    public static async Task<ServerFacts> ReadFactsAsync(PsqlSession session, CancellationToken cancel)
    {
        JsonElement row = await session.QueryRowAsync(
            """
            SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number, current_user AS role,
                   r.rolsuper AS superuser,
                   has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS reads_passwords
            FROM pg_roles r WHERE r.rolname = current_user
            """,
            cancel);
        return new ServerFacts
        {
            Version = row.GetProperty("version").GetString()!.Split(' ')[0],
            Major = row.GetProperty("number").GetInt32() / 10000,
            Role = row.GetProperty("role").GetString()!,
            IsSuperuser = row.GetProperty("superuser").GetBoolean(),
            ReadsPasswords = row.GetProperty("reads_passwords").GetBoolean(),
        };
    }

    /// <summary>
    /// Starts a dump in custom format on stdout. The database's own encoding is asked for, whatever the role's settings say;
    /// row security is never enabled, so that a role which does not see all rows fails instead of dumping some.
    /// </summary>
    public Task<ToolProcess> DumpAsync(DumpRequest request, CancellationToken cancel) => StartAsync(
        "pg_dump",
        [
            "--format=custom", $"--compress={request.Compression}", $"--snapshot={request.SnapshotName}", $"--encoding={request.Encoding}",
            $"--lock-wait-timeout={(long)request.LockTimeout.TotalMilliseconds}", "--no-password",
        ],
        request.Database,
        cancel,
        $"pg_dump of {request.Database}");

    /// <summary>
    /// Starts a plain dump of a database with its own settings, to read its proof from. Its literals are worded as in the archive that it
    /// is compared with: with <paramref name="standardStrings"/> false, they escape by backslashes. Of a database in use, it is that of an
    /// exported snapshot, and waits no longer for a lock than is said.
    /// </summary>
    public Task<ToolProcess> DumpScriptAsync(
        string database, string encoding, bool standardStrings, CancellationToken cancel, string? snapshotName = null, TimeSpan? lockTimeout = null)
    {
        List<string> arguments = ["--format=plain", "--create", "--no-tablespaces", $"--encoding={encoding}", "--no-password"];
        if (snapshotName is not null)
        {
            arguments.Add($"--snapshot={snapshotName}");
        }

        if (lockTimeout is { } patience)
        {
            arguments.Add($"--lock-wait-timeout={(long)patience.TotalMilliseconds}");
        }

        return StartAsync("pg_dump", arguments, database, cancel, $"pg_dump of {database} (for the comparison)", standardStrings: standardStrings);
    }

    /// <summary>Starts a dump of roles, memberships and tablespaces.</summary>
    public Task<ToolProcess> DumpGlobalsAsync(bool passwords, TimeSpan lockTimeout, CancellationToken cancel)
    {
        List<string> arguments =
            ["--globals-only", "--no-password", $"--lock-wait-timeout={(long)lockTimeout.TotalMilliseconds}", $"--database={Conninfo(MaintenanceDatabase)}"];
        if (!passwords)
        {
            arguments.Add("--no-role-passwords");
        }

        return StartAsync("pg_dumpall", arguments, MaintenanceDatabase, cancel, "pg_dumpall --globals-only");
    }

    /// <summary>
    /// Starts pg_restore into a database that exists. With <paramref name="file"/> null the archive comes on stdin; from a file it
    /// can use several jobs. It goes on after an error, so that all of them are seen, and then exits with 1.
    /// </summary>
    public Task<ToolProcess> RestoreAsync(string database, string? file, int jobs, bool tablespaces, CancellationToken cancel)
    {
        List<string> arguments = [$"--dbname={Conninfo(database)}", "--no-password"];
        if (!tablespaces)
        {
            arguments.Add("--no-tablespaces");
        }

        if (file is not null)
        {
            arguments.AddRange([$"--jobs={jobs}", file]);
        }

        return StartAsync("pg_restore", arguments, database, cancel, $"pg_restore into {database}", mayStopReading: true);
    }

    /// <summary>
    /// Starts pg_restore of the entries of an archive that a list names (<c>pg_restore --use-list</c>); the archive comes on stdin. What it
    /// makes belongs to the role that restores, and nobody else gets privileges on it.
    /// </summary>
    public Task<ToolProcess> RestoreEntriesAsync(string database, string listFile, CancellationToken cancel) => StartAsync(
        "pg_restore", [$"--dbname={Conninfo(database)}", $"--use-list={listFile}", "--no-owner", "--no-privileges", "--no-tablespaces", "--no-password"],
        database, cancel, $"pg_restore into {database}", mayStopReading: true);

    /// <summary>Starts a dump of one schema in custom format on stdout, without owners and privileges.</summary>
    public Task<ToolProcess> DumpSchemaAsync(string database, string schema, string encoding, CancellationToken cancel) => StartAsync(
        "pg_dump",
        ["--format=custom", "--compress=0", $"--schema={Sql.Name(schema)}", $"--encoding={encoding}", "--no-owner", "--no-privileges", "--no-tablespaces", "--no-password"],
        database, cancel, $"pg_dump of {database}");

    /// <summary>
    /// Starts a plain dump of one schema, to compare its tables with those of the same schema elsewhere: values are worded in one way, whatever
    /// the two databases set.
    /// </summary>
    public Task<ToolProcess> DumpSchemaScriptAsync(string database, string schema, string encoding, CancellationToken cancel) => StartAsync(
        "pg_dump", ["--format=plain", $"--schema={Sql.Name(schema)}", "--no-tablespaces", $"--encoding={encoding}", "--no-password"], database, cancel,
        $"pg_dump of {database} (for the comparison)", settings: " -c TimeZone=UTC -c bytea_output=hex -c lc_monetary=C -c xmloption=content");

    /// <summary>Starts pg_restore of a whole archive on stdin in one transaction: all of it is there afterwards, or nothing.</summary>
    public Task<ToolProcess> RestoreAtOnceAsync(string database, CancellationToken cancel) => StartAsync(
        "pg_restore", [$"--dbname={Conninfo(database)}", "--single-transaction", "--no-owner", "--no-privileges", "--no-tablespaces", "--no-password"],
        database, cancel, $"pg_restore into {database}", mayStopReading: true);

    /// <summary>Starts any tool against a database of this server.</summary>
    public Task<ToolProcess> StartAsync(
        string tool, IReadOnlyList<string> arguments, string database, CancellationToken cancel, string? label = null, bool mayStopReading = false,
        bool standardStrings = true, string settings = "")
    {
        Dictionary<string, string?> environment = connection.EnvironmentFor(database, applicationName);
        // What comes with the connection outranks the settings of role and database: time limits would end a dump or even the session's
        // first statement, literals that escape by backslashes would be worded otherwise by the next role, and a database that is
        // read-only by default would refuse its own restore.
        string own = environment.GetValueOrDefault("PGOPTIONS") is { } set ? set + " " : "";
        environment["PGOPTIONS"] = own + "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0" +
            $" -c standard_conforming_strings={(standardStrings ? "on" : "off")}" + (tool == "pg_restore" ? " -c default_transaction_read_only=off" : "") + settings;

        return tools.Host.StartAsync(
            new ToolCommand(tool, arguments) { Environment = environment, Label = label ?? tool, MayStopReading = mayStopReading }, cancel);
    }

    // --dbname takes a connection string: a name with = or :// in it, or an empty one, must not be read as one.
    private static string Conninfo(string database) =>
        $"dbname='{database.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}

/// <summary>One dump to be made.</summary>
public sealed record DumpRequest
{
    /// <summary>The database.</summary>
    public required string Database { get; init; }

    /// <summary>The name of an exported snapshot (<c>pg_export_snapshot()</c>).</summary>
    public required string SnapshotName { get; init; }

    /// <summary>The database's own encoding.</summary>
    public required string Encoding { get; init; }

    /// <summary>The value of <c>--compress</c>.</summary>
    public required string Compression { get; init; }

    /// <summary>How long pg_dump may wait for a table that a migration has locked.</summary>
    public required TimeSpan LockTimeout { get; init; }
}

/// <summary>What a session told about its server and its role.</summary>
public sealed record ServerFacts
{
    /// <summary>The server's version, for instance <c>17.11</c>.</summary>
    public required string Version { get; init; }

    /// <summary>Its major version.</summary>
    public required int Major { get; init; }

    /// <summary>The role of the session.</summary>
    public required string Role { get; init; }

    /// <summary>The role is a superuser.</summary>
    public required bool IsSuperuser { get; init; }

    /// <summary>The role may read password verifiers, which <c>pg_dumpall --globals-only</c> needs.</summary>
    public required bool ReadsPasswords { get; init; }
}
