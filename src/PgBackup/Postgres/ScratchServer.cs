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
        "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=4GB", "wal_level=minimal", "max_wal_senders=0", "autovacuum=off",
    ];

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
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up, and leaves nothing.</param>
    /// <param name="superuser">The role that it begins with.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ScratchFailed"/>.</exception>
    public static async Task<ScratchServer> InContainerAsync(
        ContainerEngine engine, string image, long locks, bool keep, TimeProvider clock, CancellationToken cancel,
            string superuser = DefaultSuperuser)
    {
        await SweepAsync(engine, cancel);
        string name = $"olympus-pgbackup-scratch-{Guid.NewGuid():N}"[..36];
        string pid = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        async ValueTask RemoveAsync() => await ToolProcess.TryReadAsync(
            new ToolCommand(engine.Program, "rm", "--force", "--volumes", name), CancellationToken.None);
        FoundTools? tools = null;
        try
        {
            // There is nothing to shut down in good order: SIGKILL.
            ToolResult run = await ToolProcess.TryReadAsync(
                new ToolCommand(
                    engine.Program,
                    ["run", "--detach", "--rm", "--stop-signal", "SIGKILL", "--name", name,
                    "--label", $"{ContainerEngine.Label}={(keep ? "kept" : "scratch")}", "--label", $"{ContainerEngine.Label}.pid={pid}",
                    "--label", $"{ContainerEngine.Label}.process={ProcessMark.Own}",
                    "--network", "none", .. SharedMemory(), "--env", "POSTGRES_PASSWORD", "--env", $"POSTGRES_USER={superuser}", "--env",
                        "POSTGRES_DB=postgres",
                    "--env", "POSTGRES_INITDB_ARGS=--no-sync", image, .. SettingsFor(locks).SelectMany(static s => (string[])["-c", s])])
                {
                    Environment = new Dictionary<string, string?> { ["POSTGRES_PASSWORD"] = Guid.NewGuid().ToString("N") },
                },
                cancel);
            if (run.ExitCode != 0)
            {
                throw new PgBackupException(
                    ErrorCode.ScratchFailed, $"no scratch server of the image {image} can be started:\n  {Quotation.Joined(run.Errors, 4)}",
                    $"Try it by hand: {engine.Program} run --rm {image} postgres --version");
            }

            tools = await ToolFinder.InContainerAsync(engine.Program, name, cancel);
            var server = new PostgresServer(tools.Tools, PgConnection.InContainer(superuser, null), "olympus-pgbackup scratch");
            FoundTools held = tools;
            var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            Task ready = ReadyAsync(server, "127.0.0.1", clock, stop.Token);
            return new ScratchServer($"container {name}", held, server, async () =>
            {
                await stop.CancelAsync();
                await ready.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                stop.Dispose();
                await held.DisposeAsync();
                await RemoveAsync();
            })
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

            await RemoveAsync();
            throw;
        }
    }

    /// <summary>Starts one from the server binaries of this host. Root steps down to the account <c>postgres</c>, as the server demands.</summary>
    /// <param name="locks">How many locks it must be able to hold at once.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up, and leaves nothing.</param>
    /// <param name="major">The major version that is wanted; without one of it, the newest is taken.</param>
    /// <param name="superuser">The role that it begins with.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ScratchFailed"/>.</exception>
    public static async Task<ScratchServer> OnHostAsync(long locks, TimeProvider clock, CancellationToken cancel, int? major = null,
        string superuser = DefaultSuperuser)
    {
        PostgresTools tools = (await PostgresTools.OnHostAsync(cancel)).Where(static t => t.Host is HostTools { Folder: { } f } && File.Exists(Path.Combine(f, "initdb")))
            .OrderByDescending(t => t.Major == major).ThenByDescending(static t => t.Major).FirstOrDefault()
            ?? throw new PgBackupException(
                ErrorCode.ScratchFailed, "there is neither a container engine that works nor a Postgres server on this host.", "Install podman, or postgresql (the server package).");
        string bin = ((HostTools)tools.Host).Folder!;
        PrivateFolder folder = PrivateFolder.Create(2_000_000_000);
        string[] stepDown = Environment.UserName == "root" ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] : [];
        ToolCommand As(params string[] command)
        {
            string[] all = [.. stepDown, .. command];
            return new ToolCommand(all[0], all[1..]);
        }

        // The account of the server has a folder of its own within ours, which stays ours: so the next run may remove it after a crash.
        string own = Path.Combine(folder.Path, "s");
        string data = Path.Combine(own, "data");
        string log = Path.Combine(own, "log");
        async ValueTask RemoveAsync()
        {
            if (File.Exists(Path.Combine(data, "postmaster.pid")))
            {
                await ToolProcess.TryReadAsync(As(Path.Combine(bin, "pg_ctl"), "--pgdata", data, "--mode=immediate", "--silent", "stop"), CancellationToken.None);
            }

            folder.Dispose();
        }

        try
        {
            Directory.CreateDirectory(own, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            if (stepDown.Length > 0)
            {
                await ToolProcess.ReadAsync(new ToolCommand("chown", "postgres", own), cancel);
                File.SetUnixFileMode(folder.Path, File.GetUnixFileMode(folder.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute); // to pass through
            }

            await ToolProcess.ReadAsync(As(Path.Combine(bin, "initdb"), "--pgdata", data, $"--username={superuser}", "--auth=trust",
                "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"), cancel);
            string options = $"-c listen_addresses='' -c unix_socket_directories='{own}' {string.Join(' ', SettingsFor(locks).Select(static s => "-c " + s))}";
            await ToolProcess.ReadAsync(
                As(Path.Combine(bin, "pg_ctl"), "--pgdata", data, "--wait", "--silent", "--log", log, "--options", options, "start"), cancel);
            PgConnection connection = PgConnection.InContainer(superuser, null).With("PGHOST", own);
            var server = new PostgresServer(tools, connection, "olympus-pgbackup scratch");
            await CompressFastAsync(server, cancel);
            return new ScratchServer($"a server on the socket in {own}", new FoundTools { Tools = tools }, server, RemoveAsync);
        }
        catch (PgBackupException e)
        {
            string words = File.Exists(log) ? string.Concat((await File.ReadAllLinesAsync(log, CancellationToken.None)).TakeLast(4).Select(static line => "\n  " + line)) : "";
            await RemoveAsync();
            throw new PgBackupException(ErrorCode.ScratchFailed, $"no scratch server can be started on this host: {e.Message}{words}", e.Remedy, e);
        }
        catch
        {
            await RemoveAsync();
            throw;
        }
    }

    /// <summary>Lets go of it without removing it; one that was started to be kept is not swept either.</summary>
    public ValueTask LeaveAsync() => Tools.DisposeAsync();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => remove();

    private static IEnumerable<string> SettingsFor(long locks) => Settings.Concat(LockTable.ScratchSettings(locks));

    private static async Task ReadyAsync(PostgresServer server, string host, TimeProvider clock, CancellationToken cancel)
    {
        await WaitAsync(server, host, clock, cancel);
        await CompressFastAsync(server, cancel);
    }

    // The image's first start makes the cluster with a server on the socket only: over TCP answers the real one.
    private static async Task WaitAsync(PostgresServer server, string host, TimeProvider clock, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        while (true)
        {
            await using ToolProcess ready = await server.Tools.Host.StartAsync(new ToolCommand("pg_isready", "--quiet", $"--host={host}"), cancel);
            ToolResult result = await ready.FinishAsync(null, cancel);
            if (result.ExitCode == 0)
            {
                return;
            }

            if (clock.GetElapsedTime(start) > TimeSpan.FromSeconds(60))
            {
                throw new PgBackupException(ErrorCode.ScratchFailed, "the scratch server did not come up within a minute.", "Start the image by hand, and look at what it prints.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(30), clock, cancel);
        }
    }

    // Long values take a fifth of a restore's time to compress by the default way. A server that was built without lz4 says so, and goes on as it is.
    private static async Task CompressFastAsync(PostgresServer server, CancellationToken cancel)
    {
        await using ToolProcess psql = await server.StartAsync(
            "psql",
            ["--no-psqlrc", "--quiet", "--no-password", "--command=ALTER SYSTEM SET default_toast_compression = lz4", "--command=SELECT pg_reload_conf()"],
            server.MaintenanceDatabase,
            cancel);
        await psql.FinishAsync(null, cancel);
    }

    // The container's /dev/shm: 64 MB, the engines' default, is too little for a decrypted archive, and for indexes that are built in parallel.
    // Half of what this host can spare now (MemAvailable of proc_meminfo(5), in KiB); it is taken only for what lies there.
    private static string[] SharedMemory()
    {
        try
        {
            string? line = File.ReadLines("/proc/meminfo").FirstOrDefault(static l => l.StartsWith("MemAvailable:", StringComparison.Ordinal));
            long spare = long.Parse(line?.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1] ?? "0", CultureInfo.InvariantCulture) * 1024 / 2;
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
            new ToolCommand(engine.Program, "ps", "--all", "--quiet", "--filter", $"label={ContainerEngine.Label}=scratch"), cancel);
        foreach (string id in list.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            ToolResult label = await ToolProcess.TryReadAsync(
                new ToolCommand(engine.Program, "inspect", "--format", $"{{{{index .Config.Labels \"{ContainerEngine.Label}.process\"}}}}", id), cancel);
            if (ProcessMark.IsGone(label.Output.Trim()))
            {
                await ToolProcess.TryReadAsync(new ToolCommand(engine.Program, "rm", "--force", "--volumes", id), cancel);
            }
        }
    }
}
