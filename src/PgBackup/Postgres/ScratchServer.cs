using System.Globalization;
using PgBackup.Host;
using PgBackup.Tools;

namespace PgBackup.Postgres;

/// <summary>
/// A throw-away server for rehearsals: a container without network, or, where no container engine works, the server binaries of this
/// host on a private socket. Disposing it removes it; what a killed process left is removed when the next one starts.
/// </summary>
public sealed class ScratchServer : IAsyncDisposable
{
    // Nothing here has to outlive a crash, and nobody but us is to be served. What a database contains depends on none of these.
    private static readonly string[] Settings =
    [
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "max_wal_size=4GB",
        "wal_level=minimal",
        "max_wal_senders=0",
        "autovacuum=off",
    ];

    // How long a start that nobody wants any more is waited for. One that is killed half way leaves processes that no `rm` knows of.
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(5);

    private const string DefaultSuperuser = "postgres";

    private readonly Func<ValueTask> remove;

    private ScratchServer(string description, FoundTools tools, PostgresServer server, Func<ValueTask> remove)
    {
        Description = description;
        Tools = tools;
        Server = server;
        this.remove = remove;
    }

    /// <summary>For messages.</summary>
    public string Description { get; }

    /// <summary>The container's name, or null on the host.</summary>
    public string? Container { get; private init; }

    /// <summary>The tools of it.</summary>
    public FoundTools Tools { get; }

    /// <summary>The server, as its superuser; no password is asked for.</summary>
    public PostgresServer Server { get; }

    /// <summary>Ends when the server takes connections. Its tools that need none can be used before.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ScratchFailed"/>; it has to be disposed all the same.</exception>
    public Task Ready { get; private init; } = Task.CompletedTask;

    /// <summary>Starts one in a container of an image with the contract of the official one, and returns while it comes up: see <see
    /// cref="Ready"/>.</summary>
    /// <param name="engine">podman or docker.</param>
    /// <param name="image">The image.</param>
    /// <param name="locks">How many locks it must be able to hold at once.</param>
    /// <param name="keep">It may stay when this process has ended; see <see cref="LeaveAsync"/>.</param>
    /// <param name="cancel">Gives up, and leaves nothing.</param>
    /// <param name="superuser">The role that it begins with.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ScratchFailed"/>.</exception>
    public static async Task<ScratchServer> InContainerAsync(
        ContainerEngine engine,
        string image,
        long locks,
        bool keep,
        CancellationToken cancel,
        string superuser = DefaultSuperuser
    )
    {
        string name = $"olympus-pgbackup-scratch-{Guid.NewGuid():N}"[..36];
        async ValueTask RemoveAsync() =>
            await ToolProcess.TryReadAsync(new ToolCommand(engine.Program, "rm", "--force", "--volumes", name), CancellationToken.None);
        FoundTools? tools = null;
        Task sweep = SweepAsync(engine, cancel); // of what others left: ours has a running process
        using var late = new CancellationTokenSource();
        Task<ToolResult> starting = ToolProcess.TryReadAsync(RunCommand(engine, image, name, locks, keep, superuser), late.Token);
        try
        {
            ToolResult run = await starting.WaitAsync(cancel);
            if (run.ExitCode != 0)
            {
                throw new PgBackupException(
                    ErrorCode.ScratchFailed,
                    $"no scratch server of the image {image} can be started:\n  {Quotation.Joined(run.Errors, 4)}",
                    $"Try it by hand: {engine.Program} run --rm {image} postgres --version"
                );
            }

            tools = await ToolFinder.InContainerAsync(engine.Program, name, engine.Clock, cancel);
            await sweep;
            var server = new PostgresServer(
                tools.Tools,
                PgConnection.InContainer(superuser, null),
                "olympus-pgbackup scratch",
                engine.Clock
            );
            FoundTools held = tools;
            var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            Task ready = ReadyAsync(server, "127.0.0.1", stop.Token);
            return new ScratchServer(
                $"container {name}",
                held,
                server,
                async () =>
                {
                    await stop.CancelAsync();
                    await ready.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    stop.Dispose();
                    await held.DisposeAsync();
                    await RemoveAsync();
                }
            )
            {
                Container = name,
                Ready = ready,
            };
        }
        catch
        {
            if (tools is not null)
            {
                await tools.DisposeAsync();
            }

            await Task.WhenAny(starting, Task.Delay(StartPatience, engine.Clock, CancellationToken.None));
            await late.CancelAsync();
            await ((Task)starting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await RemoveAsync();
            await sweep.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // the first failure is the one to report
            throw;
        }
    }

    /// <summary>Starts one from the server binaries of this host. Root steps down to the account <c>postgres</c>, as the server
    /// demands.</summary>
    /// <param name="locks">How many locks it must be able to hold at once.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up, and leaves nothing.</param>
    /// <param name="major">The major version that is wanted; without one of it, the newest is taken.</param>
    /// <param name="superuser">The role that it begins with.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ScratchFailed"/>.</exception>
    public static async Task<ScratchServer> OnHostAsync(
        long locks,
        TimeProvider clock,
        CancellationToken cancel,
        int? major = null,
        string superuser = DefaultSuperuser
    )
    {
        PostgresTools tools = await WithServerAsync(clock, major, cancel);
        var cluster = new HostCluster(((HostTools)tools.Host).Folder!, clock);
        try
        {
            await cluster.MakeAsync(superuser, cancel);
            await cluster.StartAsync(locks, cancel);
            PgConnection connection = PgConnection.InContainer(superuser, null).With("PGHOST", cluster.Socket);
            var server = new PostgresServer(tools, connection, "olympus-pgbackup scratch", clock);
            await CompressFastAsync(server, cancel);
            return new ScratchServer(
                $"a server on the socket in {cluster.Socket}",
                new FoundTools { Tools = tools },
                server,
                cluster.DisposeAsync
            );
        }
        catch (PgBackupException e)
        {
            string words = await cluster.LastWordsAsync();
            await cluster.DisposeAsync();
            throw new PgBackupException(
                ErrorCode.ScratchFailed,
                $"no scratch server can be started on this host: {e.Message}{words}",
                e.Remedy,
                e
            );
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Lets go of it without removing it; one that was started to be kept is not swept either.</summary>
    public ValueTask LeaveAsync() => Tools.DisposeAsync();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => remove();

    private static IEnumerable<string> SettingsFor(long locks) => Settings.Concat(LockTable.ScratchSettings(locks));

    // There is nothing to shut down in good order: SIGKILL.
    private static ToolCommand RunCommand(ContainerEngine engine, string image, string name, long locks, bool keep, string superuser) =>
        new(
            engine.Program,
            [
                "run",
                "--detach",
                "--rm",
                "--stop-signal",
                "SIGKILL",
                "--name",
                name,
                "--label",
                $"{ContainerEngine.Label}={(keep ? "kept" : "scratch")}",
                "--label",
                $"{ContainerEngine.Label}.pid={Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}",
                "--label",
                $"{ContainerEngine.Label}.process={ProcessMark.Own}",
                "--network",
                "none",
                .. SharedMemory(),
                "--env",
                "POSTGRES_PASSWORD",
                "--env",
                $"POSTGRES_USER={superuser}",
                "--env",
                "POSTGRES_DB=postgres",
                "--env",
                "POSTGRES_INITDB_ARGS=--no-sync",
                image,
                .. SettingsFor(locks).SelectMany(static s => (string[])["-c", s]),
            ]
        )
        {
            Environment = new Dictionary<string, string?> { ["POSTGRES_PASSWORD"] = Guid.NewGuid().ToString("N") },
        };

    /// <summary>The tools beside the server binaries of this host that <see cref="OnHostAsync"/> would start.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ScratchFailed"/>: there are none.</exception>
    internal static Task<PostgresTools> RequireOnHostAsync(TimeProvider clock, CancellationToken cancel) =>
        WithServerAsync(clock, null, cancel);

    // Client tools of which the folder has the server too.
    private static async Task<PostgresTools> WithServerAsync(TimeProvider clock, int? major, CancellationToken cancel) =>
        (await PostgresTools.OnHostAsync(clock, cancel))
            .Where(static t => t.Host is HostTools { Folder: { } f } && File.Exists(Path.Combine(f, "initdb")))
            .OrderByDescending(t => t.Major == major)
            .ThenByDescending(static t => t.Major)
            .FirstOrDefault()
        ?? throw new PgBackupException(
            ErrorCode.ScratchFailed,
            "there is neither a container engine that works nor a Postgres server on this host.",
            "Install podman, or postgresql (the server package)."
        );

    private static async Task ReadyAsync(PostgresServer server, string host, CancellationToken cancel)
    {
        await WaitAsync(server, host, cancel);
        await CompressFastAsync(server, cancel);
    }

    // The image's first start makes the cluster with a server on the socket only: over TCP answers the real one.
    private static async Task WaitAsync(PostgresServer server, string host, CancellationToken cancel)
    {
        long start = server.Clock.GetTimestamp();
        while (true)
        {
            await using ToolProcess ready = await server.Tools.Host.StartAsync(
                new ToolCommand("pg_isready", "--quiet", $"--host={host}"),
                cancel
            );
            ToolResult result = await ready.FinishAsync(null, cancel);
            if (result.ExitCode == 0)
            {
                return;
            }

            if (server.Clock.GetElapsedTime(start) > TimeSpan.FromSeconds(60))
            {
                throw new PgBackupException(
                    ErrorCode.ScratchFailed,
                    "the scratch server did not come up within a minute.",
                    "Start the image by hand, and look at what it prints."
                );
            }

            await Task.Delay(TimeSpan.FromMilliseconds(30), server.Clock, cancel);
        }
    }

    // Long values take a fifth of a restore's time to compress by the default way. A server that was built without lz4 says so, and starts
    // as it is.
    private static async Task CompressFastAsync(PostgresServer server, CancellationToken cancel)
    {
        await using ToolProcess psql = await server.StartAsync(
            "psql",
            [
                "--no-psqlrc",
                "--quiet",
                "--no-password",
                "--command=ALTER SYSTEM SET default_toast_compression = lz4",
                "--command=SELECT pg_reload_conf()",
            ],
            server.MaintenanceDatabase,
            cancel
        );
        await psql.FinishAsync(null, cancel);
    }

    // The container's /dev/shm: 64 MB, the engines' default, is too little for a decrypted archive, and for indexes that are built in
    // parallel.
    // Half of what this host can spare now (MemAvailable of proc_meminfo(5), in KiB); it is taken only for what lies there.
    private static string[] SharedMemory()
    {
        try
        {
            string? line = File.ReadLines("/proc/meminfo")
                .FirstOrDefault(static l => l.StartsWith("MemAvailable:", StringComparison.Ordinal));
            long spare =
                long.Parse(line?.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1] ?? "0", CultureInfo.InvariantCulture) * 1024 / 2;
            return spare > 64 << 20 ? ["--shm-size", spare.ToString(CultureInfo.InvariantCulture)] : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return [];
        }
    }

    private static async Task SweepAsync(ContainerEngine engine, CancellationToken cancel)
    {
        ToolResult list = await ToolProcess.TryReadAsync(
            new ToolCommand(engine.Program, "ps", "--all", "--quiet", "--filter", $"label={ContainerEngine.Label}=scratch"),
            cancel
        );
        foreach (string id in list.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            ToolResult label = await ToolProcess.TryReadAsync(
                new ToolCommand(
                    engine.Program,
                    "inspect",
                    "--format",
                    $"{{{{index .Config.Labels \"{ContainerEngine.Label}.process\"}}}}",
                    id
                ),
                cancel
            );
            if (ProcessMark.IsGone(label.Output.Trim()))
            {
                await ToolProcess.TryReadAsync(new ToolCommand(engine.Program, "rm", "--force", "--volumes", id), cancel);
            }
        }
    }

    /// <summary>A cluster in a private folder of this host, and its server. Disposing it stops the server and removes the folder.</summary>
    /// <param name="bin">The folder of the server's binaries.</param>
    /// <param name="clock">The time.</param>
    private sealed class HostCluster(string bin, TimeProvider clock) : IAsyncDisposable
    {
        private readonly PrivateFolder folder = PrivateFolder.Create(clock, 2_000_000_000);

        private readonly string[] stepDown =
            Environment.UserName == "root" ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] : [];

        /// <summary>The folder of the socket and all else. It is the server account's own, within a folder that stays ours: so the next
        /// run may remove it after a crash.</summary>
        public string Socket => Path.Combine(folder.Path, "s");

        private string Data => Path.Combine(Socket, "data");

        private string Log => Path.Combine(Socket, "log");

        /// <summary>Makes the cluster.</summary>
        public async Task MakeAsync(string superuser, CancellationToken cancel)
        {
            Directory.CreateDirectory(Socket, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            if (stepDown.Length > 0)
            {
                await ToolProcess.ReadAsync(new ToolCommand("chown", "postgres", Socket), cancel);
                File.SetUnixFileMode(
                    folder.Path,
                    File.GetUnixFileMode(folder.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute
                ); // to pass through
            }

            await ToolProcess.ReadAsync(
                Command(
                    "initdb",
                    "--pgdata",
                    Data,
                    $"--username={superuser}",
                    "--auth=trust",
                    "--no-sync",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8"
                ),
                cancel
            );
        }

        /// <summary>Starts the server, and waits until it takes connections.</summary>
        public async Task StartAsync(long locks, CancellationToken cancel)
        {
            string options =
                $"-c listen_addresses='' -c unix_socket_directories='{Socket}' "
                + $"{string.Join(' ', SettingsFor(locks).Select(static s => "-c " + s))}";
            await ToolProcess.ReadAsync(
                Command("pg_ctl", "--pgdata", Data, "--wait", "--silent", "--log", Log, "--options", options, "start"),
                cancel
            );
        }

        /// <summary>The end of the server's log, a line each; nothing where there is none.</summary>
        public async Task<string> LastWordsAsync() =>
            File.Exists(Log)
                ? string.Concat(
                    (await File.ReadAllLinesAsync(Log, CancellationToken.None)).TakeLast(4).Select(static line => "\n  " + line)
                )
                : "";

        /// <inheritdoc/>
        public async ValueTask DisposeAsync()
        {
            if (File.Exists(Path.Combine(Data, "postmaster.pid")))
            {
                await ToolProcess.TryReadAsync(
                    Command("pg_ctl", "--pgdata", Data, "--mode=immediate", "--silent", "stop"),
                    CancellationToken.None
                );
            }

            folder.Dispose();
        }

        private ToolCommand Command(string program, params string[] arguments)
        {
            string[] all = [.. stepDown, Path.Combine(bin, program), .. arguments];
            return new ToolCommand(all[0], all[1..]);
        }
    }
}
