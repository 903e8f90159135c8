using PgBackup.Configuration;

namespace PgBackup.Tests.Serve;

/// <summary>Which job is started when: none is missed, and none is done twice.</summary>
public sealed class JobBoardTests
{
    private static readonly (JobKind, string) Nightly = (JobKind.Run, "0 3 * * *");

    [Fact]
    public async Task A_run_starts_at_its_time_once()
    {
        await using var scene = new BoardScene("2026-03-01T12:00", "UTC", Nightly);
        scene.Records.Add((JobKind.Run, BoardScene.At("2026-03-01T03:00:01")));

        await scene.LookThroughAsync("2026-03-01T12:00", "2026-03-02T02:59:30");
        scene.Started.ShouldBeEmpty();
        await scene.LookThroughAsync("2026-03-02T03:00", "2026-03-02T12:00");

        scene.Started.ShouldBe(["run 2026-03-02 03:00"]);
        scene.Board.States.Single().Lag.ShouldBe(TimeSpan.Zero);
    }

    [Theory]
    // 02:30 does not exist on 29 March in Berlin: once, at three o'clock, which is 01:00 UTC.
    [InlineData("30 2 * * *", "2026-03-28T12:00", "2026-03-30T12:00", "run 2026-03-29 01:00", "run 2026-03-30 00:30")]
    // 02:30 comes twice on 25 October: the first one alone, at 00:30 UTC.
    [InlineData("30 2 * * *", "2026-10-24T12:00", "2026-10-26T12:00", "run 2026-10-25 00:30", "run 2026-10-26 01:30")]
    [InlineData("0 3 * * *", "2026-03-28T12:00", "2026-03-30T12:00", "run 2026-03-29 01:00", "run 2026-03-30 01:00")]
    public async Task The_nights_of_a_clock_change_have_one_run_each(string cron, string from, string to, params string[] runs)
    {
        await using var scene = new BoardScene(from, "Europe/Berlin", (JobKind.Run, cron));
        scene.Records.Add((JobKind.Run, BoardScene.At(from).AddHours(-1)));

        await scene.LookThroughAsync(from, to);

        scene.Started.ShouldBe(runs);
    }

    [Fact]
    public async Task A_restart_after_the_time_catches_up_what_no_record_tells_of()
    {
        await using var scene = new BoardScene("2026-03-02T03:05", "UTC", Nightly);
        scene.Records.Add((JobKind.Run, BoardScene.At("2026-03-01T03:00:01")));

        await scene.LookAsync("2026-03-02T03:05");
        await scene.RestartAsync();
        await scene.LookThroughAsync("2026-03-02T03:06", "2026-03-02T03:20");

        scene.Started.ShouldBe(["run 2026-03-02 03:00"]);
        scene.Said.ShouldContain("run of 2026-03-02 03:00 UTC starts, 5 min late");
    }

    [Fact]
    public async Task A_run_that_was_ended_with_the_service_is_begun_again_after_the_restart()
    {
        await using var scene = new BoardScene("2026-03-02T03:00", "UTC", Nightly);
        scene.Records.Add((JobKind.Run, BoardScene.At("2026-03-01T03:00:01")));
        scene.Hold = new TaskCompletionSource();
        await scene.LookAsync("2026-03-02T03:00");

        await scene.RestartAsync();
        scene.Hold = null;
        await scene.LookAsync("2026-03-02T03:05");

        scene.Started.ShouldBe(["run 2026-03-02 03:00", "run 2026-03-02 03:00"]);
        scene.Records.Count.ShouldBe(2, "the first one was cancelled, and left none");
    }

    [Fact]
    public async Task A_host_asleep_over_three_nights_takes_one_run_when_it_wakes()
    {
        await using var scene = new BoardScene("2026-03-01T12:00", "UTC", Nightly);
        scene.Records.Add((JobKind.Run, BoardScene.At("2026-03-01T03:00:01")));
        await scene.LookAsync("2026-03-01T23:00");

        await scene.LookThroughAsync("2026-03-04T07:00", "2026-03-04T07:10");

        scene.Started.ShouldBe(["run 2026-03-04 03:00"]);
    }

    [Fact]
    public async Task What_another_host_has_done_is_not_done_again()
    {
        await using var scene = new BoardScene("2026-03-02T02:59", "UTC", Nightly);
        scene.Records.AddRange([(JobKind.Run, BoardScene.At("2026-03-01T03:00:01")), (JobKind.Run, BoardScene.At("2026-03-02T03:00:00"))]);

        await scene.LookThroughAsync("2026-03-02T03:00", "2026-03-02T04:00");

        scene.Started.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_clock_set_back_over_the_time_doubles_nothing()
    {
        await using var scene = new BoardScene("2026-03-02T02:59", "UTC", Nightly);
        scene.Records.Add((JobKind.Run, BoardScene.At("2026-03-01T03:00:01")));
        await scene.LookAsync("2026-03-02T03:00");

        await scene.LookThroughAsync("2026-03-02T02:30", "2026-03-02T04:00");

        scene.Started.ShouldBe(["run 2026-03-02 03:00"]);
    }

    [Fact]
    public async Task A_clock_that_was_a_week_ahead_for_an_hour_costs_no_night()
    {
        await using var scene = new BoardScene("2026-03-02T12:00", "UTC", Nightly);
        scene.Records.Add((JobKind.Run, BoardScene.At("2026-03-02T03:00:01")));
        await scene.LookThroughAsync("2026-03-09T12:00", "2026-03-09T13:00");

        await scene.LookThroughAsync("2026-03-02T13:00", "2026-03-03T03:10");

        scene.Started.ShouldBe(["run 2026-03-09 03:00", "run 2026-03-03 03:00"]);
    }

    [Fact]
    public async Task A_run_longer_than_its_interval_is_never_doubled_and_what_is_left_out_is_said()
    {
        await using var scene = new BoardScene("2026-03-02T03:00", "UTC", (JobKind.Run, "0 * * * *"));
        scene.Records.Add((JobKind.Run, BoardScene.At("2026-03-02T02:00:01")));
        scene.Hold = new TaskCompletionSource();
        await scene.LookThroughAsync("2026-03-02T03:00", "2026-03-02T04:10");
        scene.Started.ShouldBe(["run 2026-03-02 03:00"]);

        scene.Hold.SetResult();
        scene.Hold = null;
        await scene.RestAsync();
        await scene.LookThroughAsync("2026-03-02T04:11", "2026-03-02T05:01");

        scene.Started.ShouldBe(["run 2026-03-02 03:00", "run 2026-03-02 05:00"]);
        scene.Said.ShouldContain("run of 2026-03-02 04:00 UTC is left out: the one of 2026-03-02 03:00 UTC is still at work");
        scene.Board.States.Single().Skipped.ShouldBe(1);
    }

    [Fact]
    public async Task What_writes_waits_for_what_writes_and_what_looks_does_not()
    {
        await using var scene = new BoardScene(
            "2026-03-02T03:00",
            "UTC",
            Nightly,
            (JobKind.Prune, "0 3 * * *"),
            (JobKind.Check, "0 3 * * *")
        );
        scene.Records.AddRange(
            ((JobKind[])[JobKind.Run, JobKind.Prune, JobKind.Check]).Select(static k => (k, BoardScene.At("2026-03-01T03:00:01")))
        );
        scene.Hold = new TaskCompletionSource();
        await scene.LookAsync("2026-03-02T03:00");
        await Task.Delay(50, TestContext.Current.CancellationToken);
        scene.Started.ShouldBe(["run 2026-03-02 03:00", "check 2026-03-02 03:00"], ignoreOrder: true);

        TaskCompletionSource held = scene.Hold;
        scene.Hold = null;
        held.SetResult();
        await scene.RestAsync();

        scene.Started.Count.ShouldBe(3);
        scene.Started[2].ShouldBe("prune 2026-03-02 03:00");
    }

    [Fact]
    public async Task Where_no_store_answers_a_run_begins_after_two_minutes_and_a_drill_after_an_hour()
    {
        await using var scene = new BoardScene("2026-03-02T03:00", "UTC", Nightly, (JobKind.Drill, "0 3 * * *"));
        scene.IsDead = true;

        await scene.LookThroughAsync("2026-03-02T03:00", "2026-03-02T03:01:30");
        scene.Started.ShouldBeEmpty();
        await scene.LookThroughAsync("2026-03-02T03:02", "2026-03-02T03:30");

        scene.Started.ShouldBe(["run 2026-03-02 03:00"]);
        scene.Said.ShouldContain("WARNING: drill of 2026-03-02 03:00 UTC waits: the stores do not tell whether it was done");

        await scene.LookThroughAsync("2026-03-02T03:30", "2026-03-02T04:01");
        scene.Started.ShouldBe(["run 2026-03-02 03:00", "drill 2026-03-02 03:00"]);
    }

    [Fact]
    public async Task A_young_installation_takes_its_first_run_at_once_and_has_missed_no_drill()
    {
        await using var scene = new BoardScene(
            "2026-03-02T12:00",
            "UTC",
            Nightly,
            (JobKind.Drill, "0 5 1 */3 *"),
            (JobKind.Keys, "0 9 1 * *")
        );

        await scene.LookThroughAsync("2026-03-02T12:00", "2026-03-02T12:30");

        scene.Started.ShouldBe(["run 2026-03-02 03:00"]);
    }

    [Fact]
    public async Task A_run_of_each_minute_waits_no_longer_where_no_store_answers()
    {
        await using var scene = new BoardScene("2026-03-02T03:00", "UTC", (JobKind.Run, "* * * * *"));
        scene.IsDead = true;

        await scene.LookThroughAsync("2026-03-02T03:00", "2026-03-02T03:04:30");

        scene.Started.ShouldBe(["run 2026-03-02 03:02", "run 2026-03-02 03:03", "run 2026-03-02 03:04"]);
    }

    [Fact]
    public async Task A_job_that_was_never_done_begins_at_its_next_time()
    {
        await using var scene = new BoardScene("2026-03-02T12:00", "UTC", (JobKind.Drill, "0 13 * * *"));

        await scene.LookThroughAsync("2026-03-02T12:00", "2026-03-02T13:01");

        scene.Started.ShouldBe(["drill 2026-03-02 13:00"]);
    }

    [Fact]
    public async Task Jitter_is_the_same_after_a_restart_and_stays_within_its_span()
    {
        await using var scene = new BoardScene("2026-03-02T12:00", "UTC", Nightly);
        DateTimeOffset due = BoardScene.At("2026-03-02T03:00");
        DateTimeOffset[] starts =
        [
            .. Enumerable
                .Range(0, 200)
                .Select(n => (scene.Plan.Jobs[0] with { Jitter = TimeSpan.FromMinutes(30), Seed = $"host{n}" }).StartOf(due)),
        ];

        starts.ShouldAllBe(s => s >= due && s <= due.AddMinutes(30));
        (starts.Max() - starts.Min()).ShouldBeGreaterThan(TimeSpan.FromMinutes(20));
        (scene.Plan.Jobs[0] with { Jitter = TimeSpan.FromMinutes(30), Seed = "host7" }).StartOf(due).ShouldBe(starts[7]);
    }

    [Fact]
    public async Task A_job_that_fails_is_counted_and_not_repeated_before_its_next_time()
    {
        await using var scene = new BoardScene("2026-03-02T03:00", "UTC", Nightly);
        scene.Records.Add((JobKind.Run, BoardScene.At("2026-03-01T03:00:01")));
        scene.ExitCode = 1;

        await scene.LookThroughAsync("2026-03-02T03:00", "2026-03-02T06:00");

        scene.Started.Count.ShouldBe(1);
        (scene.Board.States[0].Failed, scene.Board.States[0].LastExitCode).ShouldBe((1, 1));
    }

    [Fact]
    public async Task Another_plan_is_used_from_the_next_look_on()
    {
        await using var scene = new BoardScene("2026-03-02T12:00", "UTC", Nightly);
        scene.Records.Add((JobKind.Run, BoardScene.At("2026-03-02T03:00:01")));
        await scene.LookAsync("2026-03-02T12:00");

        scene.Board.Use(scene.PlanOf((JobKind.Run, "0 13 * * *")));
        await scene.LookThroughAsync("2026-03-02T12:00", "2026-03-03T04:00");

        scene.Started.ShouldBe(["run 2026-03-02 13:00"]);
        scene.Board.States.Single().Next.ShouldBe(BoardScene.At("2026-03-03T13:00"));
    }
}
