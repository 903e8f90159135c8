using PgBackup.Operations.Restore;
using PgBackup.Postgres;
using PgBackup.Tests.Tools;
using PgBackup.Tools;

namespace PgBackup.Tests.Postgres;

/// <summary>How long a session waits for a psql that hangs. It is a script.</summary>
public sealed class PsqlSessionTests : IDisposable
{
    private readonly ManualClock clock = new(new DateTimeOffset(2026, 3, 22, 4, 0, 0, TimeSpan.Zero));
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_psql_that_lost_its_server_and_does_not_end_is_ended_after_five_seconds()
    {
        var psql = ToolProcess.Start(FakeTool.Of("echo 'the server closed the connection' >&2; exec >&-; exec sleep 600"));

        Task<PsqlSession> opening = PsqlSession.OpenAsync(psql, "the server", clock, Cancel);
        await FakeTool.UntilAsync(() => clock.WaitingCount == 1);
        opening.IsCompleted.ShouldBeFalse();
        clock.Advance(TimeSpan.FromSeconds(5));

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(opening);
        error.Code.ShouldBe(ErrorCode.Connection);
        error.Message.ShouldBe("no connection to the server:\n  the server closed the connection");
    }

    [Fact]
    public async Task A_psql_that_goes_on_after_its_last_input_is_ended_after_three_seconds()
    {
        var psql = ToolProcess.Start(FakeTool.Of("cat >/dev/null; exec sleep 600"));
        using var stop = new CancellationTokenSource();

        Task<PsqlSession> opening = PsqlSession.OpenAsync(psql, "the server", clock, stop.Token);
        await stop.CancelAsync();
        await FakeTool.UntilAsync(() => clock.WaitingCount == 1);
        opening.IsCompleted.ShouldBeFalse();
        clock.Advance(TimeSpan.FromSeconds(3));

        await Should.ThrowAsync<OperationCanceledException>(opening);
        psql.HasExited.ShouldBeTrue();
    }

    [Fact]
    public async Task A_server_that_says_nothing_is_asked_for_fifteen_seconds_to_close_a_database()
    {
        File.SetUnixFileMode(folder.Write("psql", "#!/bin/sh\nexec cat >/dev/null\n"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var server = new PostgresServer(
            new PostgresTools { Host = new HostTools(folder.Path, clock), Version = "17.1" },
            PgConnection.Parse("postgres://localhost/"),
            "test",
            clock
        );

        Task<string> closing = TargetDatabase.CloseAsync("olympus", server);
        closing.IsCompleted.ShouldBeFalse();
        clock.Advance(TimeSpan.FromSeconds(15));

        (await closing).ShouldStartWith("olympus was left as it is, and could not be closed:");
    }
}
