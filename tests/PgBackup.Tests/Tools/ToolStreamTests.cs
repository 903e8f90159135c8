using System.Text;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Tests.Tools;

public sealed class ToolStreamTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task The_output_of_a_tool_that_succeeds_ends()
    {
        await using ToolStream stream = FakeTool.Output("echo one; echo warning >&2; echo two");

        (await TextAsync(stream)).ShouldBe("one\ntwo\n");
        stream.Errors.ShouldBe(["warning"]);
        (await stream.ReadAsync(new byte[10], Cancel)).ShouldBe(0);
    }

    [Fact]
    public async Task The_last_read_of_a_tool_that_fails_throws_with_its_own_lines()
    {
        await using ToolStream stream = FakeTool.Output("echo all of it; echo 'pg_dump: error: the disk is gone' >&2; exit 3");
        using var copy = new MemoryStream();

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => stream.CopyToAsync(copy, Cancel));

        copy.ToArray().ShouldBe("all of it\n"u8.ToArray());
        error.Code.ShouldBe(ErrorCode.ToolFailed);
        error.Message.ShouldBe("fake failed with exit code 3:\n  pg_dump: error: the disk is gone");
        await Should.ThrowAsync<PgBackupException>(() => stream.CopyToAsync(Stream.Null, Cancel));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_tool_that_may_stop_reading_leaves_is_read_to_its_end_unless_nobody_wants_it(bool leavesRest)
    {
        const int Size = 64 << 20;
        var source = new HashingStream(new MemoryStream(new byte[Size]));
        await using (
            ToolStream stream = ToolStream.Through(
                ToolProcess.Start(new ToolCommand("head", "-c", "5") { MayStopReading = true, LeavesRest = leavesRest }),
                source,
                Cancel
            )
        )
        {
            (await AllOfAsync(stream)).Length.ShouldBe(5);
        }

        (source.BytesRead < Size).ShouldBe(leavesRest);
    }

    [Fact]
    public async Task A_tool_that_is_killed_did_not_succeed()
    {
        await using ToolStream stream = FakeTool.Output("echo half; kill -9 $$");

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => TextAsync(stream));

        error.Message.ShouldBe("fake was ended by signal 9.");
    }

    [Fact]
    public async Task A_tool_that_closes_its_output_is_waited_for()
    {
        await using ToolStream stream = FakeTool.Output("echo all; exec >&-; sleep 0.2; exit 4");

        (await Should.ThrowAsync<PgBackupException>(() => TextAsync(stream))).Message.ShouldContain("exit code 4");
    }

    [Fact]
    public async Task What_is_fed_in_comes_through()
    {
        byte[] content = new byte[5_000_000];
        Random.Shared.NextBytes(content);

        (await AllOfAsync(FakeTool.Through("cat", new MemoryStream(content)))).SequenceEqual(content).ShouldBeTrue();
    }

    [Fact]
    public async Task A_tool_downstream_of_a_failure_is_killed_before_it_sees_the_end_of_its_input()
    {
        string seen = folder["seen"];
        await using var input = new BrokenStream("first\n"u8.ToArray());
        await using ToolStream stream = FakeTool.Through($"cat; echo end > {seen}; echo finished", input);
        using var copy = new MemoryStream();

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => stream.CopyToAsync(copy, Cancel));

        error.Message.ShouldBe("pg_dump failed with exit code 1");
        Encoding.UTF8.GetString(copy.ToArray()).ShouldNotContain("finished");
        await Task.Delay(200, Cancel);
        File.Exists(seen).ShouldBeFalse();
        await Should.ThrowAsync<PgBackupException>(() => stream.CopyToAsync(Stream.Null, Cancel));
    }

    [Fact]
    public async Task A_failure_passes_through_a_whole_chain()
    {
        string seen = folder["seen"];
        await using ToolStream first = FakeTool.Output("echo data; echo gone >&2; exit 7");
        await using ToolStream second = FakeTool.Through($"cat; echo second >> {seen}", first);
        await using ToolStream third = FakeTool.Through($"cat; echo third >> {seen}", second);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => TextAsync(third));

        error.Message.ShouldBe("fake failed with exit code 7:\n  gone");
        File.Exists(seen).ShouldBeFalse();
    }

    [Fact]
    public async Task A_tool_that_stops_reading_early_failed_even_with_exit_code_0()
    {
        await using ToolStream stream = FakeTool.Through("head -c 10 > /dev/null; echo done", new MemoryStream(new byte[8 << 20]));

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => TextAsync(stream));

        error.Message.ShouldBe("fake stopped reading before the end of its input.");
    }

    [Fact]
    public async Task A_tool_that_may_stop_reading_succeeds_and_its_source_is_read_to_the_end()
    {
        await using var source = new HashingStream(new MemoryStream(new byte[8 << 20]));
        await using ToolStream stream = FakeTool.Through("head -c 10 > /dev/null; echo done", source, mayStopReading: true);

        (await TextAsync(stream)).ShouldBe("done\n");
        source.BytesRead.ShouldBe(8 << 20);
    }

    [Fact]
    public async Task A_tool_that_stops_reading_and_fails_is_told_by_its_exit_code()
    {
        await using ToolStream stream = FakeTool.Through(
            "head -c 10 > /dev/null; echo full >&2; exit 5",
            new MemoryStream(new byte[8 << 20])
        );

        (await Should.ThrowAsync<PgBackupException>(() => TextAsync(stream))).Message.ShouldBe("fake failed with exit code 5:\n  full");
    }

    [Fact]
    public async Task Disposing_before_the_end_kills_the_tool_and_its_children()
    {
        ToolStream stream = FakeTool.Output("sleep 60 & echo $$ $!; wait");
        var buffer = new byte[100];
        string[] pids = Encoding.UTF8.GetString(buffer, 0, await stream.ReadAsync(buffer, Cancel)).Split(' ');
        pids.Length.ShouldBe(2);
        pids.ShouldAllBe(static pid => FakeTool.IsRunning(pid));

        await stream.DisposeAsync();

        await FakeTool.UntilAsync(() => !pids.Any(FakeTool.IsRunning));
    }

    [Fact]
    public async Task Disposing_before_the_end_lets_go_of_the_source()
    {
        var input = new BrokenStream(new byte[10]);
        ToolStream stream = FakeTool.Through("sleep 60", input);

        await stream.DisposeAsync();

        input.IsDisposed.ShouldBeTrue();
    }

    [Fact]
    public async Task A_cancelled_read_ends()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        await using ToolStream stream = ToolStream.From(ToolProcess.Start(FakeTool.Of("sleep 60")), stop.Token);
        Task<int> reading = Task.Run(() => stream.ReadAsync(new byte[10], stop.Token).AsTask(), Cancel); // a read blocks its thread

        await stop.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => reading);
    }

    private static async Task<string> TextAsync(ToolStream stream) => Encoding.UTF8.GetString(await AllOfAsync(stream));
}
