using PgBackup.Operations.Replicate;
using PgBackup.Retention;
using PgBackup.Snapshots;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Replicate;

/// <summary>A store that fails, for a while or for good.</summary>
public sealed partial class ReplicaTests
{
    [Theory]
    [InlineData("lock")]
    [InlineData("check")]
    [InlineData("list")]
    [InlineData("put")]
    public async Task A_store_that_is_down_is_reported_with_its_code_and_what_it_lacks_and_is_no_exception(string call)
    {
        SnapshotSample tonight = await Of(Day(22)).PutAsync(primary);
        offsite.Fail = c => c.StartsWith(call, StringComparison.Ordinal) ? Permanent("no route to host") : null;
        await using Replica replica = Start();
        replica.Offer(tonight.Id, tonight.Manifest.Parts[0]);

        ReplicaReport report = await replica.CatchUpAsync(tonight.Id, Cancel);

        (report.Store, report.Location).ShouldBe(("offsite", offsite.Location));
        report.Problem.ShouldBe("no route to host\n  what to do: Plug it in");
        ShouldSay(report, "PGB-0060", [], [tonight.Id]);
        report.LacksAreKnown.ShouldBeFalse();
        log.ShouldContain("offsite: FAILED (PGB-0060), see below");
        stores.Clock.Pauses.ShouldBeEmpty("a permanent error is not tried again");
        offsite.Calls.Count(c => c.StartsWith(call, StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task An_error_that_nobody_foresaw_does_not_stop_the_run_either()
    {
        SnapshotSample tonight = await Of(Day(22)).PutAsync(primary);
        offsite.Fail = static call => call.StartsWith("put", StringComparison.Ordinal) ? new InvalidOperationException("a defect") : null;
        await using Replica replica = Start();
        replica.Offer(tonight.Id, tonight.Manifest.Parts[0]);

        ReplicaReport report = await replica.CatchUpAsync(tonight.Id, Cancel);

        ShouldSay(report, "PGB-0001", [], [tonight.Id]);
        report.Problem.ShouldNotBeNull().ShouldContain("a defect");
    }

    [Fact]
    public async Task A_request_that_timed_out_is_an_error_and_not_the_end_of_the_run()
    {
        SnapshotSample tonight = await Of(Day(22)).PutAsync(primary);
        offsite.Fail = static call => call == "lock" ? new TaskCanceledException("the request timed out") : null;
        await using Replica replica = Start();

        ReplicaReport report = await replica.CatchUpAsync(tonight.Id, Cancel);

        ShouldSay(report, "PGB-0001", [], [tonight.Id]);
    }

    [Theory]
    [InlineData("put 20260322T030000Z/IN-PROGRESS")]
    [InlineData("put 20260322T030000Z/20260322T030000Z-globals.sql")]
    [InlineData("put 20260322T030000Z/RESTORE.md")]
    [InlineData("put 20260322T030000Z/manifest.json")]
    [InlineData("delete 20260322T030000Z/IN-PROGRESS")]
    [InlineData("list 20260322T030000Z")]
    public async Task A_store_that_fails_in_the_middle_and_comes_back_is_tried_again_with_growing_pauses(string step)
    {
        await Of(Day(22)).PutAsync(primary);
        int failures = 2;
        offsite.Fail = call => call == step && failures-- > 0 ? Transient() : null;

        ReplicaReport report = await RunAsync(Day(22));

        (report.Code, report.Copied.Count).ShouldBe((null, 1), report.Problem);
        ShouldBeLevel();
        stores.Clock.Pauses.Count.ShouldBe(2);
        stores.Clock.Pauses[0].TotalSeconds.ShouldBeInRange(1, 4);
        stores.Clock.Pauses[1].TotalSeconds.ShouldBeInRange(2, 8);
    }

    [Fact]
    public async Task A_line_that_breaks_while_parts_are_offered_is_tried_again_at_the_end()
    {
        SnapshotSample tonight = await Of(Day(22)).PutAsync(primary);
        int failures = 3;
        offsite.Fail = call => call == $"put {tonight.PartKey(1)}" && failures-- > 0 ? Transient() : null;
        await using Replica replica = Start();
        foreach (Part part in tonight.Manifest.Parts)
        {
            replica.Offer(tonight.Id, part);
        }

        ReplicaReport report = await replica.CatchUpAsync(tonight.Id, Cancel);

        (report.Code, report.Copied.Count).ShouldBe((null, 1), report.Problem);
        ShouldBeLevel();
        offsite.Puts.Count(key => key == tonight.PartKey(0)).ShouldBe(1);
        log.ShouldContain("offsite: connection reset");
    }

    [Fact]
    public async Task A_store_that_does_not_come_back_is_given_up_and_what_was_copied_whole_stays_for_the_next_run()
    {
        await Of(Day(21)).PutAsync(primary);
        SnapshotSample tonight = await Of(Day(22)).PutAsync(primary);
        offsite.Fail = call => call == $"put {tonight.PartKey(2)}" ? Transient() : null;

        ReplicaReport report = await RunAsync(Day(22));

        ShouldSay(report, "PGB-0060", [], [Day(22), Day(21)]);
        offsite.Puts.Count(key => key == tonight.PartKey(2)).ShouldBe(3);
        (await Listed("offsite")).ShouldBeEmpty();

        int before = offsite.Puts.Count();
        offsite.Fail = static _ => null;
        (await RunAsync(Day(22))).Copied.ShouldBe([Day(22).ToString(), Day(21).ToString()]);
        ShouldBeLevel();
        offsite.Puts.Skip(before).ShouldNotContain(tonight.PartKey(0), "whole parts are not sent again");
        offsite.Puts.Skip(before).ShouldContain(tonight.PartKey(2));
    }

    [Fact]
    public async Task The_rest_of_a_copy_is_removed_when_the_primary_has_the_snapshot_no_more_or_the_rules_would_not_keep_it()
    {
        keep = new RetentionRules { All = RetentionLength.Of(3, RetentionUnit.Days) };
        await Of(Day(22)).PutAsync(primary);
        await Of(Day(2)).PutAsync(primary); // which the replica would not keep
        foreach (SnapshotSample rest in (SnapshotSample[])[Of(Day(2)), Of(Day(20))])
        {
            await rest.PutAsync(offsite, SnapshotLayout.InProgress, "being copied\n"u8.ToArray());
            await rest.PutAsync(offsite, rest.Manifest.Parts[0].Object, [1]);
        }

        await RunAsync(Day(22));

        stores.Contents("offsite").ShouldBe(stores.Contents("local", Day(22)));
    }
}
