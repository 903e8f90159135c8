using System.Text.Json;
using PgBackup.Tools;

namespace PgBackup.Postgres;

/// <summary>
/// A server and the tools that talk to it: sessions, dumps, restores. The owner of all knowledge about the arguments of
/// pg_dump, pg_dumpall, pg_restore and psql.
/// </summary>
public sealed class PostgresServer(PostgresTools tools, PgConnection connection, string applicationName)
{
    private volatile bool loginIsSuperuser;

    /// <summary>The tools in use.</summary>
    public PostgresTools Tools => tools;

    /// <summary>How it is reached.</summary>
    public PgConnection Connection => connection;

    /// <summary>Options (<c> -c name=value</c>) of all sessions and tools, which outrank the settings of server, role and database.</summary>
    internal string Options { get; init; } = "";

    /// <summary>
    /// The database to connect to when none in particular is meant: that of the URL, else <c>postgres</c>, until it turns out that this
    /// server has none for us.
    /// </summary>
    public string MaintenanceDatabase { get; private set; } = connection.Database ?? "postgres";

    /// <summary>The databases to try, in this order, where the URL names none and <c>postgres</c> is not there, or lets nobody in.</summary>
    internal IReadOnlyList<string> OtherDatabases { get; init; } = ["template1"];

    /// <summary>For messages: the container, or the URL without its password.</summary>
    public string Description => tools.Host is ContainerTools && connection.Host is null ? $"the server {tools.Host.Place}" : connection.ToString();

    /// <summary>The server as the target of a restore: whatever server, role or database set, its sessions may write.</summary>
    internal PostgresServer AsTarget() => With(" -c default_transaction_read_only=off");

    /// <summary>
    /// The server, after a session to it: if a superuser logs in (no other may say so), no session sets off an event trigger, from 17 on. A
    /// trigger on login would add rows to what was restored before it is compared, or refuse the session.
    /// </summary>
    internal PostgresServer For(ServerFacts facts) => loginIsSuperuser ? ForSuperuser(facts.Major) : this;

    /// <summary>The same for a server of which the role is known to be a superuser.</summary>
    internal PostgresServer ForSuperuser(int major) => major >= 17 ? With(NoEventTriggers) : this;

    private const string NoEventTriggers = " -c event_triggers=off";

    private PostgresServer With(string option) =>
        Options.Contains(option, StringComparison.Ordinal) ? this : new PostgresServer(tools, connection, applicationName)
        {
            Options = Options + option,
            OtherDatabases = OtherDatabases,
            MaintenanceDatabase = MaintenanceDatabase,
            loginIsSuperuser = loginIsSuperuser,
        };

    /// <summary>Opens a session in whatever database is for what concerns none in particular (<see cref="MaintenanceDatabase"/>).</summary>
    /// <exception cref="PgBackupException">As of the other.</exception>
    public async Task<PsqlSession> ConnectAsync(TimeSpan patience, TimeProvider clock, CancellationToken cancel)
    {
        try
        {
            return await ConnectAsync(MaintenanceDatabase, patience, clock, cancel);
        }
        catch (PgBackupException e) when (connection.Database is null && ConnectionAdvice.IsOfDatabase(e) && !cancel.IsCancellationRequested)
        {
            foreach (string other in OtherDatabases.Where(o => o != MaintenanceDatabase))
            {
                try
                {
                    PsqlSession session = await OpenAsync(other, cancel);
                    MaintenanceDatabase = other;
                    return session;
                }
                catch (PgBackupException) when (!cancel.IsCancellationRequested)
                {
                    // what is wrong with the first is told
                }
            }

            throw;
        }
    }

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
                return await OpenAsync(database, cancel);
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.Connection && !cancel.IsCancellationRequested)
            {
                bool passes = ConnectionAdvice.IsTransient(e.Message);
                if (!passes && ConnectionAdvice.IsUnknown(e.Message))
                {
                    // The server may speak another language until it lets us in.
                    passes = await IsStartingAsync(cancel);
                    if (!passes && database != MaintenanceDatabase && await IsMissingAsync(database, cancel))
                    {
                        throw new PgBackupException(ErrorCode.DatabaseMissing, e.Message, ConnectionAdvice.Missing, e);
                    }
                }

                // Exponential, with jitter, so that five databases do not knock in step.
                double seconds = Math.Min(Math.Pow(2, attempt) * 0.5, 8) * (0.75 + (0.5 * Random.Shared.NextDouble()));
                if (!passes || clock.GetElapsedTime(start) + TimeSpan.FromSeconds(seconds) >= patience)
                {
                    throw;
                }

                await Task.Delay(TimeSpan.FromSeconds(seconds), clock, cancel);
            }
        }
    }

    private async Task<PsqlSession> OpenAsync(string database, CancellationToken cancel)
    {
        ToolProcess psql = await StartAsync(
            "psql", [$"--dbname={Conninfo(database)}", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password",
                "--set=ON_ERROR_STOP=0"], database, cancel);
        PsqlSession session = await PsqlSession.OpenAsync(psql, $"database {database} on {Description}", cancel);
        loginIsSuperuser |= session.LoginIsSuperuser;
        return session;
    }

    // pg_isready judges by SQLSTATE, and exits with 1 where the server refuses everybody for now (PostgreSQL manual, pg_isready).
    private async Task<bool> IsStartingAsync(CancellationToken cancel)
    {
        try
        {
            await using ToolProcess ready = await StartAsync("pg_isready", [$"--dbname={Conninfo(MaintenanceDatabase)}", "--quiet"],
                MaintenanceDatabase, cancel);
            return (await ready.FinishAsync(null, cancel)).ExitCode == 1;
        }
        catch (PgBackupException) when (!cancel.IsCancellationRequested)
        {
            return false;
        }
    }

    private async Task<bool> IsMissingAsync(string database, CancellationToken cancel)
    {
        try
        {
            await using PsqlSession session = await OpenAsync(MaintenanceDatabase, cancel);
            return (await session.QueryAsync($"SELECT 1 AS there FROM pg_database WHERE datname = {Sql.Literal(database)}", cancel)).Count == 0;
        }
        catch (PgBackupException) when (!cancel.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>What the backup must know of a server before it begins.</summary>
    public static async Task<ServerFacts> ReadFactsAsync(PsqlSession session, CancellationToken cancel)
    {
        JsonElement row = await session.QueryRowAsync(
            """
            SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number, current_user AS role,
                   r.rolsuper AS superuser,
                   has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS reads_passwords,
                   (SELECT b.rolname FROM pg_roles b WHERE b.oid = 10) AS bootstrap
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
            Bootstrap = row.GetProperty("bootstrap").GetString(),
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
            $"--lock-wait-timeout={(long)request.LockTimeout.TotalMilliseconds}", "--no-password", $"--dbname={Conninfo(request.Database)}",
        ],
        request.Database,
        cancel,
        $"pg_dump of {request.Database}",
        settings: DumpSettings.Options(DumpSettings.Fixed));

    /// <summary>
    /// Starts a plain dump of a database with its own settings, to read its proof from. Its literals are worded as in the archive that it
    /// is compared with: with <paramref name="standardStrings"/> false, they escape by backslashes, and <paramref name="settings"/> are
    /// those of its manifest (null: none were set, and the server's own hold). Of a database in use, it is that of an exported snapshot,
    /// and waits no longer for a lock than is said.
    /// </summary>
    public Task<ToolProcess> DumpScriptAsync(
        string database, string encoding, bool standardStrings, IReadOnlyDictionary<string, string>? settings, CancellationToken cancel,
            string? snapshotName = null,
        TimeSpan? lockTimeout = null)
    {
        List<string> arguments = [$"--dbname={Conninfo(database)}", "--format=plain", "--create", "--no-tablespaces",
            $"--encoding={encoding}", "--no-password"];
        if (snapshotName is not null)
        {
            arguments.Add($"--snapshot={snapshotName}");
        }

        if (lockTimeout is { } patience)
        {
            arguments.Add($"--lock-wait-timeout={(long)patience.TotalMilliseconds}");
        }

        return StartAsync("pg_dump", arguments, database, cancel, $"pg_dump of {database} (for the comparison)",
            standardStrings: standardStrings, settings: DumpSettings.Options(settings));
    }

    /// <summary>
    /// The script of roles, memberships, settings of roles and tablespaces: that of pg_dumpall, with what it leaves out before its end. In
    /// UTF-8, whatever the database or the role set.
    /// </summary>
    /// <param name="passwords">With the roles' passwords, which not every role may read.</param>
    /// <param name="lockTimeout">How long it may wait for a lock.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up.</param>
    internal async Task<GlobalsStream> OpenGlobalsAsync(bool passwords, TimeSpan lockTimeout, TimeProvider clock, CancellationToken cancel)
    {
        IReadOnlyList<string> more;
        await using (PsqlSession session = await ConnectAsync(TimeSpan.Zero, clock, cancel))
        {
            more = await GlobalsSupplement.ReadAsync(session, cancel);
        }

        return new GlobalsStream(ToolStream.From(await DumpGlobalsAsync(passwords, lockTimeout, cancel), cancel), more);
    }

    private Task<ToolProcess> DumpGlobalsAsync(bool passwords, TimeSpan lockTimeout, CancellationToken cancel)
    {
        List<string> arguments =
        [
            "--globals-only", "--encoding=UTF8", "--no-password", $"--lock-wait-timeout={(long)lockTimeout.TotalMilliseconds}",
            $"--database={Conninfo(MaintenanceDatabase)}",
        ];
        if (!passwords)
        {
            arguments.Add("--no-role-passwords");
        }

        return StartAsync("pg_dumpall", arguments, MaintenanceDatabase, cancel, "pg_dumpall --globals-only",
            settings: DumpSettings.Options(DumpSettings.Fixed));
    }

    /// <summary>
    /// Starts pg_restore into a database that exists. Without a file the archive comes on stdin; from a file it can use several jobs. It
    /// goes on after an error, so that all of them are seen, and then exits with 1.
    /// </summary>
    public Task<ToolProcess> RestoreAsync(RestoreCall call, CancellationToken cancel)
    {
        (string database, string? file, int jobs, bool tablespaces) = (call.Database, call.File, call.Jobs, call.Tablespaces);
        List<string> arguments = [$"--dbname={Conninfo(database)}", "--no-password", .. call.Sections.Select(static s => $"--section={s}")];
        if (!tablespaces)
        {
            arguments.Add("--no-tablespaces");
        }

        if (file is not null)
        {
            arguments.AddRange([$"--jobs={jobs}", file]);
        }

        return StartAsync(
            "pg_restore", arguments, database, cancel, $"pg_restore into {database}", mayStopReading: true,
                settings: DumpSettings.ReadingOptions(call.Settings));
    }

    /// <summary>
    /// Starts pg_restore of the entries of an archive that a list names (<c>pg_restore --use-list</c>); the archive comes on stdin. What it
    /// makes belongs to the role that restores, and nobody else gets privileges on it.
    /// </summary>
    public Task<ToolProcess> RestoreEntriesAsync(string database, string listFile, IReadOnlyDictionary<string, string>? settings,
        CancellationToken cancel) => StartAsync(
        "pg_restore", [$"--dbname={Conninfo(database)}", $"--use-list={listFile}", "--no-owner", "--no-privileges", "--no-tablespaces", "--no-password"],
        database, cancel, $"pg_restore into {database}", mayStopReading: true, settings: DumpSettings.ReadingOptions(settings));

    /// <summary>Starts a dump of one schema in custom format on stdout, without owners and privileges.</summary>
    public Task<ToolProcess> DumpSchemaAsync(string database, string schema, string encoding, CancellationToken cancel) => StartAsync(
        "pg_dump",
        [$"--dbname={Conninfo(database)}", "--format=custom", "--compress=0", $"--schema={Sql.Name(schema)}", $"--encoding={encoding}",
            "--no-owner", "--no-privileges", "--no-tablespaces", "--no-password"],
        database, cancel, $"pg_dump of {database}", settings: DumpSettings.Options(DumpSettings.Fixed));

    /// <summary>
    /// Starts a plain dump of one schema, to compare its tables with those of the same schema elsewhere: values are worded in one way, whatever
    /// the two databases set.
    /// </summary>
    public Task<ToolProcess> DumpSchemaScriptAsync(string database, string schema, string encoding, CancellationToken cancel) => StartAsync(
        "pg_dump", [$"--dbname={Conninfo(database)}", "--format=plain", $"--schema={Sql.Name(schema)}", "--no-tablespaces",
            $"--encoding={encoding}", "--no-password"], database, cancel,
        $"pg_dump of {database} (for the comparison)", settings: DumpSettings.Options(DumpSettings.Fixed));

    /// <summary>
    /// Starts pg_restore of a whole archive on stdin in one transaction: all of it is there afterwards, or nothing. The database is in use,
    /// and its own event triggers see what is made in it.
    /// </summary>
    public Task<ToolProcess> RestoreAtOnceAsync(string database, CancellationToken cancel) => StartAsync(
        "pg_restore", [$"--dbname={Conninfo(database)}", "--single-transaction", "--no-owner", "--no-privileges", "--no-tablespaces", "--no-password"],
        database, cancel, $"pg_restore into {database}", mayStopReading: true,
        settings: DumpSettings.ReadingOptions(DumpSettings.Fixed)
            + (Options.Contains(NoEventTriggers, StringComparison.Ordinal) ? " -c event_triggers=on" : ""));

    /// <summary>Starts any tool against a database of this server.</summary>
    public Task<ToolProcess> StartAsync(
        string tool, IReadOnlyList<string> arguments, string database, CancellationToken cancel, string? label = null, bool mayStopReading = false,
        bool standardStrings = true, string settings = "")
    {
        Dictionary<string, string?> environment = connection.EnvironmentFor(database, applicationName);
        // What comes with the connection outranks the settings of role and database: time limits would end a dump or even the session's
        // first statement, literals that escape by backslashes would be worded otherwise by the next role. Only a superuser may say which
        // language the server speaks.
        string own = environment.GetValueOrDefault("PGOPTIONS") is { } set ? set + " " : "";
        environment["PGOPTIONS"] = own + "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0" +
            $" -c standard_conforming_strings={(standardStrings ? "on" : "off")}"
                + (loginIsSuperuser ? " -c role=none -c lc_messages=C" : "") + Options + settings;

        return tools.Host.StartAsync(
            new ToolCommand(tool, arguments) { Environment = environment, Label = label ?? tool, MayStopReading = mayStopReading }, cancel);
    }

    // --dbname takes a connection string: a name with = or :// in it, or an empty one, must not be read as one.
    // What no variable of libpq can say comes with it.
    private string Conninfo(string database) => string.Join(
        ' ', new[] { KeyValuePair.Create("dbname", database) }.Concat(connection.Parameters).Select(static p =>
            $"{p.Key}='{p.Value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'"));
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

/// <summary>One archive to be restored into a database that exists.</summary>
public sealed record RestoreCall
{
    /// <summary>The database.</summary>
    public required string Database { get; init; }

    /// <summary>The archive; null when it comes on stdin.</summary>
    public string? File { get; init; }

    /// <summary>The value of <c>--jobs</c>, for a file.</summary>
    public int Jobs { get; init; } = 1;

    /// <summary>Things go to the tablespaces of the dump.</summary>
    public required bool Tablespaces { get; init; }

    /// <summary>The settings of the manifest.</summary>
    public required IReadOnlyDictionary<string, string>? Settings { get; init; }

    /// <summary>Of <c>pre-data</c>, <c>data</c> and <c>post-data</c>; empty for all.</summary>
    public IReadOnlyList<string> Sections { get; init; } = [];
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

    /// <summary>The superuser that initdb made (oid 10 in every cluster), mostly <c>postgres</c>; null where it is not told.</summary>
    public string? Bootstrap { get; init; }
}
