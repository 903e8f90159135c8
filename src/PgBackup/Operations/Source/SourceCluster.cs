using System.Text.Json;
using PgBackup.Configuration;
using PgBackup.Postgres;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Source;

/// <summary>
/// The cluster at one moment: a session for each database, each in a READ COMMITTED, READ ONLY transaction whose snapshot is
/// exported, and whose later statements see later states. All of them are opened before any dump starts, and stay open until disposed.
/// </summary>
internal sealed class SourceCluster : IAsyncDisposable
{
    // Any number will do, as long as it is always the same: "olympgbk" in ASCII.
    private const long LockKey = 0x6f6c796d7067626b;

    private readonly FoundTools found;
    private readonly string applicationName;
    private readonly TimeProvider clock;
    private readonly List<PgBackupException> reasons = [];

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

    /// <summary>What a session reported, of the server of the source itself if there is one.</summary>
    public ServerFacts Facts { get; private set; } = null!;

    /// <summary>The databases whose snapshot was exported, largest first.</summary>
    public IReadOnlyList<SourceDatabase> Databases { get; private set; } = [];

    /// <summary>The databases that could not be opened.</summary>
    public List<PartFailure> Failures { get; } = [];

    /// <summary>All databases of the server that somebody can connect to; null where each database is on a server of its own.</summary>
    public IReadOnlyList<string>? ServerDatabases { get; private set; }

    /// <summary>How many dumps the server has connections for at the same time: as many as are wanted, or fewer.</summary>
    public int Dumps { get; private set; }

    /// <summary>The time just before the moment: the snapshots see everything that was committed until then.</summary>
    public DateTimeOffset Moment { get; private set; }

    /// <summary>How far the clock of each server is ahead of this host's, as the moment shows it; less than zero where it is
    /// behind.</summary>
    public IReadOnlyList<ClockReading> Clocks { get; private set; } = [];

    /// <summary>An upper bound of the time between the moments of any two databases.</summary>
    public TimeSpan Skew { get; private set; }

    /// <summary>Connects to all databases, checks versions, takes the cluster's lock, and exports all snapshots.</summary>
    /// <param name="source">The server.</param>
    /// <param name="databases">The databases.</param>
    /// <param name="applicationName">What the server calls the sessions.</param>
    /// <param name="alone">Take the lock that keeps a second backup away; a reader that keeps nothing needs none.</param>
    /// <param name="lockTimeout">How long migrations that hold tables are waited for before the moment; 0 for ever.</param>
    /// <param name="dumps">How many dumps are to run at the same time.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">No database could be opened, the tools do not fit, another run is under way, or no connection is
    /// left for a dump.</exception>
    public static async Task<SourceCluster> OpenAsync(
        SourceConfig source,
        IReadOnlyList<DatabaseConfig> databases,
        string applicationName,
        bool alone,
        TimeSpan lockTimeout,
        int dumps,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        (FoundTools found, PostgresServer server) = await SourceServer.OpenAsync(source, databases, applicationName, clock, cancel);
        var cluster = new SourceCluster(found, applicationName, clock) { Server = server };
        try
        {
            await cluster.ConnectAsync(source, databases, cancel);
            if (alone)
            {
                await cluster.LockAsync(cancel);
            }

            await cluster.CountConnectionsAsync(dumps, cancel);

            await cluster.ExportAsync(lockTimeout, cancel);
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
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15), clock);
        foreach (PostgresServer server in Databases.Select(static d => d.Server).Append(Server).DistinctBy(static s => s.Description))
        {
            try
            {
                await using PsqlSession session = await server.ConnectAsync(TimeSpan.Zero, patience.Token);
                await session.ExecuteAsync(
                    $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = {Sql.Literal(applicationName)} "
                        + $"AND pid <> pg_backend_pid()",
                    patience.Token
                );
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
        await Task.WhenAll(Databases.Select(static d => d.DisposeAsync().AsTask()));
        await found.DisposeAsync();
    }

    private async Task ConnectAsync(SourceConfig source, IReadOnlyList<DatabaseConfig> databases, CancellationToken cancel)
    {
        Task<SourceDatabase?>[] opening = [.. databases.Select(d => TryOpenAsync(source, d, cancel))];
        await Task.WhenAll(opening)
            .ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
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
        RequireSome();
        Facts = (Databases.FirstOrDefault(d => d.Server == Server) ?? Databases[0]).Facts;
    }

    private async Task<SourceDatabase?> TryOpenAsync(SourceConfig source, DatabaseConfig database, CancellationToken cancel)
    {
        PsqlSession? session = null;
        try
        {
            PostgresServer server = SourceServer.Of(database, Server, applicationName, clock);
            session = await server.ConnectAsync(database.Name, source.ConnectRetry, cancel);
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

            Fail(database.Name, e);
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
                    "Wait for it to end. `SELECT * FROM pg_stat_activity WHERE application_name LIKE 'olympus-pgbackup%'` shows it."
                );
            }
        }
    }

    // The sessions that hold the moment must leave some for the dumps, or nothing is dumped at all.
    private async Task CountConnectionsAsync(int dumps, CancellationToken cancel)
    {
        List<SourceDatabase> here = [.. Databases.Where(d => d.Server == Server)];
        int wanted = Math.Min(dumps, here.Count);
        int found = here.Count == 0 ? 0 : await Connections.DumpsAsync(here.Count, wanted, Server, here[0].Session, cancel);
        Dumps = found < wanted ? found : dumps;
    }

    private async Task ExportAsync(TimeSpan lockTimeout, CancellationToken cancel)
    {
        IReadOnlyDictionary<SourceDatabase, PgBackupException> locked = await TableLocks.TakeAsync(Databases, lockTimeout, clock, cancel);
        foreach ((SourceDatabase database, PgBackupException error) in locked)
        {
            Fail(database.Name, error);
            await database.DisposeAsync();
        }

        Databases = [.. Databases.Where(d => !locked.ContainsKey(d))];
        RequireSome();
        // All are sent at once; each snapshot is taken between its request and its reply. A server's own clock knows it closer, where there
        // is but one.
        Moment = clock.GetUtcNow();
        long start = clock.GetTimestamp();
        CatalogWatch[] moments = await Task.WhenAll(Databases.Select(d => d.ExportAsync(cancel)));
        Skew = clock.GetElapsedTime(start);
        Clocks =
        [
            .. Databases
                .Zip(moments, (d, m) => ClockReading.Of(d.Server.Description, m.Asked, Moment, Skew))
                .DistinctBy(static r => r.Name),
        ];
        TimeSpan byServer = TimeSpan.FromSeconds(moments.Max(static m => m.Taken) - moments.Min(static m => m.Asked));
        if (byServer > TimeSpan.Zero && byServer < Skew && Databases.All(d => d.Server == Server))
        {
            Skew = byServer;
        }

        if (Databases.FirstOrDefault(d => d.Server == Server) is { } here)
        {
            IReadOnlyList<JsonElement> rows = await here.Session.QueryAsync(
                "SELECT datname FROM pg_database WHERE NOT datistemplate AND datallowconn ORDER BY datname COLLATE \"C\"",
                cancel
            );
            ServerDatabases = [.. rows.Select(static r => r.GetProperty("datname").GetString()!)];
        }
    }

    private void RequireSome()
    {
        if (Databases.Count > 0)
        {
            return;
        }

        // A remedy for all is printed once, below them.
        string? remedy = reasons.Select(static r => r.Remedy).Distinct().Count() == 1 ? reasons[0].Remedy : null;
        IEnumerable<string> lines = remedy is null
            ? Failures.Select(static f => $"  {f.Part}: {f.Message}")
            : Failures.Zip(reasons, static (f, r) => $"  {f.Part}: {r.Message}");
        throw new PgBackupException(
            reasons.FirstOrDefault()?.Code ?? ErrorCode.BackupFailed,
            $"no database can be opened.\n{string.Join("\n", lines.Distinct())}",
            remedy
        );
    }

    private void Fail(string database, PgBackupException e)
    {
        lock (Failures)
        {
            reasons.Add(e);
            Failures.Add(
                new PartFailure
                {
                    Part = database,
                    Code = e.CodeText,
                    Message = e.Remedy is null ? e.Message : $"{e.Message}\n  what to do: {e.Remedy}",
                }
            );
        }
    }
}
