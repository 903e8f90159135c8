using System.Text;
using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Proofs;
using PgBackup.Records;
using PgBackup.Retention;
using PgBackup.Snapshots;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Check;

/// <summary>Three stores with the same two snapshots, one of them incomplete; one store is damaged, found out, and mended.</summary>
public sealed partial class StoresCheckTests : IAsyncLifetime, IDisposable
{
    private static readonly string[] Names = ["local", "offsite", "s3"];
    private static readonly SnapshotSample Whole = Of(Day(22));
    private static readonly SnapshotSample Incomplete = Of(Day(21), complete: false);

    private readonly Stores stores = new();
    private readonly Dictionary<string, FaultyStore> faulty = [];
    private readonly Dictionary<string, RetentionRules> keep = [];
    private readonly List<string> log = [];

    public async ValueTask InitializeAsync()
    {
        foreach (string name in Names)
        {
            faulty[name] = stores.Faulty(name);
            await Whole.PutAsync(stores.Open(name));
            await Incomplete.PutAsync(stores.Open(name));
        }
    }

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task Stores_that_are_whole_and_level_are_right_at_every_depth()
    {
        foreach (CheckDepth depth in (CheckDepth[])[CheckDepth.Present, CheckDepth.ReadData])
        {
            CheckReport report = await CheckAsync(depth: depth);
            report.IsRight.ShouldBeTrue();
            report
                .Snapshots.Select(static c => (c.Id, c.Store))
                .ShouldBe([
                    .. ((SnapshotSample[])[Incomplete, Whole]).SelectMany(static s => Names.Select(name => (s.Id.ToString(), name))),
                ]);
        }
    }

    [Theory]
    [InlineData("flip")]
    [InlineData("cut")]
    [InlineData("delete")]
    [InlineData("grow")]
    [InlineData("swap")]
    [InlineData("sums")]
    [InlineData("sums missing")]
    [InlineData("guide missing")]
    [InlineData("manifest cut")]
    [InlineData("manifest empty")]
    [InlineData("manifest of another")]
    [InlineData("manifest missing")]
    [InlineData("manifest with another digest")]
    [InlineData("proof flipped")]
    [InlineData("guide")]
    [InlineData("manifest's sum")]
    [InlineData("manifest's sum cut")]
    [InlineData("manifest's sum missing")]
    [InlineData("unmarked")]
    public async Task Damage_in_one_store_is_named_with_the_stores_that_have_a_good_copy_and_mended_from_them(string damage)
    {
        foreach (string at in Names)
        {
            SortedDictionary<string, string> right = stores.Contents(at);
            string[] objects = Damage(at, damage);

            CheckReport report = await CheckAsync();

            report.IsRight.ShouldBeFalse();
            List<SnapshotCheck> wrong = [.. report.Snapshots.Where(static c => c.Problems.Count > 0)];
            SnapshotCheck check = wrong.ShouldHaveSingleItem();
            (check.Store, check.Id).ShouldBe((at, (damage == "unmarked" ? Incomplete : Whole).Id.ToString()));
            check.Problems.Select(static p => p.Object).ShouldBe(objects, ignoreOrder: true);
            check.Problems.ShouldAllBe(p => p.GoodCopies.SequenceEqual(Names.Where(n => n != at)));

            IReadOnlyList<SnapshotCheck> mended = await RepairAsync(report);

            mended.Sum(static c => c.Problems.Count(static p => p.RepairedFrom is not null)).ShouldBe(objects.Length);
            mended.SelectMany(static c => c.Problems).ShouldAllBe(p => p.RepairedFrom == Names.First(n => n != at));
            stores.Contents(at).ShouldBe(right);
            (await CheckAsync()).IsRight.ShouldBeTrue();
        }
    }

    [Fact]
    public async Task An_empty_primary_beside_replicas_that_hold_snapshots_is_told()
    {
        Directory.Delete(stores.Open("local").Location, recursive: true);
        Directory.CreateDirectory(stores.Open("local").Location);

        CheckReport report = await CheckAsync();

        report.IsRight.ShouldBeFalse();
        report.Gaps.ShouldHaveSingleItem().Problem.ShouldNotBeNull().Line.ShouldContain("it holds no snapshot at all");
    }

    [Theory]
    [InlineData("flip")]
    [InlineData("manifest cut")]
    [InlineData("manifest missing")]
    public async Task Latest_is_of_each_store_its_newest_one_and_damage_does_not_make_an_older_one_the_newest(string damage)
    {
        foreach (string name in Names)
        {
            await Of(Day(20)).PutAsync(stores.Open(name));
        }

        Damage("local", damage);

        CheckReport report = await CheckAsync(SnapshotRef.Latest);

        report.IsRight.ShouldBeFalse();
        report.Snapshots.ShouldAllBe(static c => c.Id == Whole.Id.ToString());
        report.Snapshots.Single(static c => c.Problems.Count > 0).Store.ShouldBe("local");
    }

    [Fact]
    public async Task Latest_of_a_store_that_lags_behind_is_an_older_one_and_the_newer_one_is_a_gap()
    {
        await Of(Day(20)).PutAsync(stores.Open("offsite"));
        Directory.Delete(stores.PathOf("offsite", Whole.Id.ToString()), recursive: true);

        CheckReport report = await CheckAsync(SnapshotRef.Latest);

        report
            .Snapshots.Select(static c => (c.Store, c.Id))
            .ShouldBe([("offsite", Day(20).ToString()), ("local", Day(22).ToString()), ("s3", Day(22).ToString())]);
        report.Gaps.ShouldHaveSingleItem().Missing.ShouldBe([Whole.Id.ToString()]);
        report.IsRight.ShouldBeFalse();
    }

    [Fact]
    public async Task A_store_that_lacks_what_the_primary_has_and_its_rules_would_keep_is_a_gap_and_what_they_would_not_keep_is_none()
    {
        await Of(Day(2)).PutAsync(stores.Open("local"));
        await Of(Day(3)).PutAsync(stores.Open("s3"));
        keep["s3"] = new RetentionRules { All = RetentionLength.Of(3, RetentionUnit.Days) };
        Directory.Delete(stores.PathOf("s3", Incomplete.Id.ToString()), recursive: true);

        CheckReport report = await CheckAsync();

        report
            .Gaps.Select(static g => (g.Store, string.Join(' ', g.Missing), g.Problem?.Line))
            .ShouldBe([("offsite", Day(2).ToString(), null), ("s3", Incomplete.Id.ToString(), null)]);
        (await CheckAsync(SnapshotRef.Of(Whole.Id))).Gaps.ShouldBeEmpty();
        (await CheckAsync(SnapshotRef.Of(Day(2)))).Gaps.Select(static g => g.Store).ShouldBe(["offsite"]);
        (await CheckAsync(SnapshotRef.Of(Incomplete.Id))).Gaps.ShouldHaveSingleItem().Missing.ShouldBe([Incomplete.Id.ToString()]);
    }

    [Fact]
    public async Task What_only_a_replica_has_is_told_and_is_no_failure_since_no_run_copies_it()
    {
        await Of(Day(2)).PutAsync(stores.Open("s3"));
        await Of(Day(3)).PutAsync(stores.Open("s3"));
        keep["local"] = new RetentionRules { All = RetentionLength.Of(20, RetentionUnit.Days) };

        CheckReport report = await CheckAsync();

        report.IsRight.ShouldBeTrue();
        report
            .OnlyInReplicas.Select(static g => (g.Store, string.Join(' ', g.Missing)))
            .ShouldBe([("local", Day(3).ToString()), ("offsite", $"{Day(2)} {Day(3)}")]);
        (await CheckAsync(SnapshotRef.Of(Day(2)))).OnlyInReplicas.Select(static g => g.Store).ShouldBe(["offsite"]);

        faulty["local"].Fail = static _ => Down();
        (await CheckAsync()).OnlyInReplicas.ShouldBeEmpty("nobody knows what the primary has");
    }

    [Fact]
    public async Task A_store_that_cannot_be_read_is_a_gap_with_its_reason_and_the_others_are_checked()
    {
        faulty["offsite"].Fail = static _ => Down();
        Damage("s3", "flip");

        CheckReport report = await CheckAsync();

        StoreGap gap = report.Gaps.ShouldHaveSingleItem();
        (gap.Store, gap.Problem?.Line).ShouldBe(("offsite", "PGB-0060: no route to host. Plug it in"));
        report.Snapshots.Single(static c => c.Problems.Count > 0).Problems[0].GoodCopies.ShouldBe(["local"]);
        (await RepairAsync(report)).SelectMany(static c => c.Problems).ShouldHaveSingleItem().RepairedFrom.ShouldBe("local");

        foreach (FaultyStore store in faulty.Values)
        {
            store.Fail = static _ => Down();
        }

        (await Should.ThrowAsync<PgBackupException>(() => CheckAsync())).Code.ShouldBe(ErrorCode.StoreUnavailable);
    }

    [Fact]
    public async Task A_store_of_another_cluster_is_a_gap_too()
    {
        await Of(Day(23)).PutAsync(stores.Open("s3"), SnapshotLayout.Manifest, (Of(Day(23)).Manifest with { Cluster = "delphi" }).ToJson());

        (await CheckAsync()).Gaps.Single(static g => g.Store == "s3").Problem.ShouldNotBeNull().Line.ShouldStartWith("PGB-0061: ");
    }

    [Fact]
    public async Task An_id_that_no_store_has_is_an_error() =>
        (await Should.ThrowAsync<PgBackupException>(() => CheckAsync(SnapshotRef.Of(Day(1))))).Code.ShouldBe(ErrorCode.SnapshotMissing);

    [Fact]
    public async Task A_manifest_on_a_bad_sector_is_one_finding_and_the_rest_of_the_store_is_checked()
    {
        faulty["local"].Fail = static call => call == $"open {Incomplete.Key(SnapshotLayout.Manifest)}" ? Down() : null;

        CheckReport report = await new StoresCheck(
            [Stores.Kept(faulty["s3"]), Stores.Kept(faulty["local"])],
            Cluster,
            stores.Clock,
            static s => Stores.CheckOf(s)
        ).RunAsync(null, CheckDepth.ReadData, Cancel);

        report.Gaps.ShouldBeEmpty();
        report.Snapshots.Count.ShouldBe(4);
        SnapshotCheck check = report.Snapshots.Single(static c => c.Problems.Count > 0);
        (check.Store, check.Problems[0].Object, check.Problems[0].GoodCopies.Single()).ShouldBe(("local", SnapshotLayout.Manifest, "s3"));
    }

    private static PgBackupException Down() => new(ErrorCode.StoreUnavailable, "no route to host", "Plug it in.");

    // Returns the objects that are to be named.
    private string[] Damage(string at, string damage)
    {
        string Path(int part) => stores.PathOf(at, Whole.PartKey(part));
        string manifest = stores.PathOf(at, Whole.Key(SnapshotLayout.Manifest));
        string first = Whole.Manifest.Parts[1].Object;
        switch (damage)
        {
            case "flip":
                stores.Flip(at, Whole.PartKey(1));
                return [first];
            case "cut":
                stores.Cut(at, Whole.PartKey(1));
                return [first];
            case "delete":
                File.Delete(Path(1));
                return [first];
            case "grow":
                File.AppendAllText(Path(1), "x");
                return [first];
            case "swap":
                File.Move(Path(1), Path(1) + "-");
                File.Move(Path(2), Path(1));
                File.Move(Path(1) + "-", Path(2));
                return [first, Whole.Manifest.Parts[2].Object];
            case "sums":
                stores.Flip(at, Whole.Key(SnapshotLayout.Sums));
                return [SnapshotLayout.Sums];
            case "sums missing":
                File.Delete(stores.PathOf(at, Whole.Key(SnapshotLayout.Sums)));
                return [SnapshotLayout.Sums];
            case "guide missing":
                File.Delete(stores.PathOf(at, Whole.Key(SnapshotLayout.Guide)));
                return [SnapshotLayout.Guide];
            case "manifest cut":
                stores.Cut(at, Whole.Key(SnapshotLayout.Manifest));
                return [SnapshotLayout.Manifest];
            case "manifest empty":
                File.WriteAllBytes(manifest, []);
                return [SnapshotLayout.Manifest];
            case "manifest of another":
                File.Copy(stores.PathOf(at, Incomplete.Key(SnapshotLayout.Manifest)), manifest, overwrite: true);
                return [SnapshotLayout.Manifest];
            case "manifest missing":
                File.Delete(manifest);
                return [SnapshotLayout.Manifest];
            case "manifest edited":
                byte[] edited = (Whole.Manifest with { ServerVersion = "17.3" }).ToJson();
                File.WriteAllBytes(manifest, edited);
                File.WriteAllBytes(stores.PathOf(at, Whole.Key(SnapshotLayout.ManifestSum)), ManifestSum.Of(edited));
                return [SnapshotLayout.Manifest];
            case "proof flipped":
                // A digit in a proof: JSON as before, of which nothing else tells.
                Proof proof = Whole.Manifest.Parts[1].Proof;
                Part another = Whole.Manifest.Parts[1] with { Proof = proof with { DumpMajor = proof.DumpMajor + 1 } };
                File.WriteAllBytes(
                    manifest,
                    (Whole.Manifest with { Parts = [Whole.Manifest.Parts[0], another, .. Whole.Manifest.Parts.Skip(2)] }).ToJson()
                );
                return [SnapshotLayout.Manifest];
            case "guide":
                stores.Flip(at, Whole.Key(SnapshotLayout.Guide));
                return [SnapshotLayout.Guide];
            case "manifest's sum":
                File.WriteAllBytes(stores.PathOf(at, Whole.Key(SnapshotLayout.ManifestSum)), ManifestSum.Of("another"u8));
                return [SnapshotLayout.ManifestSum];
            case "manifest's sum cut":
                stores.Cut(at, Whole.Key(SnapshotLayout.ManifestSum));
                return [SnapshotLayout.ManifestSum];
            case "manifest's sum missing":
                File.Delete(stores.PathOf(at, Whole.Key(SnapshotLayout.ManifestSum)));
                return [SnapshotLayout.ManifestSum];
            case "manifest with another digest":
                File.WriteAllText(
                    manifest,
                    Encoding
                        .UTF8.GetString(Whole.Manifest.ToJson())
                        .Replace($"\"{Whole.Manifest.Parts[1].Sha256}", $"\"{new string('0', 64)}", StringComparison.Ordinal)
                );
                return [SnapshotLayout.Manifest, first];
            default:
                File.Delete(stores.PathOf(at, Incomplete.Key(SnapshotLayout.Incomplete)));
                return [SnapshotLayout.Incomplete];
        }
    }

    private BackupStore[] All => [.. Names.Select(name => Stores.Kept(faulty[name], keep.GetValueOrDefault(name)))];

    private Task<CheckReport> CheckAsync(SnapshotRef? wanted = null, CheckDepth depth = CheckDepth.ReadData) =>
        new StoresCheck(All, Cluster, stores.Clock, static s => Stores.CheckOf(s)).RunAsync(wanted, depth, Cancel);

    private Task<IReadOnlyList<SnapshotCheck>> RepairAsync(CheckReport report) =>
        new RepairOperation(All, stores.Clock, new Progress { Said = step => log.Add(step.Text) }).RunAsync(
            report.Snapshots,
            "the test",
            Cancel
        );
}
