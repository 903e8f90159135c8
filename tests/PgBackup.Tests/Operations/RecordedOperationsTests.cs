using PgBackup.Configuration;
using PgBackup.Installations;
using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Operations.Drill;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Tests.Records;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Operations;

/// <summary>What an installation hands out records itself: once, in every store.</summary>
public sealed class RecordedOperationsTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly ManualClock clock = new(TimeProvider.System.GetUtcNow());
    private readonly Installation installation;
    private readonly Progress quiet = new();

    public RecordedOperationsTests()
    {
        stores.Open("local");
        stores.Open("offsite");
        installation = From(
            $"cluster: olympus\nencryption: none\nstores:\n- {{ name: local, path: {stores.Folder["local"]}, keep: {{ all: 3d }} }}\n"
                + $"- {{ name: offsite, path: {stores.Folder["offsite"]}, keep: {{ all: 3d }} }}\n"
        );
    }

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task A_pin_and_an_unpin_are_records_with_the_note()
    {
        await FillAsync(0);

        await installation.Pin(null, quiet).RunAsync(SnapshotRef.Latest, "before the migration", Cancel);
        SnapshotId id = Ago(0);
        clock.Advance(TimeSpan.FromMinutes(1));
        await installation.Pin("local", quiet).RunAsync(SnapshotRef.Of(id), null, Cancel);

        IReadOnlyList<Record> records = Both();
        records.Select(static r => r.Kind).ShouldBe([RecordKind.Pin, RecordKind.Unpin]);
        records[0].Note.ShouldBe("before the migration");
        records[0].Summary.ShouldBe($"{id} pinned in local, offsite");
        (records[0].Snapshot, records[0].Store).ShouldBe((id.ToString(), null));
        (records[1].Summary, records[1].Store, records[1].Note).ShouldBe(($"{id} unpinned in local", "local", null));
    }

    [Fact]
    public async Task A_pin_of_nothing_is_a_record_that_it_failed()
    {
        await Should.ThrowAsync<PgBackupException>(() => installation.Pin(null, quiet).RunAsync(SnapshotRef.Of(Ago(50)), "why", Cancel));

        Record record = Both().ShouldHaveSingleItem();
        (record.Result, record.Summary).ShouldBe((RecordResult.Failed, $"pin {Ago(50)}: failed (PGB-0062)"));
    }

    [Fact]
    public async Task A_prune_of_all_stores_is_one_record_and_a_mere_plan_is_none()
    {
        await FillAsync(21, 20, 1, 0);

        (await installation.Prune(null, quiet).RunAsync(dryRun: true, Cancel)).Succeeded.ShouldBeTrue();
        Directory.Exists(stores.PathOf("local", "records")).ShouldBeFalse();
        (await installation.Prune(null, quiet).RunAsync(dryRun: false, Cancel)).Succeeded.ShouldBeTrue();

        Record record = Both().ShouldHaveSingleItem();
        (record.Kind, record.Result, record.Store).ShouldBe((RecordKind.Prune, RecordResult.Ok, null));
        record.Summary.ShouldBe("local: removed 2 snapshots of 4; offsite: removed 2 snapshots of 4");
    }

    [Fact]
    public async Task A_store_that_is_not_pruned_does_not_keep_the_others_from_it_and_is_in_the_record()
    {
        await FillAsync(21, 20, 1, 0);
        await using IStoreLock held = await stores.Open("local").LockAsync("another run", Cancel);

        (await installation.Prune(null, quiet).RunAsync(dryRun: false, Cancel)).Errors.ShouldHaveSingleItem().Store.ShouldBe("local");

        Record record = Both().ShouldHaveSingleItem();
        record.Result.ShouldBe(RecordResult.Partial);
        record.Summary.ShouldBe("offsite: removed 2 snapshots of 4; local: FAILED (PGB-0042)");
    }

    [Fact]
    public async Task A_drill_without_a_snapshot_is_a_record_that_it_failed()
    {
        var request = new DrillRequest { Snapshot = SnapshotRef.Latest, From = installation.Store("offsite") };

        await Should.ThrowAsync<PgBackupException>(() => installation.Drill(null, quiet).RunAsync(request, Cancel));

        Record record = Both().ShouldHaveSingleItem();
        (record.Kind, record.Result, record.Store, record.Snapshot).ShouldBe((RecordKind.Drill, RecordResult.Failed, "offsite", "latest"));
    }

    [Fact]
    public async Task A_repair_is_a_record_of_what_is_mended_and_what_is_not()
    {
        await FillAsync(1, 0);
        string part = $"{Ago(0)}/{SnapshotSample.Of(Ago(0)).Parts.Keys.First()}";
        stores.Flip("local", part);

        (await CheckAsync(null, CheckDepth.ReadData, repair: true)).IsRight.ShouldBeFalse();

        Record record = Both().ShouldHaveSingleItem();
        (record.Kind, record.Result, record.Depth).ShouldBe((RecordKind.Repair, RecordResult.Ok, CheckDepth.ReadData));
        record.Summary.ShouldBe("1 object repaired, 0 snapshots copied into stores that lacked them");
        record.Findings.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_check_is_a_record_of_how_deep_it_looked_and_its_name_tells_of_damage()
    {
        await FillAsync(1, 0);
        await CheckAsync(null, CheckDepth.Present);
        Record good = Both().ShouldHaveSingleItem();
        (good.Kind, good.Result, good.Depth, good.Snapshot).ShouldBe((RecordKind.Check, RecordResult.Ok, CheckDepth.Present, null));
        good.Summary.ShouldBe("2 snapshots checked (names and sizes): all right");
        stores.Flip("local", $"{Ago(0)}/{SnapshotSample.Of(Ago(0)).Parts.Keys.First()}");

        await CheckAsync(SnapshotRef.Latest, CheckDepth.ReadData);

        Record bad = Both().Single(static r => r.Kind == RecordKind.Damage);
        (bad.Result, bad.Depth, bad.Snapshot).ShouldBe((RecordResult.Failed, CheckDepth.ReadData, Ago(0).ToString()));
        bad.Summary.ShouldBe("1 snapshot checked (every byte read): 1 DAMAGED");
        Finding damage = bad.Findings.ShouldHaveSingleItem();
        (damage.Code, damage.Subject).ShouldBe((ErrorCode.ObjectDamaged, $"local/{Ago(0)}"));
    }

    [Fact]
    public async Task A_check_that_could_not_look_is_a_record_without_a_depth()
    {
        await Should.ThrowAsync<PgBackupException>(() => CheckAsync(SnapshotRef.Latest, CheckDepth.Present));

        Record record = Both().ShouldHaveSingleItem();
        (record.Kind, record.Result, record.Depth).ShouldBe((RecordKind.Check, RecordResult.Failed, null));
    }

    [Fact]
    public async Task A_read_only_store_keeps_nobody_from_anything_but_is_said()
    {
        await FillAsync(0);
        List<Finding> said = [];
        File.WriteAllText(stores.PathOf("offsite", "records"), "a file in the place of the folder");

        await installation
            .Pin("local", new Progress { Said = step => said.Add(step.Finding.ShouldNotBeNull()) })
            .RunAsync(SnapshotRef.Latest, "x", Cancel);

        said.ShouldHaveSingleItem().Code.ShouldBe(ErrorCode.RecordNotWritten);
        RecordSample.AllIn(stores.Folder["local"]).Count.ShouldBe(1);
    }

    // A prune compares the store's clock with ours.
    private SnapshotId Ago(int days) => SnapshotId.At(clock.GetUtcNow().AddDays(-days).AddHours(-1));

    private async Task<CheckReport> CheckAsync(SnapshotRef? wanted, CheckDepth depth, bool repair = false)
    {
        await using DecodingTools tools = installation.ToolsToDecode(null);
        return await installation.Check(installation.Stores(), null, tools, null, repair, quiet).RunAsync(wanted, depth, Cancel);
    }

    private Installation From(string config) => new(ConfigReader.ParseStores(config, "test.yaml"), clock);

    private async Task FillAsync(params int[] days)
    {
        foreach (int day in days)
        {
            await SnapshotSample.Of(Ago(day)).PutAsync(stores.Open("local"));
            await SnapshotSample.Of(Ago(day)).PutAsync(stores.Open("offsite"));
        }
    }

    // The same in both stores.
    private IReadOnlyList<Record> Both()
    {
        static IEnumerable<string> Names(string folder) => Directory.GetFiles(folder).Select(static f => Path.GetFileName(f)!).Order();
        Names(stores.PathOf("local", "records")).ShouldBe(Names(stores.PathOf("offsite", "records")));
        return RecordSample.AllIn(stores.Folder["local"]);
    }
}
