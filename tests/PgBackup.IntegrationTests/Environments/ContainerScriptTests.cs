using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.IntegrationTests.Environments;

/// <summary>The script that starts tools in a container ends, and leaves nothing, whoever dies.</summary>
[Collection("bad days")]
public sealed class ContainerScriptTests(BadDaysCluster cluster)
{
    [Fact]
    public async Task A_script_that_nobody_joins_gives_up()
    {
        string folder = $"/dev/shm/olympus-pgbackup-exec-{Guid.NewGuid():N}";
        await using (
            RunningProgram client = new(
                "podman",
                ["exec", "--interactive", cluster.Server.Name, "sh", .. ContainerScript.Arguments(folder, 1)],
                null,
                null,
                null
            )
        )
        {
            await Shell.UntilAsync(
                async () => (await cluster.Server.ExecAsync("test", "-p", folder + "/command")).ExitCode == 0,
                "the script waits"
            );
            await client.SignalAsync("KILL");
        }

        await ShouldBeEmptyAsync();
    }

    [Fact]
    public async Task A_script_ends_with_the_program_when_the_engines_client_and_its_monitor_were_killed_before()
    {
        using Workspace night = cluster.Gpg("big");
        string whole = (await Shell.ReadAsync("podman", ["inspect", "--format", "{{.Id}}", cluster.Server.Name])).Trim();
        foreach (string monitor in (string[])["podman exec --interactive", "--exec-attach"])
        {
            using var hold = new Hold(night);
            await using RunningProgram run = night.Start();
            await hold.EnteredAsync(1);
            int[] victims = Processes(monitor, monitor[0] == '-' ? whole : cluster.Server.Name);
            victims.ShouldNotBeEmpty(monitor);
            await Shell.RunAsync("kill", ["-KILL", .. victims.Select(static v => $"{v}")]);
            await Task.Delay(300, TestContext.Current.CancellationToken);
            await run.SignalAsync("KILL");
            await run.EndAsync();
            await ShouldBeEmptyAsync();
            // An exec that is killed while it starts leaves a process to the server, which takes it for a crash of its own.
            await Shell.UntilAsync(() => Task.FromResult(Processes("--exec-attach", whole).Length == 0), "no exec is under way");
        }

        await night.BackupAsync();

        static int[] Processes(string what, string where) =>
            [
                .. Directory
                    .GetDirectories("/proc")
                    .Select(static p => int.TryParse(Path.GetFileName(p), out int pid) ? pid : 0)
                    .Where(pid => pid > 0 && CommandLineOf(pid) is var line && line.Contains(what) && line.Contains(where)),
            ];
    }

    [Fact]
    public async Task What_a_script_left_that_died_itself_is_removed_by_the_next_and_what_a_living_one_has_is_not()
    {
        const string Dead = "olympus-pgbackup-exec-dead",
            Living = "olympus-pgbackup-exec-living",
            Elsewhere = "olympus-pgbackup-exec-elsewhere";
        const string Begun = "olympus-pgbackup-exec-be9",
            Named = "olympus-pgbackup-exec-be9ar"; // no owner yet; and no name that a script has
        const string Before = "olympus-pgbackup-exec-bef0",
            Beside = "olympus-pgbackup-exec-be51de"; // of this container before a restart; of another one of its pod
        (
            await cluster.Server.ExecAsync(
                "sh",
                "-c",
                $$"""
                start() { read -r s </proc/$1/stat; s=${s##*) }; set -- $s; echo ${20}; }
                own="$(cat /proc/sys/kernel/hostname) $(readlink /proc/self/ns/pid)"
                mkdir /tmp/{{Dead}} /dev/shm/{{Dead}} /tmp/{{Living}} /tmp/{{Elsewhere}} /tmp/{{Begun}} /dev/shm/{{Begun}} /tmp/{{Named}} /dev/shm/{{Before}} /dev/shm/{{Beside}}
                mark=$(sed -n 's/.* \/ .*upperdir=\([^,]*\).*/\1/p' /proc/self/mountinfo | tail -n 1)
                [ -n "$mark" ] || exit 1
                echo "$(cat /proc/sys/kernel/hostname) pid:[1] 1 1 $mark" >/dev/shm/{{Before}}/owner
                echo "$(cat /proc/sys/kernel/hostname) pid:[1] 1 1 $mark.other" >/dev/shm/{{Beside}}/owner
                : >/tmp/{{Begun}}/owner; mkfifo /dev/shm/{{Begun}}/command
                echo archive >/tmp/{{Dead}}/archive
                echo "$own 1 1" >/tmp/{{Dead}}/owner; cp /tmp/{{Dead}}/owner /dev/shm/{{Dead}}
                echo "$own 1 $(start 1)" >/tmp/{{Living}}/owner
                echo "another pid:[1] 1 1" >/tmp/{{Elsewhere}}/owner
                """
            )
        ).ExitCode.ShouldBe(0);
        try
        {
            using Workspace night = cluster.Plain("tiny");
            await night.BackupAsync();

            string left = (await cluster.Server.ExecAsync("sh", "-c", "ls -d /dev/shm/olympus-pgbackup* /tmp/olympus-pgbackup*")).Output;
            left.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .ShouldBe([$"/tmp/{Elsewhere}", $"/tmp/{Living}", $"/tmp/{Named}", $"/dev/shm/{Beside}"], ignoreOrder: true);
        }
        finally
        {
            await cluster.Server.ExecAsync(
                "sh",
                "-c",
                $"rm -rf /tmp/{Dead} /dev/shm/{Dead} /tmp/{Living} /tmp/{Elsewhere} /tmp/{Begun} /dev/shm/{Begun} /tmp/{Named} "
                    + $"/dev/shm/{Before} /dev/shm/{Beside}"
            );
        }
    }

    [Fact]
    public async Task An_archive_that_cannot_be_read_to_its_end_or_is_not_wanted_any_more_is_put_aside_by_nobody()
    {
        await using ContainerTools tools = await ContainerTools.EnterAsync(
            new ContainerEngine("podman", TimeProvider.System),
            cluster.Server.Name,
            TestContext.Current.CancellationToken
        );
        using var stop = new CancellationTokenSource();
        using var damaged = new FailingStream(static () => throw new PgBackupException(ErrorCode.ObjectDamaged, "it was changed"));
        using var cancelled = new FailingStream(stop.Cancel);

        (await Should.ThrowAsync<PgBackupException>(() => tools.StageAsync(damaged, 1 << 22, false, stop.Token))).Code.ShouldBe(
            ErrorCode.ObjectDamaged
        );
        await Should.ThrowAsync<OperationCanceledException>(() => tools.StageAsync(cancelled, 1 << 22, false, stop.Token));

        (
            await cluster.Server.ExecAsync(
                "sh",
                "-c",
                "find /dev/shm /tmp -path '*olympus-pgbackup-exec-*' -type f -size +1k ! -name reserve"
            )
        ).Output.ShouldBe("");
    }

    [Fact]
    public async Task Tools_start_though_the_memory_of_the_container_was_filled_meanwhile()
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        await using ContainerTools tools = await ContainerTools.EnterAsync(
            new ContainerEngine("podman", TimeProvider.System),
            cluster.Server.Name,
            cancel
        );
        (await cluster.Server.ExecAsync("sh", "-c", "cat /dev/zero >/dev/shm/full; echo 1 >/dev/shm/more")).ExitCode.ShouldNotBe(
            0,
            "it is full to the last page"
        );
        try
        {
            foreach (
                string[] arguments in (string[][])
                    [
                        ["test", "-e", "/dev/shm/full"],
                        ["rm", "/dev/shm/full"],
                        ["test", "!", "-e", "/dev/shm/full"],
                    ]
            )
            {
                await using ToolProcess tool = await tools.StartAsync(new ToolCommand(arguments[0], arguments[1..]), cancel);
                await tool.Input.DisposeAsync();
                (await tool.WaitAsync(cancel)).ShouldBe(0, string.Join(' ', arguments));
            }
        }
        finally
        {
            await cluster.Server.ExecAsync("rm", "-f", "/dev/shm/full", "/dev/shm/more");
        }
    }

    [Fact]
    public async Task A_tool_whose_part_of_the_script_was_killed_has_failed_and_nobody_waits_for_it()
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        await using ContainerTools tools = await ContainerTools.EnterAsync(
            new ContainerEngine("podman", TimeProvider.System),
            cluster.Server.Name,
            cancel
        );
        await using ToolProcess tool = await tools.StartAsync(new ToolCommand("sh", "-c", "echo $PPID; read -r line; exit 0"), cancel);
        using var reader = new StreamReader(tool.Output);
        string part = (await reader.ReadLineAsync(cancel)).ShouldNotBeNull();

        (await cluster.Server.ExecAsync("kill", "-KILL", part)).ExitCode.ShouldBe(0);
        await tool.Input.DisposeAsync();

        (await tool.WaitAsync(cancel).WaitAsync(TimeSpan.FromMinutes(1), cancel)).ShouldBe(137);
        await using ToolProcess next = await tools.StartAsync(new ToolCommand("true"), cancel);
        (await next.WaitAsync(cancel)).ShouldBe(0);
    }

    private static string CommandLineOf(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").Replace('\0', ' ');
        }
        catch (IOException)
        {
            return ""; // it has ended
        }
    }

    // No folder, and no process but those of the server; the one that looks is not counted.
    private async Task ShouldBeEmptyAsync()
    {
        await cluster.Server.ShouldBeCleanAsync();
        string others = "";
        await Shell.UntilAsync(
            async () =>
                (
                    others = (
                        await cluster.Server.ExecAsync(
                            "sh",
                            "-c",
                            "for p in /proc/[0-9]*; do [ ${p#/proc/} != $$ ] && grep -qx -e sh -e sleep -e cat -e psql -e pg_dump "
                                + "$p/comm 2>/dev/null && echo $p; done"
                        )
                    ).Output
                )
                    .Trim()
                    .Length == 0,
            $"no process of a script is left: {others}"
        );
    }

    // Two megabytes, and then something happens.
    private sealed class FailingStream(Action then) : ForwardStream
    {
        private int given;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (given >= 2 << 20)
            {
                then();
            }

            cancellationToken.ThrowIfCancellationRequested();
            int count = Math.Min(buffer.Length, 64 << 10);
            given += count;
            return ValueTask.FromResult(count);
        }

        protected override ValueTask DisposeOnceAsync() => ValueTask.CompletedTask;
    }
}
