using PgBackup.Operations.Doctor;
using PgBackup.Storage.Local;
using PgBackup.Storage.Rclone;

namespace PgBackup.Tests.Operations.Doctor;

/// <content>Stores in which one thing is broken, clocks, and disks.</content>
public sealed partial class BrokenInstallationsTests
{
    [Fact]
    public async Task A_store_that_is_absent()
    {
        practice.Others = [new LocalStore("local", practice.Folder["unmounted"]) { MustExist = true }, practice.Offsite];

        (await FoundAsync(ErrorCode.StoreUnavailable, Severity.Error, "local")).Fix.ShouldNotBeNull().ShouldStartWith("Mount its disk");
    }

    [Fact]
    public async Task A_store_that_is_full()
    {
        practice.Local.Fail = static call =>
            call.StartsWith("put ", StringComparison.Ordinal)
                ? new PgBackupException(ErrorCode.StoreUnavailable, "the store local is full.", "Make room.") { IsFull = true }
                : null;

        (await FoundAsync(ErrorCode.StoreUnavailable, Severity.Error, "local")).Text.ShouldBe("the store local is full. Make room");
    }

    [Fact]
    public async Task A_store_in_which_the_next_snapshot_does_not_fit()
    {
        await practice.HealthyAsync();
        practice.Host = practice.Host with { Free = path => path == practice.Folder["local"] ? 1000 : 100L << 30 };

        Finding finding = await FoundAsync(ErrorCode.DiskShort, Severity.Error, "local");
        finding.Why.ShouldBe("the next one does not fit");
        finding.Fix.ShouldNotBeNull().ShouldContain($"df -h {practice.Folder["local"]}");
    }

    [Fact]
    public async Task A_store_that_is_read_only()
    {
        practice.Local.Fail = static call =>
            call.StartsWith("put ", StringComparison.Ordinal)
                ? new PgBackupException(ErrorCode.StoreUnavailable, "the store local cannot be used: Read-only file system", "Check.")
                : null;

        (await FoundAsync(ErrorCode.StoreUnavailable, Severity.Error, "local")).What.ShouldContain("Read-only file system");
    }

    [Fact]
    public async Task A_store_that_does_not_delete()
    {
        practice.Local.Fail = static call =>
            call.StartsWith("delete ", StringComparison.Ordinal)
                ? new PgBackupException(ErrorCode.StoreUnavailable, "Operation not permitted", "Look at `lsattr`.")
                : null;

        Finding finding = await FoundAsync(ErrorCode.StoreUndeletable, Severity.Error, "local");
        (finding.Why, finding.Fix).ShouldBe(
            ("a run ends before it begins, and prune removes nothing: Operation not permitted", "Look at `lsattr`")
        );
    }

    [Fact]
    public async Task A_store_that_gives_other_bytes_back()
    {
        practice.Local.Lie = static (_, bytes) => [.. bytes.Reverse()];

        (await FoundAsync(ErrorCode.StoreUnsound, Severity.Error, "local")).Fix.ShouldNotBeNull().ShouldContain("Do not rely on it");
    }

    [Fact]
    public async Task Two_stores_in_one_place()
    {
        practice.Others = [practice.Local, new LocalStore("offsite", practice.Folder["local"])];

        (await FoundAsync(ErrorCode.StoresAreOne, Severity.Error, "local")).What.ShouldContain(
            "local and offsite are one and the same place"
        );
    }

    [Fact]
    public async Task A_store_whose_clock_is_off()
    {
        practice.Local.ClockIsAhead = TimeSpan.FromMinutes(7);

        Finding finding = await FoundAsync(ErrorCode.ClockOff, Severity.Warning, "the store local");
        finding.What.ShouldBe("the clock of the store local is 7 min ahead of this host's");
        finding.Fix.ShouldNotBeNull().ShouldContain("timedatectl set-ntp true");
    }

    [Fact]
    public async Task A_host_whose_clock_is_off()
    {
        practice.Local.ClockIsAhead = practice.Offsite.ClockIsAhead = TimeSpan.FromHours(3);
        practice.Engine.ClockIs(practice.Clock.GetUtcNow().AddHours(3));

        (await FoundAsync(ErrorCode.ClockOff, Severity.Error, "this host")).What.ShouldBe(
            "the clock of this host is 3 h behind those of the server in the container olympus-postgres and of the store local and of the "
                + "store offsite"
        );
    }

    [Fact]
    public async Task A_config_of_rclone_that_is_encrypted()
    {
        string locked = $"# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\n{Convert.ToBase64String(new byte[120])}\n";
        practice.Others =
        [
            practice.Local,
            new RcloneStore("offsite", "b2:bucket", practice.Folder.Write("rclone.conf", locked), practice.Clock),
        ];

        (await FoundAsync(ErrorCode.StoreUnavailable, Severity.Error, "offsite"))
            .Fix.ShouldNotBeNull()
            .ShouldContain("RCLONE_PASSWORD_COMMAND");
    }

    [Theory]
    [InlineData(true, Severity.Warning)]
    [InlineData(false, Severity.Note)]
    public async Task The_primary_on_the_disk_of_the_server(bool all, Severity severity)
    {
        practice.Host = practice.Host with
        {
            Disk = path =>
                all || path.StartsWith("/volumes", StringComparison.Ordinal) || path == practice.Folder["local"] ? (8u, 1u) : (8u, 2u),
        };

        Finding finding = await FoundAsync(ErrorCode.StoreOnServersDisk, severity, "local");
        finding.What.ShouldContain("on the same disk as the server's data (/volumes/pg)");
        (finding.Fix is not null).ShouldBe(all);
    }

    [Fact]
    public async Task A_store_that_hangs_is_a_finding_and_takes_nothing_from_the_others()
    {
        var entered = new TaskCompletionSource();
        practice.Local.Block = (call, _) =>
        {
            if (call.StartsWith("put ", StringComparison.Ordinal))
            {
                entered.TrySetResult();
                return Task.Delay(Timeout.Infinite, CancellationToken.None);
            }

            return Task.CompletedTask;
        };
        Task<DoctorReport> examining = practice.ExamineAsync(DoctorArea.Stores);
        await entered.Task;
        while (!examining.IsCompleted)
        {
            await Task.Delay(50, Cancel);
            practice.Clock.Advance(TimeSpan.FromSeconds(9));
        }

        DoctorReport report = await examining;
        Finding late = report.Findings.Single(static f => f.Code == ErrorCode.ExaminationLate);
        (late.Subject, late.Why).ShouldBe(("local", "it was still writing an object"));
        report.Looked.ShouldContain(static l => l.What.StartsWith("offsite (") && l.Findings == 0);
    }
}
