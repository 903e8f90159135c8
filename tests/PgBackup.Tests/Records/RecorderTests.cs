using System.Security.Cryptography;
using PgBackup.Host;
using PgBackup.Records;
using PgBackup.Storage.Local;
using PgBackup.Tests.Operations;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Records;

public sealed class RecorderTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly ManualClock clock = new(RecordSample.Time);
    private readonly FaultyStore local;
    private readonly FaultyStore offsite;
    private readonly List<Finding> said = [];
    private readonly Recorder recorder;

    public RecorderTests()
    {
        local = stores.Faulty("local");
        offsite = stores.Faulty("offsite");
        recorder = new Recorder("olympus", true, [local, offsite], clock, said.Add);
    }

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task What_was_done_is_one_record_of_one_name_in_every_store()
    {
        int result = await AroundAsync(() => Task.FromResult(42));

        result.ShouldBe(42);
        RecordSample.OnlyKey(stores.Folder["local"]).ShouldBe(RecordSample.OnlyKey(stores.Folder["offsite"]));
        stores.Contents("local").ShouldBe(stores.Contents("offsite"));
        Record record = RecordSample.AllIn(stores.Folder["local"]).ShouldHaveSingleItem();
        (record.Kind, record.Result, record.Summary, record.Cluster).ShouldBe((RecordKind.Run, RecordResult.Ok, "did 42", "olympus"));
        (record.Started, record.Finished).ShouldBe((RecordSample.Time, RecordSample.Time));
        (record.Host, record.Tool).ShouldBe((Environment.MachineName, ProductVersion.Text));
        record.User.ShouldNotBeNullOrEmpty();
        await using FileStream program = File.OpenRead("/proc/self/exe");
        record.Binary.ShouldBe(Convert.ToHexStringLower(await SHA256.HashDataAsync(program, Cancel)));
        said.ShouldBeEmpty();
        local.Locks.Values.ShouldAllBe(static l => l == null);
    }

    [Fact]
    public async Task A_failure_is_recorded_with_its_code_and_still_thrown()
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            AroundAsync(() => throw new PgBackupException(ErrorCode.ToolFailed, "pg_dump failed:\n  it was tired", "Let it sleep."))
        );

        error.Message.ShouldContain("it was tired");
        Record record = RecordSample.AllIn(stores.Folder["offsite"]).ShouldHaveSingleItem();
        (record.Result, record.Summary).ShouldBe((RecordResult.Failed, $"the night: failed ({error.CodeText})"));
        Finding finding = record.Findings.ShouldHaveSingleItem();
        (finding.Code, finding.Severity, finding.What, finding.Fix).ShouldBe(
            (ErrorCode.ToolFailed, Severity.Error, "pg_dump failed", "Let it sleep")
        );
    }

    [Fact]
    public async Task An_unexpected_error_is_recorded_without_its_message()
    {
        await Should.ThrowAsync<InvalidDataException>(() => AroundAsync(() => throw new InvalidDataException("a row: alice@example.com")));

        Record record = RecordSample.AllIn(stores.Folder["local"]).ShouldHaveSingleItem();
        record.Findings.ShouldHaveSingleItem().What.ShouldBe("an unexpected error: InvalidDataException");
    }

    [Fact]
    public async Task A_cancellation_is_recorded_though_the_token_is_cancelled()
    {
        using var cancel = new CancellationTokenSource();

        await Should.ThrowAsync<OperationCanceledException>(() =>
            AroundAsync(
                () =>
                {
                    cancel.Cancel();
                    throw new OperationCanceledException(cancel.Token);
                },
                cancel.Token
            )
        );

        Record record = RecordSample.AllIn(stores.Folder["local"]).ShouldHaveSingleItem();
        (record.Result, record.Summary).ShouldBe((RecordResult.Failed, "the night: cancelled"));
        record.Findings.ShouldHaveSingleItem().Code.ShouldBe(ErrorCode.Cancelled);
        RecordSample.AllIn(stores.Folder["offsite"]).Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(ErrorCode.Usage)]
    [InlineData(ErrorCode.ConfigInvalid)]
    [InlineData(ErrorCode.UntrustedFile)]
    public async Task A_wrong_use_or_config_leaves_no_record(ErrorCode code)
    {
        await Should.ThrowAsync<PgBackupException>(() => AroundAsync(() => throw new PgBackupException(code, "no")));

        local.Puts.Concat(offsite.Puts).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_store_that_does_not_take_it_is_a_finding_and_no_failure()
    {
        offsite.Fail = Refusing;

        (await AroundAsync(() => Task.FromResult(1))).ShouldBe(1);

        Finding finding = said.ShouldHaveSingleItem();
        (finding.Code, finding.Severity, finding.Subject).ShouldBe((ErrorCode.RecordNotWritten, Severity.Warning, "offsite"));
        finding.What.ShouldBe("offsite: the record of this run could not be written");
        finding.Why.ShouldBe("PGB-0060: the store is read-only");
        RecordSample.AllIn(stores.Folder["local"]).Count.ShouldBe(1);
    }

    [Fact]
    public async Task For_a_restore_it_is_a_note_since_a_host_that_restores_needs_no_right_to_write()
    {
        local.Fail = offsite.Fail = Refusing;

        Recorded written = await recorder.WriteAsync(recorder.Begin(RecordKind.Restore, "restore"), Cancel);

        written.Stores.ShouldBeEmpty();
        written.Findings.ShouldBe(said);
        said.Select(static f => f.Severity).ShouldBe([Severity.Note, Severity.Note]);
    }

    [Fact]
    public async Task A_store_that_fails_in_an_unknown_way_is_a_finding_too()
    {
        local.Fail = static _ => new InvalidDataException("odd");

        (await recorder.WriteAsync(recorder.Begin(RecordKind.Pin, "pin"), Cancel)).Stores.ShouldBe(["offsite"]);

        said.ShouldHaveSingleItem().Why.ShouldBe("PGB-0001: an unexpected error: InvalidDataException: odd");
    }

    [Fact]
    public async Task A_store_that_hangs_is_left_after_a_minute_and_the_others_have_the_record()
    {
        offsite.Block = static (_, _) => Task.Delay(Timeout.Infinite, CancellationToken.None);
        Task<int> work = AroundAsync(() => Task.FromResult(1));
        await UntilAsync(() => IsIn("local") && offsite.Calls.Count > 0);
        clock.Advance(TimeSpan.FromSeconds(59));
        work.IsCompleted.ShouldBeFalse();

        clock.Advance(TimeSpan.FromSeconds(1));

        (await work.WaitAsync(TimeSpan.FromSeconds(30), Cancel)).ShouldBe(1);
        said.Single(static f => f.Subject == "offsite").Why.ShouldBe("PGB-0060: the store did not answer in time");
        RecordSample.AllIn(stores.Folder["local"]).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Who_stops_the_program_waits_five_seconds_for_a_store_that_hangs()
    {
        offsite.Block = static (_, _) => Task.Delay(Timeout.Infinite, CancellationToken.None);
        using var cancel = new CancellationTokenSource();
        Task<int> work = AroundAsync(() => Task.FromResult(1), cancel.Token);
        await UntilAsync(() => IsIn("local") && offsite.Calls.Count > 0);
        await cancel.CancelAsync();

        clock.Advance(TimeSpan.FromSeconds(5));

        (await work.WaitAsync(TimeSpan.FromSeconds(30), Cancel)).ShouldBe(1, "what was done stays done");
        said.ShouldContain(static f => f.Subject == "offsite");
    }

    [Fact]
    public async Task No_record_makes_the_folder_of_a_disk_that_is_not_mounted()
    {
        var usb = new LocalStore("usb", stores.Folder["usb"]);
        var both = new Recorder("olympus", true, [usb, local], clock, said.Add);

        (await both.WriteAsync(both.Begin(RecordKind.Prune, "prune"), Cancel)).Stores.ShouldBe(["local"]);

        Directory.Exists(stores.Folder["usb"]).ShouldBeFalse();
        said.ShouldHaveSingleItem().Subject.ShouldBe("usb");
    }

    [Fact]
    public async Task A_config_can_have_records_that_name_nobody()
    {
        var discreet = new Recorder("olympus", false, [local], clock, said.Add);

        await discreet.WriteAsync(discreet.Begin(RecordKind.Pin, "pin") with { Note = "for Alice" }, Cancel);

        Record record = RecordSample.AllIn(stores.Folder["local"]).ShouldHaveSingleItem();
        (record.User, record.Host, record.Note).ShouldBe((null, null, null));
        discreet.NamesWho.ShouldBeFalse();
    }

    [Theory]
    [InlineData("root", null, "root")]
    [InlineData("root", "", "root")]
    [InlineData("root", "alice", "root (sudo by alice)")]
    [InlineData("alice", "alice", "alice")]
    public void The_operator_is_the_user_of_the_process_and_after_sudo_who_called_it(string user, string? sudo, string login) =>
        Operator.LoginOf(user, sudo).ShouldBe(login);

    private static Exception? Refusing(string call) =>
        call.StartsWith("put ", StringComparison.Ordinal)
            ? new PgBackupException(ErrorCode.StoreUnavailable, "the store is read-only.")
            : null;

    private Task<int> AroundAsync(Func<Task<int>> work, CancellationToken? cancel = null) =>
        recorder.AroundAsync(
            recorder.Begin(RecordKind.Run, "the night"),
            work,
            result => recorder.Begin(RecordKind.Run, $"did {result}") with { Result = RecordResult.Ok },
            cancel ?? Cancel
        );

    private bool IsIn(string store) =>
        Directory.Exists(stores.PathOf(store, "records")) && Directory.GetFiles(stores.PathOf(store, "records"), "2*.json").Length == 1;

    private static async Task UntilAsync(Func<bool> isSo)
    {
        while (!isSo())
        {
            await Task.Delay(10, Cancel);
        }
    }
}
