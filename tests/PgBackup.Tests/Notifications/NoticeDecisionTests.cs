using PgBackup.Configuration;
using PgBackup.Notifications;
using PgBackup.Operations.Status;

namespace PgBackup.Tests.Notifications;

public sealed class NoticeDecisionTests
{
    private static readonly DateTimeOffset Night = new(2026, 3, 1, 3, 0, 0, TimeSpan.Zero);
    private static readonly NoticeTopic[] Usual = [NoticeTopic.Red, NoticeTopic.Recovered];
    private static readonly NoticeTopic[] All = [.. Enum.GetValues<NoticeTopic>()];

    [Fact]
    public void A_good_first_night_is_told_to_nobody() => Decide(null, Of()).Kind.ShouldBeNull();

    [Fact]
    public void Without_memory_what_is_red_is_told() => Decide(null, Of(Loss("a"))).Kind.ShouldBe(NoticeKind.Red);

    [Fact]
    public void Each_change_is_told_once_and_once_a_day_while_it_is_red()
    {
        ChannelMemory first = Decide(null, Of(Loss("a"))).After;
        Decide(first, Of(Loss("a")), Night.AddHours(19)).Kind.ShouldBeNull();

        NoticeDecision reminder = Decide(first, Of(Loss("a")), Night.AddHours(23));
        reminder.Kind.ShouldBe(NoticeKind.Reminder);
        Decide(reminder.After, Of(Loss("a")), Night.AddHours(25)).Kind.ShouldBeNull();

        NoticeDecision recovered = Decide(reminder.After, Of(), Night.AddHours(26));
        recovered.Kind.ShouldBe(NoticeKind.Recovered);
        Decide(recovered.After, Of(), Night.AddHours(50)).Kind.ShouldBeNull();
    }

    [Fact]
    public void A_second_thing_that_is_wrong_is_told_while_the_first_still_is()
    {
        ChannelMemory first = Decide(null, Of(Loss("a"))).After;

        NoticeDecision second = Decide(first, Of(Loss("a"), Loss("b")), Night.AddHours(1));

        second.Kind.ShouldBe(NoticeKind.Red);
        // One of two that is mended is no news, and news again if it comes back.
        NoticeDecision half = Decide(second.After, Of(Loss("b")), Night.AddHours(2));
        half.Kind.ShouldBeNull();
        Decide(half.After, Of(Loss("a"), Loss("b")), Night.AddHours(3)).Kind.ShouldBe(NoticeKind.Red);
    }

    [Fact]
    public void A_run_that_fails_every_night_is_one_thing_though_its_snapshots_differ()
    {
        ChannelMemory first = Decide(null, Of(Error(ErrorCode.LastRunFailed, "20260301T030000Z"))).After;

        Decide(first, Of(Error(ErrorCode.LastRunFailed, "20260302T030000Z")), Night.AddHours(1)).Kind.ShouldBeNull();
        Decide(first, Of(Error(ErrorCode.LastRunFailed, "olympus")), Night.AddHours(1)).Kind.ShouldBeNull();
    }

    [Fact]
    public void From_red_to_yellow_is_a_recovery()
    {
        ChannelMemory red = Decide(null, Of(Loss("a"))).After;

        Decide(red, Of(Warning("offsite")), Night.AddHours(1)).Kind.ShouldBe(NoticeKind.Recovered);
    }

    [Fact]
    public void Yellow_is_told_to_those_alone_that_want_it()
    {
        Decide(null, Of(Warning("offsite"))).Kind.ShouldBeNull();

        NoticeDecision yellow = Decide(null, Of(Warning("offsite")), on: All);
        yellow.Kind.ShouldBe(NoticeKind.Yellow);
        Decide(yellow.After, Of(Warning("offsite")), Night.AddDays(9), All).Kind.ShouldBeNull();
        Decide(yellow.After, Of(Warning("offsite"), Warning("other")), Night.AddHours(1), All).Kind.ShouldBe(NoticeKind.Yellow);
        Decide(yellow.After, Of(), Night.AddHours(1), All).Kind.ShouldBe(NoticeKind.Recovered);
        Decide(yellow.After, Of(), Night.AddHours(1)).Kind.ShouldBeNull();
    }

    [Fact]
    public void What_was_told_in_the_future_by_a_wrong_clock_silences_nothing()
    {
        ChannelMemory told = Decide(null, Of(Loss("a")), Night.AddYears(1)).After;

        Decide(told, Of(Loss("a")), Night).Kind.ShouldBe(NoticeKind.Reminder);
    }

    [Theory]
    [InlineData(true, NoticeKind.Drill)]
    [InlineData(false, null)]
    public void A_drill_is_told_to_those_that_want_it(bool wanted, NoticeKind? expected) =>
        NoticeDecision.Of(null, Of(), wanted ? All : Usual, NoticeKind.Drill, Night).Kind.ShouldBe(expected);

    [Fact]
    public void A_drill_that_failed_is_told_as_red_to_those_that_want_no_drills() =>
        NoticeDecision
            .Of(null, Of(Error(ErrorCode.LastDrillFailed, "drill")), Usual, NoticeKind.Drill, Night)
            .Kind.ShouldBe(NoticeKind.Red);

    [Fact]
    public void A_confirmation_is_told_and_hides_no_new_loss()
    {
        ChannelMemory red = Decide(null, Of(Loss("a"))).After;

        NoticeDecision.Of(red, Of(), Usual, NoticeKind.Confirmed, Night).Kind.ShouldBe(NoticeKind.Confirmed);
        NoticeDecision.Of(red, Of(Loss("b")), Usual, NoticeKind.Confirmed, Night).Kind.ShouldBe(NoticeKind.Red);
    }

    [Fact]
    public void That_no_store_can_be_read_is_red()
    {
        StatusReport status = StatusSample.Of(StatusLevel.Unknown);

        Situation.Of(status, []).Level.ShouldBe(StatusLevel.Red);
    }

    [Fact]
    public void What_failed_on_this_host_is_said_once_and_with_its_reason()
    {
        StatusReport status = StatusSample.Of(StatusLevel.Red, Error(ErrorCode.LastRunFailed, "olympus"));
        var own = Finding.Error(ErrorCode.LastRunFailed, "run", "the last `run` failed", "PGB-0041: no room");

        Situation.Of(status, [own]).Findings.ShouldBe([own]);
    }

    private static NoticeDecision Decide(
        ChannelMemory? last,
        Situation now,
        DateTimeOffset? time = null,
        IReadOnlyList<NoticeTopic>? on = null
    ) => NoticeDecision.Of(last, now, on ?? Usual, null, time ?? Night);

    private static Situation Of(params Finding[] findings) => Situation.Of(StatusSample.Of(StatusLevels.Of(findings), findings), []);

    private static Finding Loss(string table) => Error(ErrorCode.TableEmptied, $"olympus.public.{table}");

    private static Finding Error(ErrorCode code, string subject) => Finding.Error(code, subject, $"{subject} is wrong");

    private static Finding Warning(string store) => Finding.Warning(ErrorCode.StoreBehind, store, $"{store} is behind");
}
