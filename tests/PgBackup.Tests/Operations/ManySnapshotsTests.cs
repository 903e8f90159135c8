using System.Diagnostics;
using System.Runtime.CompilerServices;
using PgBackup.Operations;
using PgBackup.Operations.Prune;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Tests.Snapshots;

namespace PgBackup.Tests.Operations;

/// <summary>A store that was filled for years: what a night asks of it must not grow with what it holds.</summary>
public sealed class ManySnapshotsTests(ITestOutputHelper output)
{
    private const int Count = 10_000;

    private static readonly DateTimeOffset Now = new(2026, 3, 22, 4, 0, 0, TimeSpan.Zero);
    private static readonly RetentionRules ForEver = new() { All = RetentionLength.Forever };
    private static readonly RetentionRules AllButThree = new() { All = RetentionLength.Of(Count - 3, RetentionUnit.Hours) };

    [Fact]
    public async Task Ten_thousand_snapshots_are_listed_and_planned_in_seconds_and_in_little_memory()
    {
        var store = new GeneratedStore();
        long before = GC.GetAllocatedBytesForCurrentThread();
        long start = Stopwatch.GetTimestamp();

        IReadOnlyList<CatalogEntry> entries = await new Catalog(store, new TestClock(Now)).ListAsync(Cancel);
        TimeSpan listed = Stopwatch.GetElapsedTime(start);
        RetentionPlan plan = RetentionPolicy.Plan(RetentionRules.Default, BackupStore.Facts(entries), Now);

        long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        TimeSpan took = Stopwatch.GetElapsedTime(start);
        output.WriteLine(
            $"listed in {listed.TotalSeconds:0.00} s, planned in {(took - listed).TotalSeconds:0.00} s, {bytes >> 20} MiB allocated, "
                + $"{plan.Kept.Count()} kept"
        );
        (entries.Count, entries.All(static e => e.Objects.Count == 10 && e.IsComplete)).ShouldBe((Count, true));
        plan.Decisions.Count.ShouldBe(Count);
        store.Opened.ShouldBe(0);
        took.ShouldBeLessThan(TimeSpan.FromSeconds(20));
        bytes.ShouldBeLessThan(200L << 20);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task A_dry_run_opens_the_manifests_of_those_that_would_go_and_no_other(int going)
    {
        var store = new GeneratedStore();

        PruneReport report = await PruneAsync(store, going == 0 ? ForEver : AllButThree);

        report.Plan.Removed.Count().ShouldBe(going);
        store.Opened.ShouldBe(going);
    }

    [Fact]
    public async Task A_dry_run_in_which_nearly_all_would_go_takes_seconds_too()
    {
        var store = new GeneratedStore();
        long start = Stopwatch.GetTimestamp();

        PruneReport report = await PruneAsync(store, RetentionRules.Default);

        TimeSpan took = Stopwatch.GetElapsedTime(start);
        output.WriteLine($"{report.Plan.Removed.Count()} of {Count} would go, {took.TotalSeconds:0.00} s");
        store.Opened.ShouldBe(report.Plan.Removed.Count());
        report.Plan.Removed.Count().ShouldBeGreaterThan(9000);
        took.ShouldBeLessThan(TimeSpan.FromSeconds(40));
    }

    private static Task<PruneReport> PruneAsync(IObjectStore store, RetentionRules keep) =>
        new PruneOperation(Stores.Kept(store, keep), new TestClock(Now), new Progress()).RunAsync(dryRun: true, unattended: true, Cancel);

    // One snapshot an hour until now, made as they are asked for.
    private sealed class GeneratedStore : IObjectStore
    {
        private static readonly string[] Marks =
        [
            SnapshotLayout.Manifest,
            SnapshotLayout.ManifestSum,
            SnapshotLayout.Sums,
            SnapshotLayout.Guide,
        ];

        public int Opened { get; private set; }

        public string Name => "many";

        public string Location => "nowhere";

        public async IAsyncEnumerable<StoredObject> ListAsync(string folder, [EnumeratorCancellation] CancellationToken cancel)
        {
            await Task.CompletedTask;
            for (int hour = 0; hour < Count; hour++)
            {
                var id = SnapshotId.At(Now.AddHours(-hour));
                IEnumerable<string> names =
                [
                    .. Marks,
                    SnapshotLayout.GlobalsName(id, ".age"),
                    .. Enumerable.Range(0, 5).Select(n => SnapshotLayout.DatabaseName(id, $"database_{n}", ".age")),
                ];
                foreach (string name in names)
                {
                    yield return new StoredObject
                    {
                        Key = SnapshotLayout.Key(id, name),
                        Size = 1000,
                        Modified = id.Time,
                    };
                }
            }
        }

        public Task<Stream?> TryOpenAsync(string key, CancellationToken cancel)
        {
            key.ShouldEndWith("/" + SnapshotLayout.Manifest);
            Opened++;
            return Task.FromResult<Stream?>(
                new MemoryStream(ManifestSample.Of(SnapshotId.TryParse(key[..key.IndexOf('/')])!.Value, "age").ToJson())
            );
        }

        public Task CheckWritableAsync(CancellationToken cancel) => throw new NotSupportedException();

        public Task<long> PutAsync(string key, Stream content, DateTimeOffset? lockedUntil, CancellationToken cancel) =>
            throw new NotSupportedException();

        public Task<StoredObject?> FindAsync(string key, CancellationToken cancel) => throw new NotSupportedException();

        public Task DeleteAsync(string key, CancellationToken cancel) => throw new NotSupportedException();

        public Task DeleteFolderAsync(string folder, CancellationToken cancel) => throw new NotSupportedException();

        public Task<int> SweepAsync(DateTimeOffset olderThan, CancellationToken cancel) => throw new NotSupportedException();

        public Task<IStoreLock> LockAsync(string holder, CancellationToken cancel) => throw new NotSupportedException();
    }
}
