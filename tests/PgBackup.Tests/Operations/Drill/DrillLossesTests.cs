using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Losses;
using PgBackup.Operations;
using PgBackup.Operations.Drill;
using PgBackup.Records;
using PgBackup.Snapshots;
using static PgBackup.Tests.Losses.LossSample;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Drill;

/// <summary>What a rehearsed snapshot lacks, whatever becomes of the rehearsal.</summary>
public sealed class DrillLossesTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly ManualClock clock = new(Day(22, 4).Time);
    private readonly FaultyStore local;

    public DrillLossesTests() => local = stores.Faulty("local");

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task An_unconfirmed_loss_fails_the_drill_and_a_confirmed_one_is_not_in_its_report()
    {
        await Of(Day(22)).WithLosses(Gone(21)).PutAsync(local);

        DrillReport red = await DrillAsync();
        await new RecordsFolder(local).PutAsync(Confirmation(22, Gone(21)), Cancel);
        clock.Advance(TimeSpan.FromSeconds(1));
        DrillReport settled = await DrillAsync();

        red.Failures.Select(static f => f.Code).ShouldBe([ErrorCode.TableGone, ErrorCode.ToolMissing]);
        red.Failures[0].Subject.ShouldBe("ciam_kratos.public.identities");
        settled.Findings.Select(static f => f.Code).ShouldBe([ErrorCode.ToolMissing]);
    }

    [Fact]
    public async Task A_mark_that_anybody_may_have_written_settles_nothing()
    {
        SnapshotSample sample = await Of(Day(22)).WithLosses(Gone(21)).PutAsync(local);
        await sample.PutAsync(local, SnapshotLayout.Confirmed, "confirmed\n"u8.ToArray());

        (await ReadAsync(22)).IsRed.ShouldBeTrue();
    }

    [Fact]
    public async Task A_warning_does_not_fail_it()
    {
        await Of(Day(22)).WithLosses(Shrunk(21, 40) with { Severity = Severity.Warning }).PutAsync(local);

        DrillLosses losses = await ReadAsync(22);

        (losses.IsRed, losses.Findings.Single().Severity).ShouldBe((false, Severity.Warning));
    }

    [Fact]
    public async Task A_table_of_the_last_proven_snapshot_is_missed_though_an_earlier_version_set_no_mark()
    {
        await Of(Day(1)).WithTable("ciam_kratos", "public.identity_credentials", 100).PutAsync(local, proven: true);
        await Of(Day(22)).PutAsync(local);

        DrillLosses losses = await ReadAsync(22);

        losses
            .Findings.Lines()
            .Single()
            .ShouldStartWith(
                $"PGB-0124: ciam_kratos: the table public.identity_credentials is gone in {Day(22)}: {Day(1)} has it, with 100 rows"
            );
        (losses.IsRed, losses.Proven).ShouldBe((true, Day(1).ToString()));
        losses.Had("ciam_kratos").ShouldContain("identity_credentials");
    }

    [Fact]
    public async Task A_snapshot_that_is_older_than_the_proven_one_is_not_compared_with_it()
    {
        await Of(Day(21)).PutAsync(local);
        await Of(Day(22)).WithTable("ciam_kratos", "public.identity_credentials", 100).PutAsync(local, proven: true);

        DrillLosses losses = await ReadAsync(21);

        (losses.Findings.Count, losses.Proven).ShouldBe((0, null));
    }

    [Fact]
    public async Task A_store_that_cannot_be_listed_is_a_warning_and_its_own_losses_are_said_all_the_same()
    {
        await Of(Day(22)).WithLosses(Gone(21)).PutAsync(local);
        Manifest manifest = Of(Day(22)).WithLosses(Gone(21)).Manifest;
        local.Fail = static call => call == "list" ? new PgBackupException(ErrorCode.StoreUnavailable, "no route to host") : null;

        DrillLosses losses = await ReadAsync(22, manifest);

        losses
            .Findings.Select(static f => (f.Code, f.Severity))
            .ShouldBe([(ErrorCode.ComparisonSkipped, Severity.Warning), (ErrorCode.TableGone, Severity.Error)]);
    }

    private async Task<DrillLosses> ReadAsync(int day, Manifest? manifest = null)
    {
        var catalog = new Catalog(local, clock);
        manifest ??= await catalog.ReadManifestAsync(await catalog.ReadEntryAsync(Day(day), Cancel), Cancel);
        return await DrillLosses.ReadAsync(new LossSurvey([local], clock), catalog, Day(day), manifest, Cancel);
    }

    private Task<DrillReport> DrillAsync()
    {
        var config = new DrillConfig
        {
            Scratch = "no-such-engine",
            Image = "any",
            Rpo = TimeSpan.FromDays(100),
        };
        var drill = new DrillOperation(config, [Stores.Kept(local)], Cluster, static _ => new NoCipher(), clock, new Progress());
        return drill.RunAsync(new DrillRequest { Snapshot = SnapshotRef.Latest, From = Stores.Kept(local) }, Cancel);
    }
}
