using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using PgBackup.Records;
using PgBackup.Storage;
using PgBackup.Storage.Local;
using Record = PgBackup.Records.Record;

namespace PgBackup.IntegrationTests.Environments;

/// <summary>The service of the published program: a night that is due, two hosts, and an upgrade.</summary>
[Collection("bad days")]
public sealed class ServeTests(BadDaysCluster cluster)
{
    private const UnixFileMode Executable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    [Fact]
    public async Task A_run_that_is_due_is_taken_once_though_two_hosts_begin_it_at_the_same_time()
    {
        using Workspace own = Scene(null);
        string due = TimeProvider.System.GetUtcNow().AddSeconds(-5).ToString("O", CultureInfo.InvariantCulture);
        await using RunningProgram first = own.Start("run", "--quiet", "--due", due);
        await using RunningProgram second = own.Start("run", "--quiet", "--due", due);

        Outcome[] ended = await Task.WhenAll(first.EndAsync(), second.EndAsync());

        ended.ShouldAllBe(static e => e.ExitCode == 0);
        string id = Snapshots(own).ShouldHaveSingleItem();
        ended.Count(e => e.Errors.Contains($"{id} is there already: nothing to do", StringComparison.Ordinal)).ShouldBe(1);
        Records(own).ShouldHaveSingleItem().Result.ShouldBe(RecordResult.Ok);

        Outcome later = await own.RunAsync(0, "run", "--due", TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture));
        later.Output.ShouldContain("complete");
        Snapshots(own).Length.ShouldBe(2);
    }

    [Fact]
    public async Task A_run_that_is_due_waits_for_whoever_has_the_store_or_the_server_and_keeps_nothing_from_them()
    {
        using Workspace own = Scene(null);
        own.Configure(own.Config().Replace(" }]", $" }}, {{ name: offsite, path: {own.Store}-b }}]", StringComparison.Ordinal));
        Directory.CreateDirectory(own.Store + "-b");
        string due = TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture);
        IStoreLock primary = await new LocalStore("local", own.Store).LockAsync("another host", TestContext.Current.CancellationToken);
        await using RunningProgram run = own.Start("run", "--quiet", "--due", due);
        await Task.Delay(4_000, TestContext.Current.CancellationToken);

        // Whoever has the first store needs the second one.
        IStoreLock offsite = await new LocalStore("offsite", own.Store + "-b").LockAsync(
            "another host",
            TestContext.Current.CancellationToken
        );
        await offsite.DisposeAsync();
        run.HasExited.ShouldBeFalse();
        // A run into another store holds the database itself.
        await using (await cluster.Server.HoldAsync("tiny", "SELECT pg_advisory_xact_lock(8028925746638971499)"))
        {
            await primary.DisposeAsync();
            await Task.Delay(13_000, TestContext.Current.CancellationToken);
            run.HasExited.ShouldBeFalse();
            Snapshots(own).ShouldBeEmpty();
        }

        Outcome ended = await run.EndAsync();

        ended.ExitCode.ShouldBe(0, ended.ToString());
        Snapshots(own).ShouldHaveSingleItem();
        Directory.GetDirectories(own.Store + "-b", "20*").ShouldHaveSingleItem();
        Records(own).ShouldHaveSingleItem().Result.ShouldBe(RecordResult.Ok);
    }

    [Fact]
    public async Task A_service_takes_the_first_run_answers_monitors_and_becomes_the_program_that_replaces_it()
    {
        int port = FreePort();
        using Workspace own = Scene(port);
        string program = Path.Combine(own.Folder, "olympus-pgbackup");
        File.Copy(Surroundings.Binary, program);
        File.SetUnixFileMode(program, Executable);
        using var systemd = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        systemd.Bind(new UnixDomainSocketEndPoint(own.Store + ".notify"));
        own.SetEnvironment("NOTIFY_SOCKET", own.Store + ".notify");
        await using var service = new RunningProgram(program, ["--config", own.ConfigFile, "serve"], own.Variables, own.Folder, null);
        await UntilAsync(() => Snapshots(own).Length == 1 && Records(own).Count == 1, service);
        await UntilAsync(() => Get(port, "/healthz").Contains("\"level\":\"yellow\"", StringComparison.Ordinal), service);
        await UntilAsync(
            () =>
                Get(port, "/metrics")
                    .Contains("pgbackup_serve_job_last_exit_code{verb=\"run\",cluster=\"test\"} 0\n", StringComparison.Ordinal),
            service
        );
        Get(port, "/metrics").ShouldContain("pgbackup_database_bytes{database=\"tiny\",cluster=\"test\"} ");

        // What does not start is not become.
        Replace(program, "#!/bin/sh\nexit 1\n");
        await UntilAsync(() => service.SoFar().Contains("does not start, or cannot serve", StringComparison.Ordinal), service);
        Get(port, "/livez").ShouldBe("ok\n");
        // Its jobs are done by the program that runs.
        string yearly = own.Config();
        own.Configure(yearly.Replace("0 3 1 1 *", "* * * * *", StringComparison.Ordinal));
        await UntilAsync(() => Snapshots(own).Length > 1, service);
        own.Configure(yearly);
        await UntilAsync(() => Count(service.SoFar(), "was read again") == 2, service);

        File.Copy(Surroundings.Binary, program + ".new");
        File.SetUnixFileMode(program + ".new", Executable);
        File.Move(program + ".new", program, overwrite: true);
        await UntilAsync(() => service.SoFar().Contains("starting that instead", StringComparison.Ordinal), service);
        await UntilAsync(() => Count(service.SoFar(), "serving test:") == 2, service);
        service.HasExited.ShouldBeFalse("it is the same process");
        // Systemd would end whoever says that it stops.
        string told = Received(systemd);
        Count(told, "STATUS=serving test").ShouldBe(2, told);
        told.ShouldNotContain("STOPPING=1");
        await UntilAsync(() => Get(port, "/livez") == "ok\n", service);
        int taken = Snapshots(own).Length;
        await Task.Delay(6_000, TestContext.Current.CancellationToken);
        Snapshots(own).Length.ShouldBe(taken, "the one after it knows by the records what was done");

        await service.SignalAsync("TERM");
        Outcome end = await service.EndAsync();
        end.ExitCode.ShouldBe(0, end.ToString());
        Received(systemd).ShouldContain("STOPPING=1");
    }

    private Workspace Scene(int? port)
    {
        var own = new Workspace(
            $$"""
            cluster: test
            source:
              podman: { container: {{cluster.Server.Name}}, user: postgres }
            databases: [tiny, small]
            encryption: none
            stores: [{ name: local, path: STORE }]
            {{(port is null ? "" : $"serve: {{ listen: \"127.0.0.1:{port}\" }}\nschedule: {{ run: \"0 3 1 1 *\" }}")}}
            """
        );
        Directory.CreateDirectory(own.Store);
        own.SetEnvironment("XDG_STATE_HOME", own.Store + ".state");
        return own;
    }

    // A package puts the new file in place of the old one: what runs keeps the old one.
    private static void Replace(string program, string script)
    {
        File.WriteAllText(program + ".new", script);
        File.SetUnixFileMode(program + ".new", Executable);
        File.Move(program + ".new", program, overwrite: true);
    }

    private static string[] Snapshots(Workspace own) =>
        [
            .. Directory
                .GetDirectories(own.Store, "20*")
                .Where(static d => File.Exists(Path.Combine(d, "manifest.json")))
                .Select(static d => Path.GetFileName(d))
                .Order(StringComparer.Ordinal),
        ];

    private static IReadOnlyList<Record> Records(Workspace own) =>
        Directory.Exists(Path.Combine(own.Store, "records"))
            ?
            [
                .. Directory
                    .GetFiles(Path.Combine(own.Store, "records"), "*-run-*.json")
                    .Select(static f => Record.TryRead(File.ReadAllBytes(f)))
                    .OfType<Record>(),
            ]
            : [];

    private static string Received(Socket socket)
    {
        byte[] buffer = new byte[4096];
        var text = new StringBuilder();
        while (socket.Available > 0)
        {
            text.Append(Encoding.UTF8.GetString(buffer, 0, socket.Receive(buffer))).Append('\n');
        }

        return text.ToString();
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    private static string Get(int port, string path)
    {
        using var http = new HttpClient();
        try
        {
            using HttpResponseMessage response = http.Send(new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{port}{path}"));
            using var reader = new StreamReader(response.Content.ReadAsStream());
            return reader.ReadToEnd();
        }
        catch (HttpRequestException)
        {
            return ""; // it is starting
        }
    }

    private static async Task UntilAsync(Func<bool> holds, RunningProgram service)
    {
        for (int i = 0; i < 2400; i++)
        {
            if (holds())
            {
                return;
            }

            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        throw new InvalidOperationException($"it never was as expected: {service.SoFar()}");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
