using System.Text.Json;
using PgBackup.Tools;

namespace PgBackup.Postgres;

/// <summary>
/// A server and the tools that talk to it: sessions, dumps, restores. The owner of all knowledge about the arguments of
/// pg_dump, pg_dumpall, pg_restore and psql.
/// </summary>
/// <param name="tools">The tools.</param>
/// <param name="connection">How it is reached.</param>
/// <param name="applicationName">What the server calls the sessions.</param>
/// <param name="clock">The time of all waiting for it.</param>
public sealed partial class PostgresServer(PostgresTools tools, PgConnection connection, string applicationName, TimeProvider clock)
{
    private volatile bool loginIsSuperuser;

    /// <summary>The tools in use.</summary>
    public PostgresTools Tools => tools;

    /// <summary>How it is reached.</summary>
    public PgConnection Connection => connection;

    /// <summary>The time of all waiting for it.</summary>
    internal TimeProvider Clock => clock;

    /// <summary>Options (<c> -c name=value</c>) of all sessions and tools, which outrank the settings of server, role and
    /// database.</summary>
    internal string Options { get; init; } = "";

    /// <summary>
    /// The database to connect to when none in particular is meant: that of the URL, else <c>postgres</c>, until it turns out that this
    /// server has none for us.
    /// </summary>
    public string MaintenanceDatabase { get; private set; } = connection.Database ?? "postgres";

    /// <summary>The databases to try, in this order, where the URL names none and <c>postgres</c> is not there, or lets nobody
    /// in.</summary>
    internal IReadOnlyList<string> OtherDatabases { get; init; } = ["template1"];

    /// <summary>For messages: the container, or the URL without its password.</summary>
    public string Description =>
        tools.Host is ContainerTools && connection.Host is null ? $"the server {tools.Host.Place}" : connection.ToString();

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
        Options.Contains(option, StringComparison.Ordinal)
            ? this
            : new PostgresServer(tools, connection, applicationName, clock)
            {
                Options = Options + option,
                OtherDatabases = OtherDatabases,
                MaintenanceDatabase = MaintenanceDatabase,
                loginIsSuperuser = loginIsSuperuser,
            };

    /// <summary>Opens a session in whatever database is for what concerns none in particular (<see cref="MaintenanceDatabase"/>).</summary>
    /// <exception cref="PgBackupException">As of the other.</exception>
    public async Task<PsqlSession> ConnectAsync(TimeSpan patience, CancellationToken cancel)
    {
        try
        {
            return await ConnectAsync(MaintenanceDatabase, patience, cancel);
        }
        catch (PgBackupException e)
            when (connection.Database is null && ConnectionAdvice.IsOfDatabase(e) && !cancel.IsCancellationRequested)
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
                    // what is wrong with the first is reported
                }
            }

            throw;
        }
    }

    /// <summary>Opens a session; for <paramref name="patience"/>, tries again while the failure is one that passes.</summary>
    /// <param name="database">The database's name.</param>
    /// <param name="patience">How long a sleeping compute or a starting server is waited for.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Connection"/> or <see cref="ErrorCode.DatabaseMissing"/>.</exception>
    public async Task<PsqlSession> ConnectAsync(string database, TimeSpan patience, CancellationToken cancel)
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
            "psql",
            [
                $"--dbname={Conninfo(database)}",
                "--no-psqlrc",
                "--quiet",
                "--no-align",
                "--tuples-only",
                "--no-password",
                "--set=ON_ERROR_STOP=0",
            ],
            database,
            cancel
        );
        PsqlSession session = await PsqlSession.OpenAsync(psql, $"database {database} on {Description}", clock, cancel);
        loginIsSuperuser |= session.LoginIsSuperuser;
        return session;
    }

    // pg_isready judges by SQLSTATE, and exits with 1 where the server refuses everybody for now (PostgreSQL manual, pg_isready).
    private async Task<bool> IsStartingAsync(CancellationToken cancel)
    {
        try
        {
            await using ToolProcess ready = await StartAsync(
                "pg_isready",
                [$"--dbname={Conninfo(MaintenanceDatabase)}", "--quiet"],
                MaintenanceDatabase,
                cancel
            );
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
            return (await session.QueryAsync($"SELECT 1 AS there FROM pg_database WHERE datname = {Sql.Literal(database)}", cancel)).Count
                == 0;
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
            cancel
        );
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

    // --dbname takes a connection string: a name with = or :// in it, or an empty one, must not be read as one.
    // What no variable of libpq can say comes with it.
    private string Conninfo(string database) =>
        string.Join(
            ' ',
            new[] { KeyValuePair.Create("dbname", database) }
                .Concat(connection.Parameters)
                .Select(static p =>
                    $"{p.Key}='{p.Value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'"
                )
        );
}

/// <summary>What a session reported about its server and its role.</summary>
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

    /// <summary>The superuser that initdb made (oid 10 in every cluster), mostly <c>postgres</c>; null where it is not known.</summary>
    public string? Bootstrap { get; init; }
}
