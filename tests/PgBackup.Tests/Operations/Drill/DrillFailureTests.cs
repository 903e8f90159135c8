using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Operations;
using PgBackup.Operations.Drill;
using PgBackup.Snapshots;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Drill;

/// <summary>Drills that get no further than their server: what ends what, what is left, and what the report says.</summary>
public sealed class DrillFailureTests : IDisposable
{
    private readonly Stores stores = new();

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task An_engine_that_is_missing_ends_the_fetch_at_once()
    {
        FaultyStore store = await FilledAsync();
        store.Block = static (call, cancel) =>
            call.StartsWith("open ", StringComparison.Ordinal) && call.Contains(".dump", StringComparison.Ordinal)
                ? Task.Delay(Timeout.Infinite, cancel)
                : Task.CompletedTask;

        DrillReport report = await DrillAsync(store, "no-such-engine");

        report.Failures.Lines().ShouldHaveSingleItem().ShouldStartWith("PGB-0020: ");
        (report.Target, report.Databases.Count).ShouldBe(("no server", 0));
    }

    [Fact]
    public async Task A_store_that_is_gone_in_mid_fetch_ends_the_start_of_the_server_and_leaves_none()
    {
        FaultyStore store = await FilledAsync();
        (string engine, string log) = FailingWhileItStarts(store, "exec sleep 600", ErrorCode.StoreUnavailable);

        DrillReport report = await DrillAsync(store, engine);

        report.Failures.Lines().ShouldHaveSingleItem().ShouldBe("PGB-0060: the connection was reset");
        // It looks for leftovers (ps) meanwhile, and may be ended before that has begun.
        File.ReadAllLines(log).Where(static l => l != "ps").ShouldBe(["run", "rm"]);
        (await new Catalog(store, stores.Clock).ListAsync(Cancel)).ShouldAllBe(static e => !e.IsProven);
    }

    [Fact]
    public async Task A_server_that_is_being_started_is_removed_when_it_has_been_started_since_a_start_that_is_killed_leaves_processes()
    {
        FaultyStore store = await FilledAsync();
        (string engine, string log) = FailingWhileItStarts(store, "{ sleep 1; echo started >>LOG; exit 1; }", ErrorCode.ObjectDamaged);

        DrillReport report = await DrillAsync(store, engine, new ManualClock(stores.Clock.Now));

        report.Failures.Lines().ShouldHaveSingleItem().ShouldContain("the connection was reset");
        File.ReadAllLines(log).Where(static l => l != "ps").ShouldBe(["run", "started", "rm"]);
    }

    // A container engine that writes down what it is called for; when it is to start the server, a dump cannot be read.
    private (string Engine, string Log) FailingWhileItStarts(FaultyStore store, string start, ErrorCode code)
    {
        string log = stores.Folder["engine.log"];
        string script = $"#!/bin/sh\necho \"$1\" >>{log}\n[ \"$1\" != run ] || {start.Replace("LOG", log, StringComparison.Ordinal)}\n";
        string engine = stores.Folder.Write("engine", script);
        File.SetUnixFileMode(engine, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        store.Block = async (call, cancel) =>
        {
            while (
                call.Contains(".dump", StringComparison.Ordinal)
                && !(File.Exists(log) && File.ReadAllText(log).Contains("run", StringComparison.Ordinal))
            )
            {
                await Task.Delay(20, cancel);
            }
        };
        store.Fail = call =>
            call.StartsWith("open ", StringComparison.Ordinal) && call.Contains(".dump", StringComparison.Ordinal)
                ? new PgBackupException(code, "the connection was reset")
                : null;
        return (engine, log);
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData(null, false)]
    [InlineData("", false)]
    public async Task The_server_of_a_drill_is_removed_only_when_its_process_is_gone_for_certain(string? startOfProcess, bool removed)
    {
        FaultyStore store = await FilledAsync();
        string own = ProcessMark.Own!;
        string mark = startOfProcess switch
        {
            null => own,
            "" => "pid of another world",
            _ => own[..(own.LastIndexOf('/') + 1)] + startOfProcess,
        };
        string log = stores.Folder["engine.log"];
        string engine = stores.Folder.Write(
            "engine",
            $"#!/bin/sh\necho \"$*\" >>{log}\ncase $1 in ps) echo left-over ;; inspect) echo '{mark}' ;; run) echo broken >&2; exit 1 "
                + $";; esac\n"
        );
        File.SetUnixFileMode(engine, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        (await DrillAsync(store, engine)).Failures.Lines().ShouldHaveSingleItem().ShouldStartWith("PGB-0080: ");

        File.ReadAllLines(log).Contains("rm --force --volumes left-over").ShouldBe(removed);
    }

    [Fact]
    public async Task A_damaged_part_is_found_though_the_server_does_not_start_either_and_both_stores_have_the_report()
    {
        FaultyStore store = await FilledAsync();
        stores.Flip("offsite", Of(Day(21)).PartKey(1));
        string engine = stores.Folder.Write("engine", "#!/bin/sh\n[ \"$1\" != run ] || exec sleep 600\n");
        File.SetUnixFileMode(engine, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        DrillReport report = await DrillAsync(store, engine);

        report.Failures.Lines().ShouldHaveSingleItem().ShouldStartWith("PGB-0065: ");
        report.Phases.Select(static p => p.Name).ShouldBe(["find the snapshot", "restore (failed)"]);
        foreach (string name in (string[])["local", "offsite"])
        {
            (await DrillRecord.ListAsync(stores.Open(name), 5, Cancel)).ShouldHaveSingleItem().Failures.ShouldBe(report.Failures);
        }
    }

    [Fact]
    public async Task A_last_store_that_is_down_leaves_a_report_of_that_in_the_others()
    {
        FaultyStore store = await FilledAsync();
        store.Fail = static _ => new PgBackupException(ErrorCode.StoreUnavailable, "no route to host");

        (await Should.ThrowAsync<PgBackupException>(() => DrillAsync(store, "no-such-engine"))).Code.ShouldBe(ErrorCode.StoreUnavailable);

        DrillReport report = (await DrillRecord.ListAsync(stores.Open("local"), 5, Cancel)).ShouldHaveSingleItem();
        (report.Passed, report.Store, report.Snapshot).ShouldBe((false, "offsite", "latest"));
        report.Failures.Lines().ShouldBe(["PGB-0060: no route to host"]);
        string text = await File.ReadAllTextAsync(
            Directory.GetFiles(stores.PathOf("local", SnapshotLayout.Drills), "*.md").ShouldHaveSingleItem(),
            Cancel
        );
        text.ShouldContain("FAILED");
        text.ShouldContain("| age of the data (RPO) | not known |");
    }

    [Fact]
    public async Task What_a_drill_found_is_told_though_no_store_takes_its_report()
    {
        FaultyStore store = await FilledAsync();
        store.Fail = call =>
            call.StartsWith("put drills/", StringComparison.Ordinal) ? new PgBackupException(ErrorCode.StoreUnavailable, "no room") : null;
        stores.Folder.Write("local/drills", "a file where the folder should be");

        DrillReport report = await DrillAsync(store, "no-such-engine");

        report.Failures.Count.ShouldBe(2);
        report.Failures[0].Line.ShouldStartWith("PGB-0020: ");
        report.Failures[1].Line.ShouldContain("could not be written into any store");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_drill_that_is_killed_at_any_write_of_its_report_leaves_a_whole_one_or_none(bool halfway)
    {
        FaultyStore calm = await FilledAsync();
        await DrillAsync(calm, "no-such-engine");
        calm.Writes.ShouldBe(2);
        SortedDictionary<string, string> snapshot = stores.Contents("offsite", Day(21));

        for (int n = 1; n <= 2; n++)
        {
            FaultyStore store = await FilledAsync();
            (store.DiesAt, store.Halfway) = (n, halfway);
            await Should.ThrowAsync<KilledException>(() => DrillAsync(store, "no-such-engine"));

            store.KilledIn.ShouldNotBeNull().ShouldContain("drills/");
            (await DrillRecord.ListAsync(stores.Open("offsite"), 5, Cancel)).ShouldBeEmpty();
            stores.Contents("offsite", Day(21)).ShouldBe(snapshot);
            stores.Clock.Now += TimeSpan.FromSeconds(1);
            await DrillAsync(new FaultyStore(stores.Open("offsite"), stores.Clock), "no-such-engine");
            (await DrillRecord.ListAsync(stores.Open("offsite"), 5, Cancel)).Count.ShouldBe(1);
        }
    }

    private async Task<FaultyStore> FilledAsync()
    {
        foreach (string name in (string[])["local", "offsite"])
        {
            stores.Clear(name);
            await Of(Day(21)).PutAsync(stores.Open(name));
        }

        return stores.Faulty("offsite");
    }

    private Task<DrillReport> DrillAsync(FaultyStore store, string engine, TimeProvider? clock = null)
    {
        var config = new DrillConfig
        {
            Scratch = engine,
            Image = "any",
            Rpo = TimeSpan.FromDays(100),
        };
        var drill = new DrillOperation(
            config,
            [Stores.Kept(stores.Open("local")), Stores.Kept(store)],
            Cluster,
            static _ => new NoCipher(),
            clock ?? stores.Clock,
            new Progress()
        );
        return drill.RunAsync(new DrillRequest { Snapshot = SnapshotRef.Latest, From = Stores.Kept(store) }, Cancel);
    }
}
