using PgBackup.Tools;

namespace PgBackup.Tests.Tools;

public sealed class ContainerShellTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly ManualClock clock = new(DateTimeOffset.UnixEpoch);

    [Fact]
    public async Task A_script_that_never_says_that_it_is_ready_is_told_within_the_time()
    {
        await using var client = ToolProcess.Start(FakeTool.Of("echo 'the engine is busy' >&2; exec sleep 60"));
        await FakeTool.UntilAsync(() => client.Errors.Count > 0);

        Task opening = OpenAsync(client);
        clock.Advance(Patience);
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(opening);

        error.Code.ShouldBe(ErrorCode.ContainerUnavailable);
        error.Message.ShouldBe("fake gave no answer within 120 s: the engine is busy");
        error.Remedy.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_client_that_says_something_else_and_stays_is_told_within_the_time_too()
    {
        await using var client = ToolProcess.Start(FakeTool.Of("echo welcome; exec sleep 60"));

        Task opening = OpenAsync(client);
        clock.Advance(Patience);

        (await Should.ThrowAsync<PgBackupException>(opening)).Code.ShouldBe(ErrorCode.ContainerUnavailable);
    }

    [Fact]
    public async Task Pipes_and_links_that_somebody_planted_as_the_mark_of_an_owner_are_not_read()
    {
        string own = $"olympus-pgbackup-exec-{Guid.NewGuid():N}";
        string pipe = $"/tmp/{own}-pipe",
            link = $"/tmp/{own}-link",
            folder = $"/tmp/{own}-folder",
            dead = $"/tmp/{own}-dead";
        using var elsewhere = new TestFolder();
        string mark = Path.Combine(elsewhere.Path, "owner");
        string gone =
            $"{(await File.ReadAllTextAsync("/proc/sys/kernel/hostname", Cancel)).Trim()} "
            + $"{new FileInfo("/proc/self/ns/pid").LinkTarget} 1 1";
        await File.WriteAllTextAsync(mark, gone + "\n", Cancel);
        await ToolProcess.ReadAsync(
            FakeTool.Of(
                "mkdir \"$1\" \"$2\" \"$4\" && mkfifo \"$1/owner\" && ln -s \"$5\" \"$2/owner\" && ln -s \"${5%/*}\" \"$3\" && cp "
                    + "\"$5\" \"$4\"",
                pipe,
                link,
                folder,
                dead,
                mark
            ),
            Cancel
        );
        try
        {
            await using var script = ToolProcess.Start(new ToolCommand("sh", ContainerScript.Arguments($"/dev/shm/{own}", 1)));
            using var replies = new StreamReader(script.Output);
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));

            (await replies.ReadLineAsync(limit.Token).AsTask().WaitAsync(limit.Token)).ShouldBe("ready");
            (await script.WaitAsync(limit.Token)).ShouldBe(0);

            Directory.Exists(dead).ShouldBeFalse();
            ((string[])[pipe, link, folder]).ShouldAllBe(static p => Directory.Exists(p));
            File.Exists(mark).ShouldBeTrue();
        }
        finally
        {
            await ToolProcess.ReadAsync(FakeTool.Of("rm -rf \"$@\"", pipe, link, folder, dead), Cancel);
        }
    }

    private Task<ContainerShell?> OpenAsync(ToolProcess client) =>
        ContainerShell.OpenAsync(
            client,
            static _ => Task.FromResult<string?>(null),
            static () => Task.CompletedTask,
            Patience,
            clock,
            Cancel
        );
}
