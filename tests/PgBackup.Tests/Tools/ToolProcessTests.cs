using PgBackup.Tools;

namespace PgBackup.Tests.Tools;

public sealed class ToolProcessTests
{
    [Fact]
    public async Task A_short_call_returns_exit_code_output_and_errors()
    {
        ToolResult result = await ToolProcess.TryReadAsync(FakeTool.Of("cat; echo problem >&2; exit 9"), Cancel, "größe\n");

        (result.ExitCode, result.Output).ShouldBe((9, "größe\n"));
        result.Errors.ShouldBe(["problem"]);
    }

    [Fact]
    public async Task A_short_call_that_must_succeed_throws_with_the_tools_lines()
    {
        (await ToolProcess.ReadAsync(FakeTool.Of("echo $1", "a b"), Cancel)).ShouldBe("a b\n");

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            ToolProcess.ReadAsync(FakeTool.Of("echo no >&2; false"), Cancel)
        );
        error.Code.ShouldBe(ErrorCode.ToolFailed);
        error.Message.ShouldBe("fake failed with exit code 1:\n  no");
    }

    [Fact]
    public async Task Arguments_arrive_as_they_are()
    {
        string[] arguments = ["", " ", "a b", "'", "\"", "$HOME", "`id`", "*", "\\", "a\nb", "--", "größe"];

        (await ToolProcess.ReadAsync(FakeTool.Of("for a; do printf '<%s>' \"$a\"; done", arguments), Cancel)).ShouldBe(
            string.Concat(arguments.Select(static a => $"<{a}>"))
        );
    }

    [Fact]
    public async Task The_environment_is_set_or_removed_and_shows_in_no_argument()
    {
        ToolCommand command = FakeTool.Of("tr '\\0' ' ' < /proc/$$/cmdline; echo; echo \"$PGPASSWORD ${HOME-none}\"") with
        {
            Environment = new Dictionary<string, string?> { ["PGPASSWORD"] = "hunter2", ["HOME"] = null },
        };

        string[] lines = (await ToolProcess.ReadAsync(command, Cancel)).Split('\n');

        lines[0].ShouldContain("sh -c");
        lines[0].ShouldNotContain("hunter2");
        lines[1].ShouldBe("hunter2 none");
        command.Arguments.ShouldNotContain("hunter2");
    }

    [Theory]
    [InlineData("no-such-program-here", "no-such-program-here is not installed")]
    [InlineData("/nowhere/pg_dump", "/nowhere/pg_dump does not exist")]
    public void A_missing_program_is_named_with_how_to_get_it(string program, string message)
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => ToolProcess.Start(new ToolCommand(program)));

        error.Code.ShouldBe(ErrorCode.ToolMissing);
        error.Message.ShouldStartWith(message);
        error.Remedy.ShouldNotBeNull().ShouldStartWith($"Install {Path.GetFileName(program)}");
    }

    [Fact]
    public async Task A_file_that_may_not_be_executed_counts_as_missing()
    {
        using var folder = new TestFolder();
        string file = folder.Write("pg_dump", "#!/bin/sh\n");

        (await Should.ThrowAsync<PgBackupException>(() => ToolProcess.ReadAsync(new ToolCommand(file), Cancel))).Code.ShouldBe(
            ErrorCode.ToolMissing
        );
    }

    [Fact]
    public async Task Disposing_kills_and_may_be_done_twice()
    {
        ToolProcess tool = ToolProcess.Start(FakeTool.Of("exec sleep 60"));
        tool.HasExited.ShouldBeFalse();

        await tool.DisposeAsync();
        await tool.DisposeAsync();

        tool.HasExited.ShouldBeTrue();
    }

    [Fact]
    public async Task A_killed_tool_ends_with_the_number_of_the_signal()
    {
        await using ToolProcess tool = ToolProcess.Start(FakeTool.Of("exec sleep 60"));

        tool.Kill();

        (await tool.WaitAsync(Cancel)).ShouldBe(128 + 9);
        tool.Kill();
        (await Should.ThrowAsync<PgBackupException>(() => tool.WaitForSuccessAsync(Cancel))).Message.ShouldBe(
            "fake was ended by signal 9."
        );
    }

    [Fact]
    public async Task A_tool_that_does_not_read_its_input_may_succeed()
    {
        ToolResult result = await ToolProcess.TryReadAsync(FakeTool.Of("exec <&-; echo fine"), Cancel, new string('x', 4 << 20));

        (result.ExitCode, result.Output).ShouldBe((0, "fine\n"));
    }

    [Fact]
    public async Task Of_many_lines_on_stderr_the_last_ones_are_kept()
    {
        ToolResult result = await ToolProcess.TryReadAsync(FakeTool.Of("seq 1 5000 >&2"), Cancel);

        result.Errors.Count.ShouldBe(400);
        result.Errors[^1].ShouldBe("5000");
        ToolFailure
            .Of(FakeTool.Of(""), 1, result.Errors)
            .Message.Split('\n')
            .Select(static l => l.Trim())
            .ShouldBe(["fake failed with exit code 1:", .. Enumerable.Range(4989, 12).Select(static i => $"{i}")]);
    }

    [Fact]
    public async Task A_grandchild_that_keeps_stderr_open_is_not_waited_for()
    {
        // It ends by itself, since nothing kills what outlived its parent.
        ToolResult result = await ToolProcess
            .TryReadAsync(FakeTool.Of("sleep 15 > /dev/null & echo said >&2"), Cancel)
            .WaitAsync(TimeSpan.FromSeconds(12), Cancel);

        result.Errors.ShouldBe(["said"]);
    }

    [Fact]
    public async Task Tools_are_found_in_their_folder()
    {
        var host = new HostTools("/usr/bin", TimeProvider.System);

        await using ToolProcess tool = await host.StartAsync(new ToolCommand("echo", "x") { Label = "an echo" }, Cancel);

        (await tool.FinishAsync(null, Cancel)).Output.ShouldBe("x\n");
        (tool.Command.FileName, tool.Command.Label).ShouldBe(("/usr/bin/echo", "an echo"));
        await Should.ThrowAsync<PgBackupException>(() =>
            new HostTools("/nowhere", TimeProvider.System).StartAsync(new ToolCommand("pg_dump"), Cancel)
        );
    }

    [Fact]
    public async Task A_staged_file_is_private_whole_and_gone_when_disposed()
    {
        byte[] content = new byte[3_000_000];
        Random.Shared.NextBytes(content);
        StagedFile staged = await new HostTools(null, TimeProvider.System).StageAsync(
            new MemoryStream(content),
            content.Length,
            inMemoryOnly: false,
            Cancel
        );

        (await File.ReadAllBytesAsync(staged.Path, Cancel)).SequenceEqual(content).ShouldBeTrue();
        File.GetUnixFileMode(staged.Path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.GetUnixFileMode(Path.GetDirectoryName(staged.Path)!)
            .ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        await staged.DisposeAsync();
        Directory.Exists(Path.GetDirectoryName(staged.Path)).ShouldBeFalse();
    }

    [Fact]
    public async Task What_could_not_be_staged_whole_is_gone()
    {
        string[] before = Directory.GetDirectories("/dev/shm");
        await using var content = new BrokenStream(new byte[1000]);

        await Should.ThrowAsync<PgBackupException>(() =>
            new HostTools(null, TimeProvider.System).StageAsync(content, 1000, inMemoryOnly: false, Cancel)
        );

        Directory
            .GetDirectories("/dev/shm", $"olympus-pgbackup-{Environment.ProcessId}-*")
            .Except(before)
            .Where(static folder => File.Exists(Path.Combine(folder, "archive")))
            .ShouldBeEmpty();
    }
}
