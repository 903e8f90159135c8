using System.Collections.Concurrent;
using PgBackup.Configuration;
using PgBackup.Notifications;
using PgBackup.Operations.Status;
using PgBackup.Records;
using PgBackup.Storage.Local;

namespace PgBackup.Tests.Notifications;

/// <summary>Who is told, over several nights, with what this host and the stores remember.</summary>
public sealed class NotifyOperationTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TestFolder folder = new();
    private readonly ManualClock clock = new(new DateTimeOffset(2026, 3, 1, 3, 0, 0, TimeSpan.Zero));
    private readonly ScriptedChannel hook = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task One_red_night_is_told_once_by_one_host()
    {
        await TellAsync(Red("a"));
        await TellAsync(Red("a"));

        hook.Kinds.ShouldBe([NoticeKind.Red]);
    }

    [Fact]
    public async Task What_did_not_arrive_is_told_again_and_status_says_that_it_fails()
    {
        hook.Problem = Attempt.Never("it answered 404");
        NotifyReport failed = await TellAsync(Red("a"));
        failed.Problems.Single().Severity.ShouldBe(Severity.Warning);
        NotifyReport.Failing(File().TryRead()).Single().Fact.ShouldBe("a notice could not be delivered: hook: it answered 404");

        hook.Problem = null;
        await TellAsync(Red("a"));

        hook.Kinds.ShouldBe([NoticeKind.Red, NoticeKind.Red]);
        NotifyReport.Failing(File().TryRead()).ShouldBeEmpty();
    }

    [Fact]
    public async Task What_may_pass_is_tried_again()
    {
        hook.Problem = Attempt.Later("it answered 500");
        Task<NotifyReport> telling = TellAsync(Red("a"));
        await hook.WaitAsync(1);
        hook.Problem = null;
        await AdvanceUntilAsync(telling, TimeSpan.FromSeconds(1));

        (await telling).Results.Single().Problem.ShouldBeNull();
        hook.Kinds.ShouldBe([NoticeKind.Red, NoticeKind.Red]);
    }

    [Fact]
    public async Task One_that_hangs_keeps_nothing_from_the_others_and_is_left_behind()
    {
        hook.Hangs = true;
        var other = new ScriptedChannel();
        Task<NotifyReport> telling = TellAsync(Operation(null, ("hook", hook), ("other", other)), new Occasion(), Red("a"));
        await other.WaitAsync(1);
        await AdvanceUntilAsync(telling, TimeSpan.FromSeconds(10));

        NotifyReport report = await telling;
        report.Results.Single(static r => r.Delivery.Channel == "other").Problem.ShouldBeNull();
        NotifyReport.Failing(File().TryRead()).Single().Fact.ShouldContain("hook: it did not answer ");
        int tried = hook.Kinds.Count;
        hook.Hangs = false;

        await TellAsync(Operation(null, ("hook", hook), ("other", other)), new Occasion(), Red("a"));

        NotifyReport.Failing(File().TryRead()).ShouldBeEmpty();
        other.Kinds.Count.ShouldBe(1);
        hook.Kinds.Count.ShouldBe(tried + 1);
    }

    [Fact]
    public async Task A_notice_that_is_still_on_its_way_when_a_newer_one_is_made_is_dropped()
    {
        NotifyOperation operation = Operation(null, ("hook", hook));
        IReadOnlyList<Delivery> old = await operation.DecideAsync(new Occasion(), Red("a"), Cancel);
        clock.Advance(TimeSpan.FromMinutes(1));
        await TellAsync(Red("b"));

        NotifyReport late = await operation.DeliverAsync(old, Patience, Cancel);

        late.Results.Single().Problem.ShouldNotBeNull();
        hook.Notices.Single().Findings.Single().Subject.ShouldBe("b");
        await TellAsync(Red("b"));
        hook.Kinds.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_record_counts_for_the_channels_that_took_the_notice()
    {
        LocalStore store = Store();
        var other = new ScriptedChannel { Problem = Attempt.Never("it answered 404") };
        await TellAsync(Operation(store, ("hook", hook), ("other", other)), new Occasion(), Red("a"));
        System.IO.File.Delete(folder["state/notices.json"]);
        other.Problem = null;

        await TellAsync(Operation(store, ("hook", hook), ("other", other)), new Occasion(), Red("a"));

        (hook.Kinds.Count, other.Kinds.Count).ShouldBe((1, 2));
    }

    [Fact]
    public async Task What_nobody_looked_at_is_not_well()
    {
        await TellAsync(Red("a"));

        await TellAsync(null);
        await TellAsync(null, occasion: new Occasion { Job = "run", Failure = Finding.Error(ErrorCode.LastRunFailed, "run", "it failed") });
        await TellAsync(Red("a"), occasion: new Occasion { Job = "run" });

        hook.Kinds.ShouldBe([NoticeKind.Red, NoticeKind.Red]);
    }

    [Fact]
    public async Task A_channel_that_throws_keeps_nothing_from_the_others()
    {
        hook.Throws = true;
        var other = new ScriptedChannel();

        NotifyReport report = await TellAsync(Operation(null, ("hook", hook), ("other", other)), new Occasion(), Red("a"));

        other.Kinds.ShouldBe([NoticeKind.Red]);
        report.Problems.Single().Fact.ShouldContain("unexpected error: InvalidOperationException");
    }

    [Fact]
    public async Task Where_the_file_is_lost_the_records_of_the_stores_are_asked()
    {
        LocalStore store = Store();
        await TellAsync(Red("a"), store);
        System.IO.File.Delete(folder["state/notices.json"]);
        clock.Advance(TimeSpan.FromHours(1));

        await TellAsync(Red("a"), store);
        hook.Kinds.ShouldBe([NoticeKind.Red]);
        await TellAsync(Red("b"), store);

        hook.Kinds.ShouldBe([NoticeKind.Red, NoticeKind.Red]);
    }

    [Fact]
    public async Task Where_neither_is_there_it_is_told_again()
    {
        LocalStore store = Store();
        await TellAsync(Red("a"), store);
        System.IO.File.Delete(folder["state/notices.json"]);
        Directory.Delete(folder["store/records"], recursive: true);

        await TellAsync(Red("a"), store);

        hook.Kinds.ShouldBe([NoticeKind.Red, NoticeKind.Red]);
    }

    [Fact]
    public async Task A_record_of_the_future_silences_nobody()
    {
        LocalStore store = Store();
        clock.Advance(TimeSpan.FromDays(400));
        await TellAsync(Red("a"), store);
        clock.Advance(TimeSpan.FromDays(-400));
        System.IO.File.Delete(folder["state/notices.json"]);

        await TellAsync(Red("a"), store);

        hook.Kinds.ShouldBe([NoticeKind.Red, NoticeKind.Red]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    public async Task A_file_that_makes_no_sense_is_no_memory(string content)
    {
        await TellAsync(Red("a"));
        await System.IO.File.WriteAllTextAsync(folder["state/notices.json"], content, Cancel);

        await TellAsync(Red("a"));

        hook.Kinds.ShouldBe([NoticeKind.Red, NoticeKind.Red]);
    }

    [Fact]
    public async Task A_state_that_cannot_be_written_costs_no_notice()
    {
        folder.Write("state", "a file where the folder should be\n");

        await TellAsync(Red("a"));

        hook.Kinds.ShouldBe([NoticeKind.Red]);
    }

    [Fact]
    public async Task Two_hosts_silence_each_other_in_nothing()
    {
        var first = new NoticeFile(folder["one/notices.json"]);
        var second = new NoticeFile(folder["two/notices.json"]);
        await TellAsync(Green(), Store(), first);
        await TellAsync(Green(), Store(), second);

        await TellAsync(Red("a"), Store(), first);
        await TellAsync(Red("b"), Store(), second);

        hook.Kinds.ShouldBe([NoticeKind.Red, NoticeKind.Red]);
    }

    [Fact]
    public async Task A_job_that_failed_stays_so_until_it_is_good()
    {
        var failure = Finding.Error(ErrorCode.JobFailed, "prune", "the last `prune` failed", "PGB-0120: no rights");
        await TellAsync(Green(), occasion: new Occasion { Job = "prune", Failure = failure });
        await TellAsync(Green(), occasion: new Occasion { Job = "run" });
        await TellAsync(Green(), occasion: new Occasion { Job = "prune" });

        hook.Kinds.ShouldBe([NoticeKind.Red, NoticeKind.Recovered]);
    }

    [Fact]
    public async Task A_run_that_failed_here_is_not_wrong_any_more_once_another_host_made_a_newer_snapshot()
    {
        var failure = Finding.Error(ErrorCode.LastRunFailed, "run", "the last `run` failed");
        await TellAsync(Green(), occasion: new Occasion { Job = "run", Failure = failure });
        await TellAsync(WithNewest("20260301T020000Z"));
        hook.Kinds.ShouldBe([NoticeKind.Red]);

        await TellAsync(WithNewest("20260302T020000Z"));

        hook.Kinds.ShouldBe([NoticeKind.Red, NoticeKind.Recovered]);
    }

    [Fact]
    public async Task A_job_that_nobody_starts_again_is_not_wrong_for_ever()
    {
        var failure = Finding.Error(ErrorCode.JobFailed, "prune", "the last `prune` failed");
        await TellAsync(Green(), occasion: new Occasion { Job = "prune", Failure = failure });
        clock.Advance(TimeSpan.FromDays(34));
        await TellAsync(Green());
        clock.Advance(TimeSpan.FromDays(2));
        await TellAsync(Green());

        hook.Kinds.ShouldBe([NoticeKind.Red, NoticeKind.Reminder, NoticeKind.Recovered]);
    }

    [Fact]
    public async Task What_a_check_found_is_settled_by_the_same_check_or_a_whole_one()
    {
        var failure = Finding.Error(ErrorCode.JobFailed, "check", "the last `check` found something wrong");
        await TellAsync(Green(), occasion: new Occasion { Job = "check --all --read-data", Failure = failure });
        await TellAsync(Green(), occasion: new Occasion { Job = "check" });
        hook.Kinds.ShouldBe([NoticeKind.Red]);

        await TellAsync(Green(), occasion: new Occasion { Job = "check --all --identity k", Settles = static _ => true });

        hook.Kinds.ShouldBe([NoticeKind.Red, NoticeKind.Recovered]);
    }

    [Fact]
    public async Task A_notice_has_no_lines_of_others_and_nothing_that_a_terminal_obeys()
    {
        var finding = Finding.Error(
            ErrorCode.ToolFailed,
            "olympus",
            "a dump failed",
            "ERROR: no\u001b[31m:\nDETAIL: Key (mail)=(someone@example.org)"
        );
        await TellAsync(StatusSample.Of(StatusLevel.Red, finding));

        Finding told = hook.Notices.Single().Findings.Single();
        told.Why.ShouldNotBeNull().ShouldNotContain("someone");
        told.Why.ShouldNotContain("\u001b");
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static StatusReport Green() => StatusSample.Of(StatusLevel.Green);

    private static StatusReport WithNewest(string id)
    {
        StatusReport green = Green();
        var newest = new PlacedSnapshot
        {
            Id = id,
            AgeSeconds = 1,
            Stores = ["local"],
            Bytes = 1,
        };
        return green with { Figures = green.Figures with { NewestComplete = newest } };
    }

    private static StatusReport Red(string table) =>
        StatusSample.Of(StatusLevel.Red, Finding.Error(ErrorCode.TableEmptied, table, $"{table} has no rows"));

    private NoticeFile File() => new(folder["state/notices.json"]);

    private LocalStore Store()
    {
        Directory.CreateDirectory(folder["store"]);
        return new LocalStore("local", folder["store"]);
    }

    private Task<NotifyReport> TellAsync(
        StatusReport? status,
        LocalStore? store = null,
        NoticeFile? file = null,
        Occasion? occasion = null
    ) => TellAsync(Operation(store, file, ("hook", hook)), occasion ?? new Occasion(), status);

    private static async Task<NotifyReport> TellAsync(NotifyOperation operation, Occasion occasion, StatusReport? status) =>
        await operation.DeliverAsync(await operation.DecideAsync(occasion, status, Cancel), Patience, Cancel);

    private NotifyOperation Operation(LocalStore? store, params (string Name, ScriptedChannel Channel)[] channels) =>
        Operation(store, null, channels);

    private NotifyOperation Operation(LocalStore? store, NoticeFile? file, params (string Name, ScriptedChannel Channel)[] channels)
    {
        NotifyConfig[] configs =
        [
            .. channels.Select(static c => new NotifyConfig
            {
                Name = c.Name,
                Command = ["/bin/true"],
                On = [NoticeTopic.Red, NoticeTopic.Recovered],
            }),
        ];
        var settings = new NotifySettings
        {
            Cluster = "olympus",
            ConfigFile = "config.yaml",
            NamesHost = false,
            Channels = configs,
        };
        return new NotifyOperation(settings, file ?? File(), clock)
        {
            Deliverer = new Deliverer(configs, clock) { Make = c => channels.First(o => o.Name == c.Name).Channel },
            Log = store is null ? null : new RecordLog([store], clock),
            Recorder = store is null ? null : new Recorder("olympus", false, [store], clock, static _ => { }),
        };
    }

    private async Task AdvanceUntilAsync(Task done, TimeSpan step)
    {
        for (int i = 0; i < 100 && !done.IsCompleted; i++)
        {
            clock.Advance(step);
            await Task.WhenAny(done, Task.Delay(50, Cancel));
        }
    }

    private sealed class ScriptedChannel : IChannel
    {
        public ConcurrentQueue<Notice> Notices { get; } = new();

        public IReadOnlyList<NoticeKind> Kinds => [.. Notices.Select(static n => n.Kind)];

        public Attempt? Problem { get; set; }

        public bool Hangs { get; set; }

        public bool Throws { get; set; }

        public async Task<Attempt> SendAsync(Notice notice, CancellationToken cancel)
        {
            Notices.Enqueue(notice);
            if (Throws)
            {
                throw new InvalidOperationException("a defect");
            }

            if (Hangs)
            {
                await Task.Delay(Timeout.Infinite, cancel);
            }

            return Problem ?? Attempt.Delivered;
        }

        public async Task WaitAsync(int count)
        {
            for (int i = 0; i < 250 && Notices.Count < count; i++)
            {
                await Task.Delay(20, Cancel);
            }

            Notices.Count.ShouldBeGreaterThanOrEqualTo(count);
        }
    }
}
