using PgBackup.Tools;

namespace PgBackup.Postgres;

public sealed partial class PostgresServer
{
    // What is made belongs to the role that makes it, and nobody else gets privileges on it.
    private static readonly string[] WithoutOthers = ["--no-owner", "--no-privileges", "--no-tablespaces"];

    /// <summary>
    /// Starts a dump in custom format on stdout. The database's own encoding is asked for, whatever the role's settings say;
    /// row security is never enabled, so that a role which does not see all rows fails instead of dumping some.
    /// </summary>
    public Task<ToolProcess> DumpAsync(DumpRequest request, CancellationToken cancel) =>
        StartAsync(
            "pg_dump",
            [
                "--format=custom",
                $"--compress={request.Compression}",
                $"--snapshot={request.SnapshotName}",
                $"--encoding={request.Encoding}",
                $"--lock-wait-timeout={(long)request.LockTimeout.TotalMilliseconds}",
                "--no-password",
                $"--dbname={Conninfo(request.Database)}",
            ],
            request.Database,
            cancel,
            $"pg_dump of {request.Database}",
            settings: DumpSettings.Options(DumpSettings.Fixed)
        );

    /// <summary>
    /// Starts a plain dump of a database with its own settings, to read its proof from. Its literals are worded as in the archive that it
    /// is compared with: with <paramref name="standardStrings"/> false, they escape by backslashes, and <paramref name="settings"/> are
    /// those of its manifest (null: none were set, and the server's own hold). Of a database in use, it is that of an exported snapshot,
    /// and waits no longer for a lock than is said.
    /// </summary>
    public Task<ToolProcess> DumpScriptAsync(
        string database,
        string encoding,
        bool standardStrings,
        IReadOnlyDictionary<string, string>? settings,
        CancellationToken cancel,
        string? snapshotName = null,
        TimeSpan? lockTimeout = null
    )
    {
        List<string> arguments =
        [
            $"--dbname={Conninfo(database)}",
            "--format=plain",
            "--create",
            "--no-tablespaces",
            $"--encoding={encoding}",
            "--no-password",
        ];
        if (snapshotName is not null)
        {
            arguments.Add($"--snapshot={snapshotName}");
        }

        if (lockTimeout is { } patience)
        {
            arguments.Add($"--lock-wait-timeout={(long)patience.TotalMilliseconds}");
        }

        return StartAsync(
            "pg_dump",
            arguments,
            database,
            cancel,
            $"pg_dump of {database} (for the comparison)",
            standardStrings: standardStrings,
            settings: DumpSettings.Options(settings)
        );
    }

    /// <summary>
    /// The script of roles, memberships, settings of roles and tablespaces: that of pg_dumpall, with what it leaves out before its end. In
    /// UTF-8, whatever the database or the role set.
    /// </summary>
    /// <param name="passwords">With the roles' passwords, which not every role may read.</param>
    /// <param name="lockTimeout">How long it may wait for a lock.</param>
    /// <param name="cancel">Gives up.</param>
    internal async Task<GlobalsStream> OpenGlobalsAsync(bool passwords, TimeSpan lockTimeout, CancellationToken cancel)
    {
        IReadOnlyList<string> more;
        await using (PsqlSession session = await ConnectAsync(TimeSpan.Zero, cancel))
        {
            more = await GlobalsSupplement.ReadAsync(session, cancel);
        }

        return new GlobalsStream(ToolStream.From(await DumpGlobalsAsync(passwords, lockTimeout, cancel), cancel), more);
    }

    private Task<ToolProcess> DumpGlobalsAsync(bool passwords, TimeSpan lockTimeout, CancellationToken cancel)
    {
        List<string> arguments =
        [
            "--globals-only",
            "--encoding=UTF8",
            "--no-password",
            $"--lock-wait-timeout={(long)lockTimeout.TotalMilliseconds}",
            $"--database={Conninfo(MaintenanceDatabase)}",
        ];
        if (!passwords)
        {
            arguments.Add("--no-role-passwords");
        }

        return StartAsync(
            "pg_dumpall",
            arguments,
            MaintenanceDatabase,
            cancel,
            "pg_dumpall --globals-only",
            settings: DumpSettings.Options(DumpSettings.Fixed)
        );
    }

    /// <summary>
    /// Starts pg_restore into a database that exists. Without a file the archive comes on stdin; from a file it can use several jobs. It
    /// continues after an error, so that all of them are seen, and then exits with 1.
    /// </summary>
    public Task<ToolProcess> RestoreAsync(RestoreCall call, CancellationToken cancel)
    {
        (string database, string? file, int jobs, bool tablespaces) = (call.Database, call.File, call.Jobs, call.Tablespaces);
        List<string> arguments = ["--no-password", .. call.Sections.Select(static s => $"--section={s}")];
        if (!tablespaces)
        {
            arguments.Add("--no-tablespaces");
        }

        if (file is not null)
        {
            arguments.AddRange([$"--jobs={jobs}", file]);
        }

        return RestoreIntoAsync(database, arguments, DumpSettings.ReadingOptions(call.Settings), cancel);
    }

    /// <summary>
    /// Starts pg_restore of the entries of an archive that a list names (<c>pg_restore --use-list</c>); the archive comes on stdin. What it
    /// makes belongs to the role that restores, and nobody else gets privileges on it.
    /// </summary>
    public Task<ToolProcess> RestoreEntriesAsync(
        string database,
        string listFile,
        IReadOnlyDictionary<string, string>? settings,
        CancellationToken cancel
    ) =>
        RestoreIntoAsync(
            database,
            [$"--use-list={listFile}", .. WithoutOthers, "--no-password"],
            DumpSettings.ReadingOptions(settings),
            cancel
        );

    /// <summary>Starts a dump of one schema in custom format on stdout, without owners and privileges.</summary>
    public Task<ToolProcess> DumpSchemaAsync(string database, string schema, string encoding, CancellationToken cancel) =>
        StartAsync(
            "pg_dump",
            [
                $"--dbname={Conninfo(database)}",
                "--format=custom",
                "--compress=0",
                $"--schema={Sql.Name(schema)}",
                $"--encoding={encoding}",
                .. WithoutOthers,
                "--no-password",
            ],
            database,
            cancel,
            $"pg_dump of {database}",
            settings: DumpSettings.Options(DumpSettings.Fixed)
        );

    /// <summary>
    /// Starts a plain dump of one schema, to compare its tables with those of the same schema elsewhere: values are worded in one way,
    /// whatever the two databases set.
    /// </summary>
    public Task<ToolProcess> DumpSchemaScriptAsync(string database, string schema, string encoding, CancellationToken cancel) =>
        StartAsync(
            "pg_dump",
            [
                $"--dbname={Conninfo(database)}",
                "--format=plain",
                $"--schema={Sql.Name(schema)}",
                "--no-tablespaces",
                $"--encoding={encoding}",
                "--no-password",
            ],
            database,
            cancel,
            $"pg_dump of {database} (for the comparison)",
            settings: DumpSettings.Options(DumpSettings.Fixed)
        );

    /// <summary>
    /// Starts pg_restore of a whole archive on stdin in one transaction: all of it is there afterwards, or nothing. The database is in use,
    /// and its own event triggers see what is made in it.
    /// </summary>
    public Task<ToolProcess> RestoreAtOnceAsync(string database, CancellationToken cancel) =>
        RestoreIntoAsync(
            database,
            ["--single-transaction", .. WithoutOthers, "--no-password"],
            DumpSettings.ReadingOptions(DumpSettings.Fixed)
                + (Options.Contains(NoEventTriggers, StringComparison.Ordinal) ? " -c event_triggers=on" : ""),
            cancel
        );

    private Task<ToolProcess> RestoreIntoAsync(
        string database,
        IReadOnlyList<string> arguments,
        string settings,
        CancellationToken cancel
    ) =>
        StartAsync(
            "pg_restore",
            [$"--dbname={Conninfo(database)}", .. arguments],
            database,
            cancel,
            $"pg_restore into {database}",
            mayStopReading: true,
            settings: settings
        );

    /// <summary>Starts any tool against a database of this server.</summary>
    public Task<ToolProcess> StartAsync(
        string tool,
        IReadOnlyList<string> arguments,
        string database,
        CancellationToken cancel,
        string? label = null,
        bool mayStopReading = false,
        bool standardStrings = true,
        string settings = ""
    )
    {
        Dictionary<string, string?> environment = connection.EnvironmentFor(database, applicationName);
        // What comes with the connection outranks the settings of role and database: time limits would end a dump or even the session's
        // first statement, literals that escape by backslashes would be worded otherwise by the next role. Only a superuser may say which
        // language the server speaks.
        string own = environment.GetValueOrDefault("PGOPTIONS") is { } set ? set + " " : "";
        environment["PGOPTIONS"] =
            own
            + "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0"
            + $" -c standard_conforming_strings={(standardStrings ? "on" : "off")}"
            + (loginIsSuperuser ? " -c role=none -c lc_messages=C" : "")
            + Options
            + settings;

        return tools.Host.StartAsync(
            new ToolCommand(tool, arguments)
            {
                Environment = environment,
                Label = label ?? tool,
                MayStopReading = mayStopReading,
            },
            cancel
        );
    }
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
