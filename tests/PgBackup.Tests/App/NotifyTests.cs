using System.Diagnostics;
using System.Text.Json;
using PgBackup.Snapshots;
using PgBackup.Tests.Notifications;
using PgBackup.Tests.Snapshots;

namespace PgBackup.Tests.App;

/// <summary>Notices of the program as a process of its own.</summary>
public sealed class NotifyTests : IDisposable
{
    private readonly TestFolder folder = new();

    public NotifyTests()
    {
        Manifest manifest = ManifestSample.Of(ManifestSample.Id);
        Directory.CreateDirectory(folder["store/" + manifest.Id]);
        File.WriteAllBytes(folder[$"store/{manifest.Id}/manifest.json"], manifest.ToJson());
    }

    public void Dispose()
    {
        // A verb leaves a process behind that delivers, and writes below the folder.
        LeftBehind.End(folder.Path);
        folder.Dispose();
    }

    [Fact]
    public async Task A_run_that_fails_is_told_within_ten_seconds_with_its_reason_and_what_mends_it()
    {
        await using var hook = new Receiver();
        await using var ping = new Receiver();
        Configure(hook.Url, ping.Url);
        long start = Stopwatch.GetTimestamp();

        AppResult run = await RunAsync("run");

        run.ExitCode.ShouldBe(1);
        await hook.WaitAsync(1, TimeSpan.FromSeconds(10));
        await ping.WaitAsync(2, TimeSpan.FromSeconds(10));
        Stopwatch.GetElapsedTime(start).ShouldBeLessThan(TimeSpan.FromSeconds(10));
        using var json = JsonDocument.Parse(hook.Got.Single().Body);
        JsonElement finding = json.RootElement.GetProperty("findings")[0];
        finding.GetProperty("what").GetString().ShouldBe("the last `run` failed");
        finding.GetProperty("why").GetString().ShouldNotBeNull().ShouldContain("no-such-container");
        finding.GetProperty("fix").GetString().ShouldNotBeNullOrEmpty();
        ping.Got.Select(static g => g.Path).ShouldBe(["/s3cr3t-path/start", "/s3cr3t-path/fail"]);
        (run.Output + run.Errors + hook.Got.Single().Body).ShouldNotContain("s3cr3t");

        await MemoryAsync(static m => m.Contains("told_at", StringComparison.Ordinal));
        await RunAsync("run");
        await ping.WaitAsync(4, TimeSpan.FromSeconds(10));

        hook.Got.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_config_that_became_wrong_is_told_too()
    {
        await using var hook = new Receiver();
        await using var ping = new Receiver();
        Configure(hook.Url, ping.Url, "nonsense: true\n");

        (await RunAsync()).ExitCode.ShouldBe(2);
        (await RunAsync("list")).ExitCode.ShouldBe(2);

        await hook.WaitAsync(1, TimeSpan.FromSeconds(10));
        hook.Got.Single().Body.ShouldContain("line 9: nonsense");
        ping.Got.Single().Path.ShouldBe("/s3cr3t-path/fail");
    }

    [Fact]
    public async Task What_hangs_is_left_to_another_process_which_delivers_it_later()
    {
        await using var hook = new Receiver();
        Configure(hook.Url, null);
        hook.Then(null);

        AppResult run = await RunAsync("run");

        run.ExitCode.ShouldBe(1);
        run.Errors.ShouldNotContain("PGB-0221");
        await hook.WaitAsync(2, TimeSpan.FromSeconds(40));
        hook.Got.Select(static g => JsonDocument.Parse(g.Body).RootElement.GetProperty("id").GetString()).Distinct().Count().ShouldBe(1);
        await MemoryAsync(static m => !m.Contains("failing_since", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_receiver_that_refuses_is_a_warning_of_the_verb_and_of_status()
    {
        await using var hook = new Receiver { Answer = 404 };
        Configure(hook.Url, null);

        AppResult run = await RunAsync("run");

        run.ExitCode.ShouldBe(1);
        await MemoryAsync(static m => m.Contains("failing_since", StringComparison.Ordinal));
        (await RunAsync("status")).Output.ShouldContain("WARNING: PGB-0221: a notice could not be delivered");
    }

    [Fact]
    public async Task Status_tells_what_changed_since_it_was_told_last()
    {
        await using var hook = new Receiver();
        Configure(hook.Url, null);

        AppResult first = await RunAsync("status", "--notify");
        await MemoryAsync(static m => m.Contains("told_at", StringComparison.Ordinal));
        await RunAsync("status", "--notify");
        await RunAsync("status");

        first.ExitCode.ShouldBe(1);
        hook.Got.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Doctor_sends_a_test_and_says_whether_it_was_taken()
    {
        await using var hook = new Receiver();
        await using var ping = new Receiver();
        Configure(hook.Url, ping.Url);

        AppResult good = await RunAsync("doctor", "--notify");
        good.ExitCode.ShouldBe(0, good.Output + good.Errors);
        good.Output.ShouldContain("took a test");
        ping.Got.Single().Path.ShouldBe("/s3cr3t-path/log");
        hook.Answer = 401;

        AppResult bad = await RunAsync("doctor", "--notify");

        bad.ExitCode.ShouldBe(1);
        bad.Output.ShouldContain("PGB-0225");
        bad.Output.ShouldContain("it answered 401");
    }

    [Fact]
    public async Task Doctor_warns_where_nobody_is_told_and_where_a_dead_host_tells_nobody()
    {
        Configure(null, null);
        AppResult nobody = await RunAsync("doctor", "--only", "notify");
        nobody.Output.ShouldContain("PGB-0223");
        nobody.Output.ShouldContain("PGB-0222");
        (await RunAsync("doctor", "--notify")).ExitCode.ShouldBe(2);
        (await RunAsync("status", "--notify")).ExitCode.ShouldBe(2);

        await using var ping = new Receiver();
        Configure(null, ping.Url);

        (await RunAsync("doctor", "--only", "notify")).Output.ShouldNotContain("PGB-022");
        folder.Write("ping.url", "no s3cr3t url\n");
        AppResult broken = await RunAsync("doctor", "--only", "notify");
        broken.ExitCode.ShouldBe(1);
        broken.Output.ShouldContain("PGB-0221");
        broken.Output.ShouldNotContain("s3cr3t");
    }

    private Task<AppResult> RunAsync(params string[] arguments) =>
        AppProcess.RunAsync(folder.Path, new Dictionary<string, string?> { ["XDG_STATE_HOME"] = folder["state"] }, arguments);

    private async Task MemoryAsync(Func<string, bool> holds)
    {
        string file = folder["state/olympus-pgbackup/notices-olympus.json"];
        for (int i = 0; i < 1000; i++)
        {
            if (File.Exists(file) && holds(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)))
            {
                return;
            }

            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        throw new InvalidOperationException(
            $"the memory never was as expected: {await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)}"
        );
    }

    private void Configure(string? hook, string? ping, string more = "")
    {
        string notify = "";
        if (hook is not null)
        {
            notify += $"  - {{ webhook_file: {Secret("hook.url", hook)} }}\n";
        }

        if (ping is not null)
        {
            notify += $"  - {{ ping_file: {Secret("ping.url", ping)} }}\n";
        }

        folder.Write(
            "olympus-pgbackup.yaml",
            "cluster: olympus\nsource: { podman: no-such-container }\ndatabases: [olympus]\nencryption: none\n"
                + $"stores: [{{ name: local, path: {folder["store"]} }}]\n{(notify.Length > 0 ? "notify:\n" + notify : "")}{more}"
        );
    }

    private string Secret(string name, string url)
    {
        string file = folder.Write(name, url + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }
}
