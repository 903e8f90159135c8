using PgBackup.Tools;

namespace PgBackup.Tests.Tools;

/// <summary>What podman and docker say of a container, each in the words of the real ones.</summary>
public sealed class ContainerEngineTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("echo 'exited 0'", "the container \"o'x\" is not running (its state is \"exited\").", "start 'o'\\''x'")]
    [InlineData("echo 'paused 12'", "the container \"o'x\" is not running (its state is \"paused\").", "unpause 'o'\\''x'")]
    [InlineData(
        "echo 'Error: inspecting object: no such container x' >&2; exit 125",
        "knows no container \"o'x\": Error: inspecting object: no such",
        "ps --all` lists"
    )]
    [InlineData(
        "echo 'Error: no container with name or ID \"x\" found: no such container' >&2; exit 1",
        "knows no container",
        "ps --all` lists"
    )]
    [InlineData("echo 'Error response from daemon: No such container: x' >&2; exit 1", "knows no container", "ps --all` lists")]
    [InlineData(
        "echo 'Error: creating lock: open /dev/shm/libpod_lock: read-only file system' >&2; exit 125",
        "does not work here, and says nothing of the container \"o'x\": Error: creating lock",
        "A /dev/shm or a disk"
    )]
    [InlineData("echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2; exit 1", "does not work here", "Try `")]
    public async Task A_container_that_cannot_be_used_is_told_with_what_helps(string script, string told, string remedy)
    {
        string engine = folder.Write("engine", $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(engine, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            new ContainerEngine(engine, TimeProvider.System).RequireRunningAsync("o'x", Cancel)
        );

        error.Code.ShouldBe(ErrorCode.ContainerUnavailable);
        error.Message.ShouldContain(told);
        error.Remedy.ShouldNotBeNull().ShouldContain(remedy);
    }

    [Fact]
    public async Task An_engine_that_does_not_answer_is_not_waited_for_without_end()
    {
        string engine = folder.Write("engine", "#!/bin/sh\nexec sleep 600\n");
        File.SetUnixFileMode(engine, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        var clock = new ManualClock(DateTimeOffset.UnixEpoch);
        Task<string> asking = new ContainerEngine(engine, clock).RequireRunningAsync("x", Cancel);
        clock.Advance(TimeSpan.FromMinutes(2));
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(asking);

        error.Code.ShouldBe(ErrorCode.ContainerUnavailable);
        error.Message.ShouldEndWith("says nothing of the container \"x\" within 120 s.");
        error.Remedy.ShouldNotBeNull().ShouldContain(" ps`");
    }

    [Fact]
    public async Task One_that_runs_is_told_by_its_first_process()
    {
        string engine = folder.Write("engine", "#!/bin/sh\necho 'running 4711'\n");
        File.SetUnixFileMode(engine, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        (await new ContainerEngine(engine, TimeProvider.System).RequireRunningAsync("x", Cancel)).ShouldBe("4711");
    }
}
