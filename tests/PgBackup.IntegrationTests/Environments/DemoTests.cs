using System.Globalization;

namespace PgBackup.IntegrationTests.Environments;

/// <summary>The demo on the server binaries of this host, as where no container engine works.</summary>
public sealed class DemoTests
{
    private static readonly bool HasServer =
        Directory.Exists("/usr/lib/postgresql")
        && Directory.GetDirectories("/usr/lib/postgresql").Any(static f => File.Exists(Path.Combine(f, "bin", "initdb")));

    [Fact]
    public async Task Without_a_container_engine_the_server_of_this_host_serves_and_nothing_of_it_stays()
    {
        using Workspace own = WithoutEngine();

        Outcome demo = await own.RunAsync(HasServer ? 0 : 1, "demo", "--identities", "50");

        if (HasServer)
        {
            demo.Output.ShouldContain("a server on the socket in /");
            demo.Output.ShouldContain("restored and proven equal: 5 databases into postgres://postgres@/");
        }
        else
        {
            demo.Errors.ShouldContain("PGB-0080");
        }

        await NothingShouldStayAsync();
    }

    [Theory]
    [InlineData("initdb")]
    [InlineData("pg_ctl")]
    [InlineData("psql")]
    public async Task A_demo_that_is_stopped_while_its_server_starts_leaves_nothing(string tool)
    {
        Assert.SkipUnless(HasServer, "this host has no Postgres server to stop (apt-get install postgresql)");
        using Workspace own = WithoutEngine();
        await using RunningProgram demo = own.Start("demo", "--identities", "50");
        await RunsAsync(demo, tool);

        await demo.SignalAsync("TERM");

        (await demo.EndAsync()).ExitCode.ShouldBe(1);
        await NothingShouldStayAsync();
    }

    // Some of these run for a tenth of a second: looked at often, and without a process for each look.
    private static async Task RunsAsync(RunningProgram demo, string tool)
    {
        while (!demo.HasExited)
        {
            foreach (string process in Directory.GetDirectories("/proc").Where(static p => char.IsAsciiDigit(Path.GetFileName(p)[0])))
            {
                try
                {
                    // proc(5): "pid (name) state parent ..."
                    string stat = await File.ReadAllTextAsync(Path.Combine(process, "stat"), TestContext.Current.CancellationToken);
                    int end = stat.LastIndexOf(')');
                    if (
                        stat[(stat.IndexOf('(', StringComparison.Ordinal) + 1)..end] == tool
                        && stat[(end + 2)..].Split(' ')[1] == demo.Id.ToString(CultureInfo.InvariantCulture)
                    )
                    {
                        return;
                    }
                }
                catch (IOException)
                {
                    // it has ended
                }
            }

            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        Assert.Fail($"{tool} was never seen: {await demo.EndAsync()}");
    }

    private static Workspace WithoutEngine()
    {
        var own = new Workspace("");
        own.TakeFromPath("podman", "docker");
        return own;
    }

    private static async Task NothingShouldStayAsync()
    {
        Workspace.HostShouldBeClean();
        await Shell.UntilAsync(
            async () =>
                (
                    await Shell.RunAsync(
                        "sh",
                        ["-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'postgres -D /[^ ]*/olympus-pgbackup-'"]
                    )
                ).Output.Trim() == "0",
            "no scratch server runs"
        );
    }
}
