using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace PgBackup.IntegrationTests.Support;

/// <summary>A real Postgres server in podman, published on a port of the loopback. Disposing it removes it with its volume.</summary>
internal sealed class PostgresContainer : IAsyncDisposable
{
    /// <summary>Of every container that the tests start.</summary>
    public const string Label = "olympus-pgbackup-test";

    public const string Password = "the superuser's own: p@ss word";

    // Of the tests' own sessions: what a hostile database or role sets is not for them.
    private const string Options = "-c idle_session_timeout=0 -c statement_timeout=0 -c lock_timeout=0";

    // Where Debian has the program itself: the one on the PATH is a script that looks for it.
    private static readonly string? HostPsql = Directory.Exists("/usr/lib/postgresql")
        ? Directory
            .GetDirectories("/usr/lib/postgresql")
            .Select(static folder => Path.Combine(folder, "bin", "psql"))
            .FirstOrDefault(File.Exists)
        : null;

    private static readonly SemaphoreSlim Sweeping = new(1, 1);
    private static bool swept;

    private PostgresContainer(string name, int port)
    {
        Name = name;
        Port = port;
    }

    public string Name { get; }

    public int Port { get; }

    public string Target => "podman:" + Name;

    public static async Task<PostgresContainer> StartAsync(string purpose, params string[] podmanOptions)
    {
        string image = Surroundings.Image;
        await SweepAsync();
        string name = $"olympus-pgbackup-test-{purpose}-{Guid.NewGuid().ToString("N")[..8]}";
        await Shell.ReadAsync(
            "podman",
            [
                "run",
                "--detach",
                "--name",
                name,
                "--label",
                $"{Label}={Environment.ProcessId}",
                "--env",
                "POSTGRES_PASSWORD",
                "--publish",
                "127.0.0.1::5432",
                .. podmanOptions,
                image,
                "-c",
                "fsync=off",
                "-c",
                "synchronous_commit=off",
                "-c",
                "full_page_writes=off",
                "-c",
                "max_connections=60",
            ],
            new Dictionary<string, string?> { ["POSTGRES_PASSWORD"] = Password }
        );
        string published = await Shell.ReadAsync("podman", ["port", name, "5432"]);
        var container = new PostgresContainer(name, int.Parse(published.Trim().Split(':')[^1]));
        // By a look at the port first, which costs a hundredth of an exec.
        await Shell.UntilAsync(container.AnswersAsync, "the server listens");
        await Shell.UntilAsync(
            async () => (await Shell.RunAsync("podman", ["exec", name, "pg_isready", "--quiet", "--host=127.0.0.1"])).ExitCode == 0,
            "the server is up"
        );
        return container;
    }

    /// <summary>Runs a script of SQL by psql; returns its bare output.</summary>
    public async Task<string> SqlAsync(string database, string sql, bool zero = false)
    {
        Outcome outcome = await PsqlAsync(database, sql, zero ? ["--record-separator-zero"] : []);
        return outcome.ExitCode == 0 ? outcome.Output : throw new InvalidOperationException($"psql in {Name}: {outcome}");
    }

    /// <summary>The same, without expecting success.</summary>
    public Task<Outcome> TrySqlAsync(string database, string sql) => PsqlAsync(database, sql, []);

    /// <summary>A session that does something, and then waits until it is disposed.</summary>
    public async Task<IAsyncDisposable> HoldAsync(string database, string sql)
    {
        string tag = $"holder-{Guid.NewGuid().ToString("N")[..8]}";
        string script = $"SET application_name = '{tag}'; BEGIN; {sql}; SELECT pg_sleep(600);";
        var session = new RunningProgram("podman", PsqlArguments(database), null, null, script);
        await Shell.UntilAsync(
            async () =>
                (
                    await SqlAsync(
                        "postgres",
                        $"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{tag}' AND wait_event = 'PgSleep'"
                    )
                ).Trim() == "1",
            $"held: {sql}"
        );
        return new Holder(this, session, tag);
    }

    /// <summary>Loads the five databases.</summary>
    public async Task LoadFixtureAsync(params string[] arguments) =>
        await Shell.ReadAsync(
            "podman",
            ["exec", "-i", "--env", "PGUSER=postgres", Name, "bash", "-s", "--", .. arguments],
            input: await File.ReadAllTextAsync(Surroundings.FixtureScript),
            seconds: 180
        );

    public Task<Outcome> ExecAsync(params string[] command) => Shell.RunAsync("podman", ["exec", Name, .. command]);

    public async Task<IReadOnlyList<string>> DatabasesAsync() =>
        [
            .. (
                await SqlAsync(
                    "postgres",
                    "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY datname COLLATE \"C\""
                )
            ).Split('\n', StringSplitOptions.RemoveEmptyEntries),
        ];

    /// <summary>As it was when it was new: no databases, no roles.</summary>
    public async Task EmptyAsync()
    {
        if ((await SqlAsync("postgres", "SELECT count(*) FROM pg_subscription")).Trim() != "0")
        {
            string owners = await SqlAsync(
                "postgres",
                "SELECT DISTINCT d.datname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid"
            );
            foreach (string database in owners.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                await SqlAsync(
                    database,
                    """
                    SELECT format('ALTER SUBSCRIPTION %I DISABLE', subname), format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', subname), format('DROP SUBSCRIPTION %I', subname)
                    FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
                    \gexec
                    """
                );
            }
        }

        await SqlAsync(
            "postgres",
            """
            SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'
            \gexec
            SELECT format('REVOKE ALL ON PARAMETER %I FROM %I', p.parname, a.grantee::regrole::text) FROM pg_parameter_acl p, aclexplode(p.paracl) a WHERE a.grantee::regrole::text <> 'postgres'
            \gexec
            SELECT 'DROP ROLE ' || string_agg(format('%I', rolname), ', ') FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres' HAVING count(*) > 0
            \gexec
            """
        );
    }

    /// <summary>
    /// Nothing of a run is left: no backend after a few seconds, no folder with pipes or plaintext. And the server noticed nothing: as the
    /// first process of its container it inherits orphans, and goes into crash recovery when one of them dies by a signal.
    /// </summary>
    public async Task ShouldBeCleanAsync(double seconds = 30)
    {
        await Shell.UntilAsync(
            async () =>
                (await SqlAsync("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'olympus-pgbackup%'")).Trim()
                == "0",
            "no backend of a run is left on the server",
            seconds
        );
        await Shell.UntilAsync(
            async () =>
                (await ExecAsync("sh", "-c", "ls -d /dev/shm/olympus-pgbackup* /tmp/olympus-pgbackup* 2>/dev/null")).Output.Trim().Length
                == 0,
            "no folder of a run is left in the container",
            seconds
        );
        (await Shell.RunAsync("podman", ["logs", Name])).All.ShouldNotContain("terminating any other active server processes");
    }

    public async ValueTask DisposeAsync() => await Shell.RunAsync("podman", ["rm", "--force", "--volumes", "--time", "0", Name]);

    // By this host's psql where there is one: an exec takes eight times the CPU time of what it runs, and the tests ask thousands of times.
    private async Task<Outcome> PsqlAsync(string database, string sql, string[] options)
    {
        if (HostPsql is not null)
        {
            var variables = new Dictionary<string, string?> { ["PGPASSWORD"] = Password, ["PGOPTIONS"] = Options };
            string port = Port.ToString(CultureInfo.InvariantCulture);
            Outcome outcome = await Shell.RunAsync(
                HostPsql,
                [.. ClientArguments(database), "--host=127.0.0.1", "--port", port, .. options],
                variables,
                input: sql
            );
            // A server that lets nobody in by this way is asked from inside.
            if (!(outcome.ExitCode == 2 && outcome.Errors.Contains("connection to server at \"127.0.0.1\"", StringComparison.Ordinal)))
            {
                return outcome;
            }
        }

        return await Shell.RunAsync("podman", [.. PsqlArguments(database), .. options], input: sql);
    }

    private string[] PsqlArguments(string database) =>
        ["exec", "--interactive", "--env", "PGOPTIONS=" + Options, Name, "psql", .. ClientArguments(database)];

    private static string[] ClientArguments(string database) =>
        [
            "--no-psqlrc",
            "--no-align",
            "--tuples-only",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--username=postgres",
            "--dbname",
            $"dbname='{database.Replace("\\", "\\\\").Replace("'", "\\'")}'",
        ];

    // Any answer to a request for TLS (PostgreSQL manual, "SSLRequest"): the port alone may be held by the engine.
    private async Task<bool> AnswersAsync()
    {
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, Port, limit.Token);
            NetworkStream stream = client.GetStream();
            await stream.WriteAsync(new byte[] { 0, 0, 0, 8, 4, 210, 22, 47 }, limit.Token);
            return await stream.ReadAsync(new byte[1], limit.Token) == 1;
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            return false;
        }
    }

    // What a killed test run left. Another run that is under way keeps its own.
    private static async Task SweepAsync()
    {
        await Sweeping.WaitAsync();
        try
        {
            if (swept)
            {
                return;
            }

            swept = true;
            string found = await Shell.ReadAsync(
                "podman",
                ["ps", "--all", "--filter", $"label={Label}", "--format", $"{{{{.Names}}}} {{{{index .Labels \"{Label}\"}}}}"]
            );
            foreach (string[] line in found.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => l.Split(' ')))
            {
                if (line.Length < 2 || !Directory.Exists("/proc/" + line[1]))
                {
                    await Shell.RunAsync("podman", ["rm", "--force", "--volumes", "--time", "0", line[0]]);
                }
            }
        }
        finally
        {
            Sweeping.Release();
        }
    }

    private sealed class Holder(PostgresContainer server, RunningProgram session, string tag) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await server.TrySqlAsync(
                "postgres",
                $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{tag}'"
            );
            await session.EndAsync();
            await session.DisposeAsync();
        }
    }
}
