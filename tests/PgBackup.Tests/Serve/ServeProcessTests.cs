using System.Net;
using System.Net.Sockets;
using System.Text;
using PgBackup.Records;
using PgBackup.Storage.Local;
using PgBackup.Tests.Notifications;
using PgBackup.Tests.Records;
using PgBackup.Tools;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Serve;

/// <summary>The service as a process: its faces, its bad days, its end.</summary>
public sealed class ServeProcessTests : IAsyncDisposable
{
    private readonly ServeScene scene = new();
    private readonly HttpClient http = new();

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await scene.DisposeAsync();
    }

    [Fact]
    public async Task It_answers_monitors_and_ends_when_it_is_told_to()
    {
        await PutRunAsync();
        ToolProcess service = await scene.ServeAsync();

        await ServeScene.UntilAsync(
            () => Get("/healthz").Contains("\"level\":\"red\"", StringComparison.Ordinal),
            ServeScene.Told(service)
        );
        (await http.GetAsync(new Uri(scene.Url("/healthz")), Cancel)).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        Get("/livez").ShouldBe("ok\n");
        string metrics = Get("/metrics");
        metrics.ShouldContain("pgbackup_level{cluster=\"olympus\"} 2\n");
        metrics.ShouldContain("pgbackup_serve_job_next_timestamp_seconds{verb=\"run\",cluster=\"olympus\"} ");
        metrics.ShouldContain("pgbackup_serve_config_reload_failed{cluster=\"olympus\"} 0\n");
        (await http.GetAsync(new Uri(scene.Url("/")), Cancel)).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        await scene.SignalAsync("TERM");

        (await service.WaitAsync(Cancel)).ShouldBe(0, ServeScene.Told(service)());
    }

    [Fact]
    public async Task An_address_that_is_taken_is_an_error_with_its_remedy()
    {
        using var other = new TcpListener(IPAddress.Loopback, scene.Port);
        other.Start();
        ToolProcess service = scene.Start();

        (await service.WaitAsync(Cancel)).ShouldBe(1);
        ServeScene.Told(service)().ShouldContain("PGB-0227");
        ServeScene.Told(service)().ShouldContain("something listens there already");
    }

    [Fact]
    public async Task An_address_that_is_not_of_this_host_is_one_too()
    {
        scene.Configure(more: "");
        string config = await File.ReadAllTextAsync(scene.ConfigFile, Cancel);
        await File.WriteAllTextAsync(scene.ConfigFile, config.Replace("127.0.0.1:", "192.0.2.1:", StringComparison.Ordinal), Cancel);
        ToolProcess service = scene.Start();

        (await service.WaitAsync(Cancel)).ShouldBe(1);
        ServeScene.Told(service)().ShouldContain("PGB-0227");
    }

    [Fact]
    public async Task A_second_service_of_the_cluster_on_this_host_is_refused_and_the_first_goes_on()
    {
        await PutRunAsync();
        await scene.ServeAsync();
        ToolProcess second = scene.Start();

        (await second.WaitAsync(Cancel)).ShouldBe(1);

        ServeScene.Told(second)().ShouldContain("PGB-0228");
        Get("/livez").ShouldBe("ok\n");
    }

    [Theory]
    [InlineData("{ run: every night }", "schedule.run: \"every night\" is no time of cron")]
    [InlineData("{ run: { cron: \"0 3 * * *\", arguments: [--fast] } }", "schedule.run: run --fast: ")]
    [InlineData("{ run: { cron: \"0 3 * * *\", arguments: [--help] } }", "it only prints help")]
    [InlineData("{ time_zone: UTC }", "schedule.run: no job is scheduled")]
    public async Task A_schedule_that_cannot_be_meant_ends_it_with_2(string schedule, string error)
    {
        scene.Configure(schedule);
        ToolProcess service = scene.Start();

        (await service.WaitAsync(Cancel)).ShouldBe(2);
        ServeScene.Told(service)().ShouldContain(error);
    }

    [Fact]
    public async Task A_wrong_config_is_told_and_not_used_and_a_mended_one_is_read_by_itself()
    {
        await using var hook = new Receiver();
        await PutRunAsync();
        string notify = $"notify: [{{ webhook_file: {Secret("hook.url", hook.Url)} }}]\n";
        scene.Configure(more: notify);
        ToolProcess service = await scene.ServeAsync();

        scene.Configure(more: notify + "nonsense: hunter2\n");
        await ServeScene.UntilAsync(
            () => Get("/metrics").Contains("reload_failed{cluster=\"olympus\"} 1", StringComparison.Ordinal),
            ServeScene.Told(service)
        );
        string told = await ToldAsync(hook, "PGB-0229", service);
        told.ShouldContain("line 9: nonsense");
        told.ShouldNotContain("hunter2");
        await ServeScene.UntilAsync(
            () => ServeScene.Told(service)().Contains("what was read before stays in use", StringComparison.Ordinal),
            ServeScene.Told(service)
        );

        scene.Configure("{ run: \"0 4 1 1 *\", time_zone: UTC }", notify);
        await ServeScene.UntilAsync(
            () => Get("/metrics").Contains("reload_failed{cluster=\"olympus\"} 0", StringComparison.Ordinal),
            ServeScene.Told(service)
        );
        await ServeScene.UntilAsync(
            () => ServeScene.Told(service)().Contains("-01-01 04:00 +00:00", StringComparison.Ordinal),
            ServeScene.Told(service)
        );
    }

    [Fact]
    public async Task A_hang_up_reads_the_config_again()
    {
        await PutRunAsync();
        ToolProcess service = await scene.ServeAsync();

        await scene.SignalAsync("HUP");

        await ServeScene.UntilAsync(
            () => ServeScene.Told(service)().Contains("was read again", StringComparison.Ordinal),
            ServeScene.Told(service)
        );
        service.HasExited.ShouldBeFalse();
    }

    [Fact]
    public async Task Systemd_is_told_that_it_is_ready_alive_and_ending()
    {
        await PutRunAsync();
        string path = scene.Folder["notify"];
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        List<string> got = [];
        _ = Task.Run(
            async () =>
            {
                byte[] buffer = new byte[4096];
                while (true)
                {
                    int length = await socket.ReceiveAsync(buffer, Cancel);
                    lock (got)
                    {
                        got.AddRange(Encoding.UTF8.GetString(buffer, 0, length).Split('\n'));
                    }
                }
            },
            Cancel
        );

        ToolProcess service = scene.Start("state", ("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "20000000"));
        await ServeScene.UntilAsync(() => Has("READY=1") && Has("WATCHDOG=1"), ServeScene.Told(service));
        lock (got)
        {
            got.Single(static g => g.StartsWith("STATUS=", StringComparison.Ordinal)).ShouldContain("run next ");
        }

        await scene.SignalAsync("HUP");
        await ServeScene.UntilAsync(() => Has("RELOADING=1"), ServeScene.Told(service));
        lock (got)
        {
            got.Single(static g => g.StartsWith("MONOTONIC_USEC=", StringComparison.Ordinal)).ShouldNotContain("=-");
        }

        await scene.SignalAsync("TERM");
        await ServeScene.UntilAsync(() => Has("STOPPING=1"), ServeScene.Told(service));
        (await service.WaitAsync(Cancel)).ShouldBe(0);

        bool Has(string line)
        {
            lock (got)
            {
                return got.Contains(line);
            }
        }
    }

    [Fact]
    public async Task The_end_of_the_service_in_mid_run_ends_the_run_in_order_and_records_that()
    {
        scene.Podman($"touch {scene.Folder["called"]}; exec sleep 600");
        ToolProcess service = await scene.ServeAsync();
        await ServeScene.UntilAsync(() => File.Exists(scene.Folder["called"]), ServeScene.Told(service));

        await scene.SignalAsync("TERM");

        (await service.WaitAsync(Cancel)).ShouldBe(0, ServeScene.Told(service)());
        scene.JobId().ShouldBeNull();
        Record record = RecordSample.AllIn(scene.Folder["store"]).ShouldHaveSingleItem();
        (record.Kind, record.Result, record.Findings[0].Code).ShouldBe((RecordKind.Run, RecordResult.Failed, ErrorCode.Cancelled));
    }

    [Fact]
    public async Task A_job_that_the_kernel_kills_is_told_and_the_service_goes_on()
    {
        await using var hook = new Receiver();
        await using var ping = new Receiver();
        scene.Configure(
            more: $"notify: [{{ webhook_file: {Secret("hook.url", hook.Url)} }}, {{ ping_file: {Secret("ping.url", ping.Url)} }}]\n"
        );
        ToolProcess service = await scene.ServeAsync();
        int? job = null;
        await ServeScene.UntilAsync(() => (job = scene.JobId()) is not null, ServeScene.Told(service));
        await ping.WaitAsync(1, TimeSpan.FromSeconds(20));

        await ToolProcess.ReadAsync(new ToolCommand("kill", "-KILL", $"{job}"), Cancel);

        string told = await ToldAsync(hook, "did not do its work", service);
        told.ShouldContain("it was killed (signal 9): the kernel does that when memory runs out");
        await ping.WaitAsync(2, TimeSpan.FromSeconds(20));
        ping.Got.Last().Path.ShouldBe("/s3cr3t-path/fail");
        await MetricAsync(service, "pgbackup_serve_job_last_exit_code{verb=\"run\",cluster=\"olympus\"} 137\n");
    }

    [Fact]
    public async Task A_state_folder_that_cannot_be_written_is_an_error_of_usage()
    {
        scene.Folder.Write("file", "x");
        ToolProcess service = scene.Start("file");

        (await service.WaitAsync(Cancel)).ShouldBe(2);
        ServeScene.Told(service)().ShouldContain("the folder of the state");
    }

    // What is red anyway is told at the start.
    private static async Task<string> ToldAsync(Receiver hook, string text, ToolProcess service)
    {
        await ServeScene.UntilAsync(() => hook.Got.Any(g => g.Body.Contains(text, StringComparison.Ordinal)), ServeScene.Told(service));
        return hook.Got.First(g => g.Body.Contains(text, StringComparison.Ordinal)).Body;
    }

    private Task MetricAsync(ToolProcess service, string line) =>
        ServeScene.UntilAsync(() => Get("/metrics").Contains(line, StringComparison.Ordinal), ServeScene.Told(service));

    private string Get(string path)
    {
        using HttpResponseMessage response = http.Send(new HttpRequestMessage(HttpMethod.Get, scene.Url(path)), Cancel);
        using var reader = new StreamReader(response.Content.ReadAsStream(Cancel));
        return reader.ReadToEnd();
    }

    private string Secret(string name, string url)
    {
        string file = scene.Folder.Write(name, url + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }

    // A run since it was due last. Without one, the service takes the first run at once.
    private Task PutRunAsync() =>
        new RecordsFolder(new LocalStore("local", scene.Folder["store"])).PutAsync(
            RecordSample.Of(RecordKind.Run, TimeProvider.System.GetUtcNow().AddMinutes(-1)) with
            {
                Findings = [],
            },
            Cancel
        );
}
