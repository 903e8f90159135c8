using System.Text.Json;
using PgBackup.Configuration;
using PgBackup.Postgres;
using PgBackup.Snapshots;

namespace PgBackup.Operations;

/// <summary>
/// The cluster at one moment: a session for each database, each in a REPEATABLE READ, READ ONLY transaction whose snapshot is
/// exported. All of them are opened before any dump starts, and stay open until disposed.
/// </summary>
internal sealed class SourceCluster : IAsyncDisposable
{
    // Any number will do, as long as it is always the same: "olympgbk" in ASCII.
    private const long LockKey = 0x6f6c796d7067626b;

    private readonly FoundTools found;
    private readonly string applicationName;
    private readonly TimeProvider clock;
    private ErrorCode? firstCode;
    private string? firstRemedy;

    private SourceCluster(FoundTools found, string applicationName, TimeProvider clock)
    {
        this.found = found;
        this.applicationName = applicationName;
        this.clock = clock;
    }

    /// <summary>The tools in use.</summary>
    public PostgresTools Tools => found.Tools;

    /// <summary>The server of the source itself, for globals.</summary>
    public PostgresServer Server { get; private set; } = null!;

    /// <summary>What the first session told.</summary>
    public ServerFacts Facts { get; private set; } = null!;

    /// <summary>The databases whose snapshot was exported, largest first.</summary>
    public IReadOnlyList<SourceDatabase> Databases { get; private set; } = [];

    /// <summary>The databases that could not be opened.</summary>
    public List<PartFailure> Failures { get; } = [];

    /// <summary>All databases of the server that somebody can connect to; null where each database is on a server of its own.</summary>
    public IReadOnlyList<string>? ServerDatabases { get; private set; }

    /// <summary>An upper bound of the time between the moments of any two databases.</summary>
    public TimeSpan Skew { get; private set; }

    /// <summary>Connects to all databases, checks versions, takes the cluster's lock, and exports all snapshots.</summary>
    /// <param name="source">The server.</param>
    /// <param name="databases">The databases.</param>
    /// <param name="applicationName">What the server calls the sessions.</param>
    /// <param name="alone">Take the lock that keeps a second backup away; a reader that keeps nothing needs none.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">No database could be opened, the tools do not fit, or another run is under way.</exception>
    public static async Task<SourceCluster> OpenAsync(
        SourceConfig source, IReadOnlyList<DatabaseConfig> databases, string applicationName, bool alone, TimeProvider clock, CancellationToken cancel)
    {
        PgConnection connection = source.Connection.WithPasswordOf(source.PasswordFile);
        connection = source.Engine is null ? connection.WithSurroundings() : connection;
        FoundTools found = source.Engine is not null
            ? await ToolFinder.InContainerAsync(source.Engine, source.Container!, cancel)
            : await ToolFinder.ForUrlAsync(connection, source.ToolsImage, source.HostToolsOnly, source.ConnectRetry, clock, cancel);
        var cluster = new SourceCluster(found, applicationName, clock)
        {
            Server = new PostgresServer(found.Tools, connection, applicationName),
        };
        try
        {
            await cluster.ConnectAsync(source, databases, cancel);
            if (alone)
            {
                await cluster.LockAsync(cancel);
            }

            await cluster.ExportAsync(cancel);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends every backend of this run on the server, whatever it waits for.</summary>
    public async Task TerminateBackendsAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        foreach (PostgresServer server in Databases.Select(static d => d.Server).Append(Server).DistinctBy(static s => s.Description))
        {
            try
            {
                await using PsqlSession session = await server.ConnectAsync(server.MaintenanceDatabase, TimeSpan.Zero, clock, patience.Token);
                await session.ExecuteAsync(
                    $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = {Sql.Literal(applicationName)} AND pid <> pg_backend_pid()",
                    patience.Token);
            }
            catch (Exception e) when (e is PgBackupException or OperationCanceledException)
            {
                // The run is failing already; a server that cannot be reached has no backends of ours for long.
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Databases.Select(static d => d.Session.DisposeAsync().AsTask()));
        await found.DisposeAsync();
    }

    private async Task ConnectAsync(SourceConfig source, IReadOnlyList<DatabaseConfig> databases, CancellationToken cancel)
    {
        Task<SourceDatabase?>[] opening = [.. databases.Select(d => TryOpenAsync(source, d, cancel))];
        await Task.WhenAll(opening).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        // Those that were opened are ours to close, whatever became of the others.
        List<SourceDatabase> ours = [];
        foreach (Task<SourceDatabase?> one in opening.Where(static o => o.IsCompletedSuccessfully))
        {
            if (await one is { } database)
            {
                ours.Add(database);
            }
        }

        Databases = ours;
        SourceDatabase?[] opened = await Task.WhenAll(opening);
        Databases = [.. opened.OfType<SourceDatabase>().OrderByDescending(static d => d.Bytes)];
        cancel.ThrowIfCancellationRequested();
        if (Databases.Count == 0)
        {
            throw new PgBackupException(
                firstCode ?? ErrorCode.BackupFailed,
                $"no database can be opened.\n{string.Join("\n", Failures.Select(static f => $"  {f.Part}: {f.Message}").Distinct())}",
                firstRemedy);
        }

        Facts = Databases[0].Facts;
    }

    private async Task<SourceDatabase?> TryOpenAsync(SourceConfig source, DatabaseConfig database, CancellationToken cancel)
    {
        PsqlSession? session = null;
        try
        {
            PostgresServer server = database.Connection is null && database.PasswordFile is null
                ? Server
                : new PostgresServer(
                    Tools,
                    (database.Connection ?? Server.Connection).WithPasswordOf(database.PasswordFile).WithSurroundings(),
                    applicationName);
            session = await server.ConnectAsync(database.Name, source.ConnectRetry, clock, cancel);
            ServerFacts facts = await PostgresServer.ReadFactsAsync(session, cancel);
            ToolFinder.RequireFit(Tools, facts, server.Description);
            return await SourceDatabase.DescribeAsync(database.Name, server, session, facts, cancel);
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.ToolVersion)
        {
            if (session is not null)
            {
                await session.DisposeAsync();
            }

            lock (Failures)
            {
                firstCode ??= e.Code;
                firstRemedy ??= e.Remedy;
                Failures.Add(new PartFailure { Part = database.Name, Code = e.CodeText, Message = e.Remedy is null ? e.Message : $"{e.Message}\n  what to do: {e.Remedy}" });
            }

            return null;
        }
    }

    // A lock in every database: a second run, from whatever host and config, meets it if it shares but one of them.
    private async Task LockAsync(CancellationToken cancel)
    {
        foreach (SourceDatabase database in Databases.OrderBy(static d => d.Name, StringComparer.Ordinal))
        {
            JsonElement row = await database.Session.QueryRowAsync($"SELECT pg_try_advisory_lock({LockKey}) AS locked", cancel);
            if (!row.GetProperty("locked").GetBoolean())
            {
                throw new PgBackupException(
                    ErrorCode.AlreadyRunning,
                    $"another backup of {database.Name} is running, perhaps from another host.",
                    "Wait for it to end. `SELECT * FROM pg_stat_activity WHERE application_name LIKE 'olympus-pgbackup%'` shows it.");
            }
        }
    }

    private async Task ExportAsync(CancellationToken cancel)
    {
        await Task.WhenAll(Databases.Select(d => d.Session.ExecuteAsync("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", cancel)));
        // The snapshot of a transaction is that of its first query. All are sent at once; each is taken between its request and its reply.
        long start = clock.GetTimestamp();
        await Task.WhenAll(Databases.Select(d => d.ExportAsync(cancel)));
        Skew = clock.GetElapsedTime(start);
        if (Databases.FirstOrDefault(d => d.Server == Server) is { } here)
        {
            IReadOnlyList<JsonElement> rows = await here.Session.QueryAsync(
                "SELECT datname FROM pg_database WHERE NOT datistemplate AND datallowconn ORDER BY datname COLLATE \"C\"", cancel);
            ServerDatabases = [.. rows.Select(static r => r.GetProperty("datname").GetString()!)];
        }
    }
}
