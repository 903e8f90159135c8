using System.Globalization;
using System.Net;
using System.Net.Sockets;
using PgBackup.Tests.Notifications;
using PgBackup.Tools;

namespace PgBackup.Tests.Serve;

/// <summary>The service as a process of its own, with a container engine that is a script.</summary>
internal sealed class ServeScene : IAsyncDisposable
{
    private static readonly string App = Path.Combine(AppContext.BaseDirectory, "olympus-pgbackup.dll");

    private readonly List<ToolProcess> services = [];

    public ServeScene()
    {
        Directory.CreateDirectory(Folder["store"]);
        Directory.CreateDirectory(Folder["bin"]);
        Podman("sleep 600");
        Port = FreePort();
        Configure();
    }

    public TestFolder Folder { get; } = new();

    public int Port { get; }

    public string ConfigFile => Folder["olympus-pgbackup.yaml"];

    public string Url(string path) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{Port}{path}");

    /// <summary>What the container engine does.</summary>
    public void Podman(string script)
    {
        string file = Folder.Write("bin/podman", $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public void Configure(string schedule = "{ run: \"0 3 1 1 *\", time_zone: UTC }", string more = "") =>
        File.WriteAllText(
            ConfigFile,
            "cluster: olympus\nsource: { podman: gone }\ndatabases: [olympus]\nencryption: none\n"
                + string.Create(CultureInfo.InvariantCulture, $"serve: {{ listen: \"127.0.0.1:{Port}\" }}\n")
                + $"stores: [{{ name: local, path: {Folder["store"]} }}]\nschedule: {schedule}\n{more}"
        );

    /// <summary>Starts it, and leaves it running.</summary>
    public ToolProcess Start(string state = "state", params (string Name, string Value)[] variables)
    {
        Dictionary<string, string?> environment = new(StringComparer.Ordinal)
        {
            ["XDG_STATE_HOME"] = Folder[state],
            ["PATH"] = $"{Folder["bin"]}:{Environment.GetEnvironmentVariable("PATH")}",
            ["DOTNET_TieredPGO"] = "0",
        };
        foreach ((string name, string value) in variables)
        {
            environment[name] = value;
        }

        var service = ToolProcess.Start(new ToolCommand("dotnet", App, "serve", "--config", ConfigFile) { Environment = environment });
        services.Add(service);
        return service;
    }

    /// <summary>Starts it, and waits until it serves.</summary>
    public async Task<ToolProcess> ServeAsync()
    {
        ToolProcess service = Start();
        await UntilAsync(() => service.Errors.Any(static l => l.Contains("serving olympus", StringComparison.Ordinal)), Told(service));
        return service;
    }

    public static Func<string> Told(ToolProcess service) => () => string.Join('\n', service.Errors);

    public static async Task UntilAsync(Func<bool> holds, Func<string>? told = null)
    {
        for (int i = 0; i < 1500; i++)
        {
            if (holds())
            {
                return;
            }

            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        throw new InvalidOperationException($"it never was as expected: {told?.Invoke()}");
    }

    /// <summary>The process of a job.</summary>
    public int? JobId() =>
        Directory
            .EnumerateDirectories("/proc")
            .Select(static d => int.TryParse(Path.GetFileName(d), CultureInfo.InvariantCulture, out int id) ? id : 0)
            .Where(id =>
                id > 0
                && CommandOf(id) is var line
                && line.Contains("--due", StringComparison.Ordinal)
                && line.Contains(ConfigFile, StringComparison.Ordinal)
            )
            .Select(static id => (int?)id)
            .FirstOrDefault();

    /// <summary>Sends a signal to the service.</summary>
    public async Task SignalAsync(string signal)
    {
        int id = Directory
            .EnumerateDirectories("/proc")
            .Select(static d => int.TryParse(Path.GetFileName(d), CultureInfo.InvariantCulture, out int id) ? id : 0)
            .First(id =>
                id > 0
                && CommandOf(id) is var line
                && line.Contains("\0serve\0", StringComparison.Ordinal)
                && line.Contains(ConfigFile, StringComparison.Ordinal)
            );
        await ToolProcess.ReadAsync(new ToolCommand("kill", $"-{signal}", id.ToString(CultureInfo.InvariantCulture)), Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ToolProcess service in services)
        {
            await service.DisposeAsync();
        }

        LeftBehind.End(Folder.Path);
        Folder.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static string CommandOf(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/cmdline");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
