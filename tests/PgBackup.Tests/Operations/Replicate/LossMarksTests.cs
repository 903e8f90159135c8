using System.Text;
using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Operations.Prune;
using PgBackup.Operations.Replicate;
using PgBackup.Records;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Tests.Losses;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Replicate;

/// <summary>The marks <c>LOSS</c> and <c>CONFIRMED</c> in several stores: they are added where they lack, and never removed.</summary>
public sealed class LossMarksTests : IDisposable
{
    private static readonly SnapshotSample Lost = Of(Day(21)).WithLosses(LossSample.Gone(20));

    private readonly Stores stores = new();
    private readonly FaultyStore offsite;

    public LossMarksTests() => offsite = stores.Faulty("offsite");

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task A_copy_has_the_mark_before_its_manifest_also_where_it_was_lost_in_the_primary()
    {
        await Lost.PutAsync(stores.Open("local"));
        File.Delete(stores.PathOf("local", Lost.Key(SnapshotLayout.Loss)));

        await RunAsync();

        Text("offsite", SnapshotLayout.Loss).ShouldBe("table_gone: ciam_kratos.public.identities, 100 rows in 20260320T030000Z, 0 now\n");
        List<string> puts = [.. offsite.Puts];
        puts.IndexOf(Lost.Key(SnapshotLayout.Loss)).ShouldBeInRange(0, puts.IndexOf(Lost.Key(SnapshotLayout.Manifest)));

        await RunAsync();
        Text("local", SnapshotLayout.Loss).ShouldBe(Text("offsite", SnapshotLayout.Loss), "the next run brings it back from there");
    }

    [Theory]
    [InlineData("local", "offsite")]
    [InlineData("offsite", "local")]
    public async Task What_was_confirmed_while_a_store_was_away_is_confirmed_there_by_the_next_run(string has, string lacks)
    {
        await Lost.PutAsync(stores.Open("local"));
        await Lost.PutAsync(stores.Open("offsite"));
        await Lost.PutAsync(stores.Open(has), SnapshotLayout.Confirmed, "by ada\n"u8.ToArray());
        RecordName record = await new RecordsFolder(stores.Open(has)).PutAsync(LossSample.Confirmation(21, LossSample.Gone(20)), Cancel);

        (await RunAsync()).Code.ShouldBeNull();

        (await new RecordsFolder(stores.Open(lacks)).ListAsync(Cancel)).ShouldBe([record]);

        Text(lacks, SnapshotLayout.Confirmed).ShouldBe("by ada\n");
        stores.Contents("offsite").ShouldBe(stores.Contents("local"));
    }

    [Fact]
    public async Task A_mark_whose_text_cannot_be_read_counts_by_its_name()
    {
        await Lost.PutAsync(stores.Open("local"));
        await Lost.PutAsync(stores.Open("offsite"));
        await Lost.PutAsync(stores.Open("local"), SnapshotLayout.Confirmed, new byte[1 << 20]);

        await RunAsync();

        Text("offsite", SnapshotLayout.Confirmed).ShouldBe("its text could not be read in local\n");
    }

    [Fact]
    public async Task A_mark_that_a_store_does_not_take_is_an_error_of_that_store_and_is_copied_by_the_next_run()
    {
        await Lost.PutAsync(stores.Open("local"));
        await Lost.PutAsync(stores.Open("offsite"));
        await Lost.PutAsync(stores.Open("local"), SnapshotLayout.Confirmed, "by ada\n"u8.ToArray());
        offsite.Fail = static call =>
            call == $"put {Lost.Key(SnapshotLayout.Confirmed)}"
                ? new PgBackupException(ErrorCode.StoreUnavailable, "the disk is full.")
                : null;

        (await RunAsync()).Code.ShouldBe("PGB-0060");

        offsite.Fail = static _ => null;
        (await RunAsync()).Code.ShouldBeNull();
        stores.Contents("offsite").ShouldBe(stores.Contents("local"));
    }

    [Fact]
    public async Task A_check_finds_marks_that_lack_and_its_repair_sets_them()
    {
        await Lost.PutAsync(stores.Open("local"));
        await Lost.PutAsync(stores.Open("offsite"));
        await Lost.PutAsync(stores.Open("local"), SnapshotLayout.Confirmed, "by ada\n"u8.ToArray());
        File.Delete(stores.PathOf("local", Lost.Key(SnapshotLayout.Loss)));

        CheckReport report = await CheckAsync();

        report.IsRight.ShouldBeFalse();
        report
            .Snapshots.SelectMany(static s => s.Problems.Select(p => $"{s.Store}: {p.Object}: {p.Problem}"))
            .ShouldBe(
                [
                    "local: LOSS: it is missing, so that listings and retention do not see what the snapshot lost",
                    "offsite: CONFIRMED: it is missing, and local has it",
                ],
                ignoreOrder: true
            );
        await new RepairOperation(All, stores.Clock, new Progress()).RunAsync(report.Snapshots, "the test", Cancel);
        (await CheckAsync()).Snapshots.SelectMany(static s => s.Problems).ShouldBeEmpty();
        stores.Contents("offsite").ShouldBe(stores.Contents("local"));
    }

    [Fact]
    public async Task A_mark_that_the_manifest_does_not_explain_is_a_note_and_stays()
    {
        SnapshotSample whole = await Of(Day(22)).PutAsync(stores.Open("local"));
        await whole.PutAsync(stores.Open("offsite"));
        await whole.PutAsync(stores.Open("local"), SnapshotLayout.Loss, "stray\n"u8.ToArray());

        CheckReport report = await CheckAsync();

        report.Snapshots.SelectMany(static s => s.Problems).ShouldBeEmpty();
        report.Snapshots.SelectMany(static s => s.Findings).ShouldHaveSingleItem().Code.ShouldBe(ErrorCode.SnapshotNoted);
    }

    [Fact]
    public async Task Pruning_never_removes_the_newest_one_without_an_unconfirmed_loss()
    {
        for (int day = 1; day <= 22; day++)
        {
            SnapshotSample sample = Of(Day(day));
            await (day > 5 ? sample.WithLosses(LossSample.Gone(5)) : sample).PutAsync(stores.Open("local"));
        }

        BackupStore store = Stores.Kept(stores.Faulty("local"), new RetentionRules { All = RetentionLength.Of(3, RetentionUnit.Days) });
        await new PruneOperation(store, stores.Clock, new Progress()).RunAsync(dryRun: false, unattended: false, Cancel);

        IReadOnlyList<CatalogEntry> left = await new Catalog(store.Store, stores.Clock).ListAsync(Cancel);
        left[0].Id.ShouldBe(Day(5));
        left.Skip(1).ShouldAllBe(static e => e.HasUnconfirmedLoss && e.Id.CompareTo(Day(18)) > 0);
        // And a replica that is empty gets it too.
        Stores.Kept(offsite, store.Keep).Lacks([], left, stores.Clock.GetUtcNow()).ShouldContain(Day(5));
    }

    private string Text(string store, string name) => File.ReadAllText(stores.PathOf(store, Lost.Key(name)), Encoding.UTF8);

    private BackupStore[] All => [Stores.Kept(stores.Open("local")), Stores.Kept(offsite)];

    private Task<CheckReport> CheckAsync() =>
        new StoresCheck(All, Cluster, stores.Clock, static s => Stores.CheckOf(s)).RunAsync(null, CheckDepth.ReadData, Cancel);

    private async Task<ReplicaReport> RunAsync()
    {
        await using Replica replica = Replica.Start(All, All[1], Cluster, "the test", stores.Clock, new Progress(), Cancel);
        return await replica.CatchUpAsync(null, Cancel);
    }
}
