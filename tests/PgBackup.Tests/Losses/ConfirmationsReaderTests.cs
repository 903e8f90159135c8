using PgBackup.Losses;
using PgBackup.Records;
using PgBackup.Tests.Operations;
using static PgBackup.Tests.Losses.LossSample;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Losses;

public sealed class ConfirmationsReaderTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly ManualClock clock = new(Day(22, 4).Time);
    private readonly FaultyStore local;
    private readonly FaultyStore offsite;

    public ConfirmationsReaderTests()
    {
        local = stores.Faulty("local");
        offsite = stores.Faulty("offsite");
    }

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task What_any_store_knows_is_known_and_who_lacks_it_is_told()
    {
        await new RecordsFolder(local).PutAsync(Confirmation(10, Gone(9)), Cancel);
        await new RecordsFolder(offsite).PutAsync(Confirmation(11, Shrunk(9, 40)), Cancel);
        await new RecordsFolder(offsite).PutAsync(Confirmation(12, Gone(9)) with { Kind = RecordKind.Pin }, Cancel);

        ConfirmationsReading read = await ReadAsync();

        read.Problems.ShouldBeEmpty();
        read.Records.Select(static r => (r.Record.Snapshot, r.LackedBy.Single().Name))
            .ShouldBe([(Day(11).ToString(), "local"), (Day(10).ToString(), "offsite")]);
        read.Confirmations.Covers(Night(10), Gone(9)).ShouldBeTrue();
        read.Confirmations.Covers(Night(11), Shrunk(9, 40)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_store_without_records_is_no_problem()
    {
        ConfirmationsReading read = await ReadAsync();

        (read.Problems.Count, read.Records.Count).ShouldBe((0, 0));
    }

    [Fact]
    public async Task A_store_that_is_down_is_a_finding_and_the_others_count()
    {
        await new RecordsFolder(offsite).PutAsync(Confirmation(10, Gone(9)), Cancel);
        local.Fail = static _ => new PgBackupException(ErrorCode.StoreUnavailable, "no route to host", "Plug it in.");

        ConfirmationsReading read = await ReadAsync();

        read.Confirmations.Covers(Night(10), Gone(9)).ShouldBeTrue();
        read.Problems.Lines()
            .ShouldBe(["PGB-0170: the store local does not show which losses were confirmed: PGB-0060: no route to host. Plug it in"]);
        read.Records.Single().LackedBy.ShouldBeEmpty("nobody knows");
    }

    [Fact]
    public async Task A_store_that_does_not_answer_is_left_behind_after_half_a_minute()
    {
        await new RecordsFolder(offsite).PutAsync(Confirmation(10, Gone(9)), Cancel);
        var asked = new TaskCompletionSource();
        local.Block = (_, cancel) =>
        {
            asked.TrySetResult();
            return Task.Delay(Timeout.Infinite, CancellationToken.None);
        };

        Task<ConfirmationsReading> reading = ReadAsync();
        await asked.Task;
        clock.Advance(TimeSpan.FromSeconds(31));
        ConfirmationsReading read = await reading;

        read.Confirmations.Covers(Night(10), Gone(9)).ShouldBeTrue();
        read.Problems.Single().Text.ShouldContain("did not answer in time");
    }

    [Fact]
    public async Task A_damaged_record_is_read_from_another_store()
    {
        RecordName name = await PutEverywhereAsync(Confirmation(10, Gone(9)));
        stores.Cut("local", name.Key);

        ConfirmationsReading read = await ReadAsync();

        (read.Problems.Count, read.Confirmations.Covers(Night(10), Gone(9))).ShouldBe((0, true));
    }

    [Fact]
    public async Task A_record_that_none_can_read_confirms_nothing_and_is_told()
    {
        RecordName name = await PutEverywhereAsync(Confirmation(10, Gone(9)));
        stores.Cut("local", name.Key);
        stores.Cut("offsite", name.Key);

        ConfirmationsReading read = await ReadAsync();

        read.Confirmations.Covers(Night(10), Gone(9)).ShouldBeFalse();
        read.Problems.Lines().Single().ShouldStartWith($"PGB-0170: the record {name.Key} cannot be read, and confirms nothing: ");
    }

    [Fact]
    public async Task To_give_up_is_no_finding()
    {
        using var stop = new CancellationTokenSource();
        local.Block = (_, cancel) => stop.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => new ConfirmationsReader([local], clock).ReadAsync(stop.Token));
    }

    private Task<ConfirmationsReading> ReadAsync() => new ConfirmationsReader([local, offsite], clock).ReadAsync(Cancel);

    private async Task<RecordName> PutEverywhereAsync(PgBackup.Records.Record record)
    {
        RecordName name = RecordsFolder.NewName(record);
        await new RecordsFolder(local).PutAsync(name, record, Cancel);
        await new RecordsFolder(offsite).PutAsync(name, record, Cancel);
        return name;
    }
}
