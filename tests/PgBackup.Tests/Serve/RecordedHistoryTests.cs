using PgBackup.Configuration;
using PgBackup.Records;
using PgBackup.Serve.Scheduling;
using PgBackup.Tests.Operations;
using PgBackup.Tests.Records;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Serve;

/// <summary>What the records tell of what was done.</summary>
public sealed class RecordedHistoryTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly ManualClock clock;
    private readonly DateTimeOffset due;

    public RecordedHistoryTests()
    {
        clock = new ManualClock(stores.Clock.Now);
        due = clock.GetUtcNow().AddHours(-1);
    }

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task A_run_of_that_moment_or_later_was_done_whoever_took_it_and_however_it_ended()
    {
        await PutAsync(Of(RecordKind.Run, due.AddDays(-1)));
        (await AskAsync(JobKind.Run)).ShouldBe(Done.No);

        await PutAsync(Of(RecordKind.Run, due.AddSeconds(1)) with { Result = RecordResult.Failed, Host = "another" });

        (await AskAsync(JobKind.Run)).ShouldBe(Done.Yes);
    }

    [Fact]
    public async Task A_run_that_was_cancelled_a_backup_and_a_run_of_the_future_do_not_count()
    {
        await PutAsync(Of(RecordKind.Run, due.AddDays(-1)));
        await PutAsync(
            Of(RecordKind.Run, due.AddSeconds(1)) with
            {
                Result = RecordResult.Failed,
                Findings = [Finding.Error(ErrorCode.Cancelled, "x", "it was cancelled")],
            }
        );
        await PutAsync(Of(RecordKind.Run, due.AddSeconds(2)) with { Verb = "backup" });
        await PutAsync(Of(RecordKind.Run, stores.Clock.Now.AddDays(1)));

        (await AskAsync(JobKind.Run)).ShouldBe(Done.No);
    }

    [Theory]
    [InlineData(null, CheckDepth.ReadData, RecordKind.Check, true)]
    [InlineData(null, CheckDepth.Decode, RecordKind.Damage, true)]
    [InlineData(null, null, RecordKind.Repair, true)]
    [InlineData("20260321T030000Z", CheckDepth.ReadData, RecordKind.Check, false)]
    [InlineData(null, CheckDepth.Present, RecordKind.Check, false)]
    public async Task A_check_of_less_is_not_the_check(string? snapshot, CheckDepth? depth, RecordKind kind, bool counts)
    {
        await PutAsync(Of(RecordKind.Check, due.AddMonths(-1)));
        await PutAsync(Of(kind, due.AddMinutes(1)) with { Snapshot = snapshot, Depth = depth });

        (await AskAsync(JobKind.Check, "--all", "--read-data")).ShouldBe(counts ? Done.Yes : Done.No);
        (await AskAsync(JobKind.Check)).ShouldBe(Done.Yes);
    }

    [Fact]
    public async Task What_was_never_done_before_is_told_apart_from_what_was_missed()
    {
        await PutAsync(Of(RecordKind.Run, due.AddMonths(-1)));
        (await AskAsync(JobKind.Drill)).ShouldBe(Done.NotYet);

        await PutAsync(Of(RecordKind.Drill, due.AddMonths(-3)));
        (await AskAsync(JobKind.Drill)).ShouldBe(Done.No);
    }

    [Fact]
    public async Task A_store_that_is_away_may_have_the_record_and_a_run_looks_itself()
    {
        FaultyStore local = stores.Faulty("local");
        FaultyStore offsite = stores.Faulty("offsite");
        await PutAsync(Of(RecordKind.Run, due.AddSeconds(1)));
        await PutAsync(Of(RecordKind.Check, due.AddSeconds(1)));
        Directory.Move(stores.Folder["local"], stores.Folder["gone"]);

        (await HistoryOf(local, offsite).DoneSinceAsync(Job(JobKind.Run), due, Cancel)).ShouldBe(Done.NotYet);
        (await HistoryOf(local, offsite).DoneSinceAsync(Job(JobKind.Check), due, Cancel)).ShouldBe(Done.Unknown);
        (await HistoryOf(local).DoneSinceAsync(Job(JobKind.Run), due, Cancel)).ShouldBe(Done.Unknown);
    }

    [Fact]
    public async Task A_record_that_cannot_be_read_is_no_run()
    {
        await PutAsync(Of(RecordKind.Run, due.AddDays(-1)));
        await PutAsync(Of(RecordKind.Run, due.AddSeconds(1)));
        await PutAsync(Of(RecordKind.Drill, due.AddSeconds(1)));
        foreach (string file in Directory.GetFiles(stores.Folder["local/records"]))
        {
            await File.WriteAllTextAsync(file, "{}", Cancel);
        }

        (await AskAsync(JobKind.Run)).ShouldBe(Done.No);
        (await AskAsync(JobKind.Drill)).ShouldBe(Done.Yes);
    }

    [Fact]
    public async Task A_check_of_one_store_of_several_is_not_the_check_of_all()
    {
        await PutAsync(Of(RecordKind.Check, due.AddMonths(-1)));
        await PutAsync(Of(RecordKind.Check, due.AddMinutes(1)) with { Depth = CheckDepth.ReadData, Store = "local" });

        (await AskAsync(JobKind.Check, "--all", "--read-data")).ShouldBe(Done.No);
        (await AskAsync(JobKind.Check, "--all", "--store", "local")).ShouldBe(Done.Yes);
    }

    private Task<Done> AskAsync(JobKind kind, params string[] arguments) =>
        HistoryOf(stores.Faulty("local")).DoneSinceAsync(Job(kind, arguments), due, Cancel);

    private RecordedHistory HistoryOf(params FaultyStore[] of) => new(() => new RecordLog(of, clock), clock);

    private static PlannedJob Job(JobKind kind, params string[] arguments) =>
        new()
        {
            Kind = kind,
            Cron = CronTime.TryParse("0 3 * * *", TimeZoneInfo.Utc, DateTimeOffset.UnixEpoch, out string _).ShouldNotBeNull(),
            Arguments = [kind.Word(), .. arguments],
        };

    private static Record Of(RecordKind kind, DateTimeOffset time) =>
        RecordSample.Of(kind, time) with
        {
            Findings = [],
            Snapshot = null,
            Store = null,
        };

    private Task PutAsync(Record record) => new RecordsFolder(stores.Open("local")).PutAsync(record, Cancel);
}
