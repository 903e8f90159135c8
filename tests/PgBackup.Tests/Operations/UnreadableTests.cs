using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Operations.Prune;
using PgBackup.Records;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations;

/// <summary>One bad sector, or one folder with wrong rights, in a store that is otherwise as it should be.</summary>
public sealed class UnreadableTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly List<string> told = [];

    public void Dispose() => stores.Dispose();

    [Theory]
    [InlineData("file")]
    [InlineData("folder")]
    public async Task The_newest_one_is_listed_kept_and_passed_over_by_latest_which_says_so(string what)
    {
        (IObjectStore store, string named) = await BadNewestAsync(what);
        var catalog = new Catalog(store, stores.Clock) { PassedOver = f => told.Add(f.Line) };

        (await catalog.ListAsync(Cancel)).Select(static e => e.Id).ShouldBe([Day(20), Day(21), Day(22)]);
        (await catalog.LatestAsync(Cancel)).Id.ShouldBe(Day(21));
        (await catalog.BeforeAsync(Day(23), Cancel))!.Value.Id.ShouldBe(Day(21));
        (await catalog.RequireClusterAsync(Cluster, await catalog.ListAsync(Cancel), Cancel))!.Id.ShouldBe(Day(21).ToString());

        string line = told.ShouldHaveSingleItem("it is told once, however often it is passed over");
        line.ShouldStartWith($"PGB-0110: the snapshot {Day(22)} in local cannot be read, and is ignored: ");
        line.ShouldContain(named);
    }

    [Theory]
    [InlineData("file")]
    [InlineData("folder")]
    public async Task It_is_one_finding_of_a_check_and_the_others_are_checked(string what)
    {
        (IObjectStore store, string named) = await BadNewestAsync(what);

        CheckReport report = await new StoresCheck([Stores.Kept(store)], Cluster, stores.Clock, static s => Stores.CheckOf(s)).RunAsync(
            null,
            CheckDepth.ReadData,
            Cancel
        );

        report.Snapshots.Select(static c => c.Id).ShouldBe([Day(20).ToString(), Day(21).ToString(), Day(22).ToString()]);
        report.Snapshots.SelectMany(static c => c.Problems).ShouldHaveSingleItem().Problem.ShouldContain(named);
    }

    [Theory]
    [InlineData("file")]
    [InlineData("folder")]
    public async Task Prune_keeps_it_and_nothing_is_copied_into_it(string what)
    {
        (IObjectStore store, _) = await BadNewestAsync(what);
        BackupStore kept = Stores.Kept(store, new RetentionRules { All = RetentionLength.Of(1, RetentionUnit.Days) });
        SortedDictionary<string, string> before = stores.Contents("local", Day(22));

        await Should.NotThrowAsync(async () =>
        {
            IReadOnlyList<CatalogEntry> entries = await new Catalog(store, stores.Clock).ListAsync(Cancel);
            kept.Lacks(entries, entries, stores.Clock.Now).ShouldNotContain(Day(22));
            await new PruneOperation(kept, stores.Clock, new Progress()).RunAsync(dryRun: true, unattended: true, Cancel);
        });

        stores.Contents("local", Day(22)).ShouldBe(before);
    }

    [Fact]
    public async Task A_store_that_is_gone_is_no_unreadable_snapshot()
    {
        FaultyStore store = await FilledAsync();
        store.Fail = static call =>
            call.StartsWith("open", StringComparison.Ordinal) || call == $"list {Day(22)}"
                ? new PgBackupException(ErrorCode.StoreUnavailable, "no route to host")
                : null;

        (await Should.ThrowAsync<PgBackupException>(() => new Catalog(store, stores.Clock).LatestAsync(Cancel))).Code.ShouldBe(
            ErrorCode.StoreUnavailable
        );
    }

    [Theory]
    [InlineData("\"format\": 1", "\"format\": 2")]
    [InlineData("\"encryption\": \"none\"", "\"encryption\": \"pgp2\"")]
    public async Task Snapshots_of_a_newer_version_alone_are_not_said_to_be_absent(string here, string there)
    {
        await Of(Day(22)).PutAsync(stores.Open("local"));
        string file = stores.PathOf("local", Of(Day(22)).Key(SnapshotLayout.Manifest));
        await File.WriteAllTextAsync(
            file,
            (await File.ReadAllTextAsync(file, Cancel))
                .Replace(here, there, StringComparison.Ordinal)
                .Replace("\"tool\": \"", "\"tool\": \"9.", StringComparison.Ordinal),
            Cancel
        );
        var catalog = new Catalog(stores.Open("local"), stores.Clock) { PassedOver = f => told.Add(f.Line) };

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => catalog.LatestAsync(Cancel));

        error.Code.ShouldBe(ErrorCode.ManifestTooNew);
        error.Message.ShouldContain("was made by a newer version of olympus-pgbackup, 9.");
        error.Remedy.ShouldNotBeNull().ShouldStartWith("Use version 9.");
        told.ShouldHaveSingleItem().ShouldContain("PGB-0064");
        SnapshotCheck check = (
            await Stores.CheckOf(stores.Open("local")).RunAsync(null, CheckDepth.ReadData, Cancel)
        ).ShouldHaveSingleItem();
        check.IsOfNewerVersion.ShouldBeTrue();
        SortedDictionary<string, string> before = stores.Contents("local");
        await Of(Day(22)).PutAsync(stores.Open("offsite"));
        await new RepairOperation(
            [Stores.Kept(stores.Open("local")), Stores.Kept(stores.Open("offsite"))],
            stores.Clock,
            new Progress()
        ).RunAsync([check], "the test", Cancel);
        stores.Contents("local").ShouldBe(before, "what an older version cannot read, it does not replace");
    }

    private async Task<FaultyStore> FilledAsync()
    {
        foreach (int day in (int[])[20, 21, 22])
        {
            await Of(Day(day)).PutAsync(stores.Open("local"));
        }

        return stores.Faulty("local");
    }

    // As EIO comes from a disk; and as a listing tells of a folder that this user may not enter.
    private async Task<(IObjectStore Store, string Named)> BadNewestAsync(string what)
    {
        FaultyStore store = await FilledAsync();
        string manifest = Of(Day(22)).Key(SnapshotLayout.Manifest);
        if (what == "file")
        {
            store.Fail = call =>
                call == $"open {manifest}"
                    ? new PgBackupException(ErrorCode.StoreUnavailable, $"the store local cannot be used: {manifest}: Input/output error")
                    : null;
            return (store, "Input/output error");
        }

        store.Hide = Day(22).ToString();
        return (store, "Permission denied");
    }
}
