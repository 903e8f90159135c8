using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Operations.Prune;
using PgBackup.Records;
using PgBackup.Retention;
using PgBackup.Snapshots;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Check;

/// <content>Manifests that differ from their digest, or from that of another store.</content>
public sealed partial class StoresCheckTests
{
    [Theory]
    [InlineData("proof flipped", "its SHA-256 is not the one in manifest.sha256")]
    [InlineData("guide", "it is not the one that the manifest names")]
    [InlineData("manifest's sum", "its SHA-256 is not the one in manifest.sha256: one of the two was changed")]
    public async Task A_store_alone_finds_its_own_record_changed(string damage, string problem)
    {
        Damage("local", damage);

        IReadOnlyList<SnapshotCheck> checks = await Stores.CheckOf(stores.Open("local")).RunAsync(null, CheckDepth.ReadData, Cancel);

        checks.SelectMany(static c => c.Problems).ShouldHaveSingleItem().Problem.ShouldStartWith(problem);
    }

    [Theory]
    [InlineData("INCOMPLETE", true, "the manifest is complete; this mark hides")]
    [InlineData("PROVEN", false, "no drill proves an incomplete snapshot")]
    public async Task A_mark_that_the_manifest_contradicts_is_found_by_a_check_of_the_latest_too(string mark, bool complete, string problem)
    {
        SnapshotSample sample = complete ? Whole : Incomplete;
        await sample.PutAsync(stores.Open("local"), mark, "stray\n"u8.ToArray());
        BackupStore[] alone = [Stores.Kept(stores.Open("local"))];

        CheckReport report = await new StoresCheck(alone, Cluster, stores.Clock, static s => Stores.CheckOf(s)).RunAsync(
            complete ? SnapshotRef.Latest : null,
            CheckDepth.Present,
            Cancel
        );

        report.IsRight.ShouldBeFalse();
        ObjectProblem found = report.Snapshots.Single(c => c.Id == sample.Id.ToString()).Problems.ShouldHaveSingleItem();
        (found.Object, found.Problem[..problem.Length]).ShouldBe((mark, problem));
    }

    [Fact]
    public async Task A_mark_that_the_manifest_contradicts_is_removed_by_a_repair_and_one_that_it_demands_is_written_anew()
    {
        SortedDictionary<string, string> right = stores.Contents("local");
        await Whole.PutAsync(stores.Open("local"), SnapshotLayout.Incomplete, "stray\n"u8.ToArray());
        File.Delete(stores.PathOf("local", Incomplete.Key(SnapshotLayout.Incomplete)));
        File.Delete(stores.PathOf("local", Whole.Key(SnapshotLayout.Sums)));
        BackupStore[] alone = [Stores.Kept(stores.Open("local"))];

        CheckReport report = await new StoresCheck(alone, Cluster, stores.Clock, static s => Stores.CheckOf(s)).RunAsync(
            null,
            CheckDepth.ReadData,
            Cancel
        );
        IReadOnlyList<SnapshotCheck> mended = await new RepairOperation(alone, stores.Clock, new Progress()).RunAsync(
            report.Snapshots,
            "the test",
            Cancel
        );

        mended
            .SelectMany(static c => c.Problems)
            .Select(static p => p.Mended)
            .ShouldBe(["rewritten from the manifest", "removed", "rewritten from the manifest"], ignoreOrder: true);
        stores.Contents("local").ShouldBe(right);
    }

    [Fact]
    public async Task A_digest_of_the_manifest_that_is_far_too_large_ends_no_repair()
    {
        SortedDictionary<string, string> right = stores.Contents("local");
        await Whole.PutAsync(stores.Open("local"), SnapshotLayout.Incomplete, "stray\n"u8.ToArray());
        await Whole.PutAsync(stores.Open("local"), SnapshotLayout.ManifestSum, new byte[2000]);

        IReadOnlyList<SnapshotCheck> mended = await RepairAsync(await CheckAsync());
        await RepairAsync(await CheckAsync());

        mended.SelectMany(static c => c.Problems).Single(static p => p.Object == SnapshotLayout.ManifestSum).RepairedFrom.ShouldNotBeNull();
        stores.Contents("local").ShouldBe(right);
    }

    [Fact]
    public async Task Nothing_goes_because_of_a_mark_that_the_manifest_contradicts()
    {
        SnapshotSample old = await Of(Day(2)).PutAsync(stores.Open("local"));
        await old.PutAsync(stores.Open("local"), SnapshotLayout.Incomplete, "stray\n"u8.ToArray());
        RetentionRules days = new() { All = RetentionLength.Of(1, RetentionUnit.Days) };

        PruneReport report = await new PruneOperation(Stores.Kept(stores.Open("local"), days), stores.Clock, new Progress()).RunAsync(
            dryRun: true,
            unattended: true,
            Cancel
        );

        report.Plan.Kept.Single(d => d.Snapshot.Id == old.Id).Why.ShouldBe("its mark contradicts its manifest");
    }

    [Fact]
    public async Task Marks_of_a_killed_run_and_strangers_in_a_folder_are_notes()
    {
        await Whole.PutAsync(stores.Open("local"), SnapshotLayout.InProgress, "killed\n"u8.ToArray());
        await Whole.PutAsync(stores.Open("local"), "manifest.json~", "{}"u8.ToArray());

        CheckReport report = await CheckAsync();

        report.IsRight.ShouldBeTrue();
        IReadOnlyList<string> notes = report
            .Snapshots.Single(static c => c.Store == "local" && c.Id == Whole.Id.ToString())
            .Findings.Texts();
        notes[0].ShouldStartWith("IN-PROGRESS is beside the manifest");
        notes[1].ShouldBe("not of this snapshot: manifest.json~");
    }

    [Fact]
    public async Task A_pin_that_cannot_be_read_is_told_and_holds()
    {
        await Whole.PutAsync(stores.Open("local"), SnapshotLayout.Pinned, "the audit\n"u8.ToArray());
        faulty["local"].Fail = static call => call == $"open {Whole.Key(SnapshotLayout.Pinned)}" ? Down() : null;

        CheckReport report = await CheckAsync();

        ObjectProblem problem = report.Snapshots.SelectMany(static c => c.Problems).ShouldHaveSingleItem();
        (problem.Object, problem.Problem.StartsWith("why it is pinned cannot be read", StringComparison.Ordinal)).ShouldBe(
            (SnapshotLayout.Pinned, true)
        );
    }

    [Fact]
    public async Task Snapshots_of_earlier_versions_lack_digests_and_are_right()
    {
        foreach (string name in Names)
        {
            stores.Clear(name);
            await Whole.WithoutDigests().PutAsync(stores.Open(name));
            await Incomplete.WithoutDigests().PutAsync(stores.Open(name));
        }

        (await CheckAsync()).IsRight.ShouldBeTrue();
        stores.Cut("local", Whole.Key(SnapshotLayout.Manifest));
        await RepairAsync(await CheckAsync());
        stores.Contents("local").ShouldBe(stores.Contents("s3"));
    }

    [Fact]
    public async Task A_store_that_was_not_checked_and_whose_manifest_is_not_the_one_of_its_digest_mends_nothing()
    {
        stores.Cut("local", Whole.Key(SnapshotLayout.Manifest));
        Damage("offsite", "proof flipped");
        CheckReport report = await new StoresCheck(
            [Stores.Kept(faulty["local"])],
            Cluster,
            stores.Clock,
            static s => Stores.CheckOf(s)
        ).RunAsync(null, CheckDepth.ReadData, Cancel);

        await RepairAsync(report);

        stores.Contents("local").ShouldBe(stores.Contents("s3"));
    }

    [Fact]
    public async Task Two_manifests_that_differ_and_agree_both_with_their_parts_are_reported_and_neither_is_believed()
    {
        Damage("local", "manifest edited");
        BackupStore[] two = [Stores.Kept(faulty["local"]), Stores.Kept(faulty["s3"])];
        SortedDictionary<string, string>[] before = [stores.Contents("local"), stores.Contents("s3")];

        CheckReport report = await new StoresCheck(two, Cluster, stores.Clock, static s => Stores.CheckOf(s)).RunAsync(
            null,
            CheckDepth.ReadData,
            Cancel
        );
        IReadOnlyList<SnapshotCheck> mended = await new RepairOperation(two, stores.Clock, new Progress()).RunAsync(
            report.Snapshots,
            "the test",
            Cancel
        );

        List<ObjectProblem> problems = [.. mended.SelectMany(static c => c.Problems)];
        problems.Count.ShouldBe(2);
        problems.ShouldAllBe(static p =>
            p.Object == SnapshotLayout.Manifest
            && p.Problem.Contains("is not known here")
            && p.RepairedFrom == null
            && p.GoodCopies.Count == 0
        );
        ((SortedDictionary<string, string>[])[stores.Contents("local"), stores.Contents("s3")]).ShouldBe(before);
    }

    [Fact]
    public async Task Of_manifests_that_differ_though_their_parts_agree_with_each_nobody_is_believed_and_nothing_is_changed()
    {
        Damage("local", "manifest edited");
        Dictionary<string, SortedDictionary<string, string>> before = Names.ToDictionary(static n => n, n => stores.Contents(n));

        CheckReport report = await CheckAsync();
        IReadOnlyList<SnapshotCheck> mended = await RepairAsync(report);

        report.IsRight.ShouldBeFalse();
        report.Snapshots.Where(static c => c.Problems.Count > 0).Select(static c => c.Store).ShouldBe(Names, ignoreOrder: true);
        mended
            .SelectMany(static c => c.Problems)
            .ShouldAllBe(static p => p.RepairedFrom == null && p.GoodCopies.Count == 0 && p.Object == SnapshotLayout.Manifest);
        foreach (string name in Names)
        {
            stores.Contents(name).ShouldBe(before[name]);
        }
    }
}
