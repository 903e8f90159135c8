using System.Text;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Storage.Local;
using PgBackup.Tests.Operations;

namespace PgBackup.Tests.Snapshots;

public sealed class CatalogTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 11, 27, 3, 0, 0, TimeSpan.Zero);

    private readonly TestFolder folder = new();
    private readonly TestClock clock = new(Now);
    private readonly IObjectStore store;
    private readonly Catalog catalog;

    public CatalogTests()
    {
        store = new LocalStore("local", folder["store"]);
        catalog = new Catalog(store, clock);
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_store_that_is_there_and_empty_has_no_snapshots()
    {
        await catalog.Store.CheckWritableAsync(Cancel);
        (await catalog.ListAsync(Cancel)).ShouldBeEmpty();
        (await Should.ThrowAsync<PgBackupException>(() => catalog.LatestAsync(Cancel))).Code.ShouldBe(ErrorCode.SnapshotMissing);
    }

    [Fact]
    public async Task A_manifest_that_is_a_pipe_is_unreadable_and_is_not_waited_for()
    {
        string snapshot = Path.Combine(catalog.Store.Location, "20260301T030000Z");
        Directory.CreateDirectory(snapshot);
        await PgBackup.Tools.ToolProcess.ReadAsync(
            new PgBackup.Tools.ToolCommand("mkfifo", Path.Combine(snapshot, SnapshotLayout.Manifest)),
            Cancel
        );

        CatalogEntry entry = (await catalog.ListAsync(Cancel)).ShouldHaveSingleItem();

        (Manifest? manifest, PgBackupException? error) = await catalog.TryReadManifestAsync(entry, Cancel);
        manifest.ShouldBeNull();
        error.ShouldNotBeNull().Message.ShouldContain("not a regular file");
    }

    [Fact]
    public async Task A_store_that_is_not_there_is_no_empty_store() =>
        (await Should.ThrowAsync<PgBackupException>(() => catalog.ListAsync(Cancel))).Code.ShouldBe(ErrorCode.StoreUnavailable);

    [Fact]
    public async Task Snapshots_are_listed_oldest_first_with_their_objects()
    {
        await PutAsync(ManifestSample.Of(Id(2)));
        await PutAsync(ManifestSample.Of(Id(1)));
        await PutAsync(Id(1), "RESTORE.md", "how to");

        IReadOnlyList<CatalogEntry> entries = await catalog.ListAsync(Cancel);

        entries.Select(static e => e.Id).ShouldBe([Id(1), Id(2)]);
        entries.ShouldAllBe(static e => e.HasManifest && e.IsComplete && !e.IsLeftover);
        entries[0].Objects.Keys.Order(StringComparer.Ordinal).ShouldBe(["RESTORE.md", "manifest.json"]);
        entries[0].Objects["RESTORE.md"].ShouldBe(6);
    }

    [Fact]
    public async Task Other_folders_and_files_are_no_snapshots()
    {
        await store.PutAsync("drills/x.json", new MemoryStream([1]), Cancel);
        await store.PutAsync("keys/tested-x-20260301T030000Z.json", new MemoryStream([1]), Cancel);
        await store.PutAsync("20260301/20260301-olympus.dump", new MemoryStream([1]), Cancel);

        (await catalog.ListAsync(Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_rest_of_a_killed_run_is_never_a_snapshot()
    {
        await PutAsync(ManifestSample.Of(Id(1)));
        await PutAsync(Id(2), SnapshotLayout.InProgress, "");
        await PutAsync(Id(2), "20260302T030000Z-olympus.dump.gpg", "half a night");
        Directory.CreateDirectory(folder["store/20260303T030000Z"]); // empty: no object, and nothing in a listing

        IReadOnlyList<CatalogEntry> entries = await catalog.ListAsync(Cancel);

        entries.Select(static e => (e.IsLeftover, e.HasManifest)).ShouldBe([(false, true), (true, false)]);
        (await catalog.LatestAsync(Cancel)).Id.ShouldBe(Id(1));
        (await catalog.FindAsync(SnapshotRef.Latest, Cancel)).Id.ShouldBe(Id(1));
        await MissingAsync(Id(2));
        await MissingAsync(Id(3));
    }

    [Fact]
    public async Task Objects_that_lost_their_manifest_are_no_snapshot_but_nobodys_leftover_either()
    {
        await PutAsync(Id(1), "20260301T030000Z-olympus.dump.gpg", "somebody removed the manifest");

        CatalogEntry entry = (await catalog.ListAsync(Cancel)).ShouldHaveSingleItem();

        (entry.HasManifest, entry.IsLeftover).ShouldBe((false, false));
        await MissingAsync(Id(1));
    }

    [Fact]
    public async Task A_snapshot_with_a_manifest_is_one_though_its_run_was_killed_right_after()
    {
        await PutAsync(ManifestSample.Of(Id(1)));
        await PutAsync(Id(1), SnapshotLayout.InProgress, "");

        (await catalog.ListAsync(Cancel)).Single().IsLeftover.ShouldBeFalse();
        (await catalog.LatestAsync(Cancel)).Id.ShouldBe(Id(1));
    }

    [Fact]
    public async Task The_manifest_of_another_snapshot_is_refused()
    {
        await PutAsync(Id(1), SnapshotLayout.Manifest, Encoding.UTF8.GetString(ManifestSample.Of(Id(2)).ToJson()));

        CatalogEntry entry = (await catalog.ListAsync(Cancel)).Single();

        entry.IsLeftover.ShouldBeFalse();
        PgBackupException error = (await catalog.TryReadManifestAsync(entry, Cancel)).Error.ShouldNotBeNull();
        error.Code.ShouldBe(ErrorCode.ManifestUnreadable);
        error.Message.ShouldContain("is that of another snapshot (20260302T030000Z)");
        (await Should.ThrowAsync<PgBackupException>(() => catalog.FindAsync(SnapshotRef.Of(Id(1)), Cancel))).Code.ShouldBe(
            ErrorCode.ManifestUnreadable
        );
    }

    [Fact]
    public async Task A_manifest_that_cannot_be_read_does_not_hide_the_others()
    {
        await PutAsync(ManifestSample.Of(Id(1)));
        await PutAsync(Id(2), SnapshotLayout.Manifest, "{");
        await PutAsync(Id(3), SnapshotLayout.Manifest, "{\"format\": 7}");

        List<ErrorCode?> errors = [];
        foreach (CatalogEntry entry in await catalog.ListAsync(Cancel))
        {
            errors.Add((await catalog.TryReadManifestAsync(entry, Cancel)).Error?.Code);
        }

        errors.ShouldBe([null, ErrorCode.ManifestUnreadable, ErrorCode.ManifestTooNew]);
        (await catalog.LatestAsync(Cancel)).Id.ShouldBe(Id(1));
        (await Should.ThrowAsync<PgBackupException>(() => catalog.FindAsync(SnapshotRef.Of(Id(3)), Cancel))).Code.ShouldBe(
            ErrorCode.ManifestTooNew
        );
    }

    [Fact]
    public async Task Latest_is_the_newest_complete_one()
    {
        await PutAsync(ManifestSample.Of(Id(1)));
        await PutAsync(ManifestSample.Of(Id(2)));
        await PutAsync(ManifestSample.Incomplete(Id(3)));
        await PutAsync(ManifestSample.Of(Id(4)) with { LeftOut = ["olympus"] });

        (await catalog.LatestAsync(Cancel)).Id.ShouldBe(Id(2));
        (await catalog.FindAsync(SnapshotRef.Of(Id(3)), Cancel)).Manifest.Failures.Count.ShouldBe(1);
    }

    [Fact]
    public async Task The_one_before_another_is_the_newest_older_one_that_is_complete_and_can_be_read()
    {
        await PutAsync(ManifestSample.Of(Id(1)));
        await PutAsync(ManifestSample.Of(Id(2)));
        await PutAsync(ManifestSample.Incomplete(Id(3)));
        await PutAsync(Id(4), SnapshotLayout.Manifest, "{");
        await PutAsync(ManifestSample.Of(Id(5)));

        (await catalog.BeforeAsync(Id(5), Cancel))?.Id.ShouldBe(Id(2));
        (await catalog.BeforeAsync(Id(2), Cancel))?.Id.ShouldBe(Id(1));
        (await catalog.BeforeAsync(Id(1), Cancel)).ShouldBeNull();
    }

    [Fact]
    public async Task A_snapshot_from_the_future_is_the_latest_only_when_there_is_no_other()
    {
        var future = SnapshotId.At(Now.AddMinutes(16));
        await PutAsync(ManifestSample.Of(future));
        (await catalog.LatestAsync(Cancel)).Id.ShouldBe(future);

        await PutAsync(ManifestSample.Of(SnapshotId.At(Now.AddDays(-1))));
        (await catalog.LatestAsync(Cancel)).Id.ShouldNotBe(future);
        clock.Now = Now.AddMinutes(1);
        (await catalog.LatestAsync(Cancel)).Id.ShouldBe(future);
    }

    [Fact]
    public async Task When_there_are_only_incomplete_ones_latest_says_how_to_name_them()
    {
        await PutAsync(ManifestSample.Incomplete(Id(3)));

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => catalog.FindAsync(SnapshotRef.Latest, Cancel));

        error.Code.ShouldBe(ErrorCode.SnapshotMissing);
        error.Message.ShouldContain("has no complete snapshot");
        error.Remedy.ShouldNotBeNull().ShouldContain("olympus-pgbackup list");
    }

    [Theory]
    [InlineData("previous")]
    [InlineData("live")]
    public async Task A_word_that_only_a_comparison_takes_is_wrong_usage(string word)
    {
        await PutAsync(ManifestSample.Of(Id(1)));

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => catalog.FindAsync(SnapshotRef.ParseSide(word), Cancel));

        (error.Code, error.Message).ShouldBe((ErrorCode.Usage, $"\"{word}\" is not a snapshot id."));
    }

    [Fact]
    public async Task A_listing_alone_tells_complete_pinned_and_proven_snapshots_and_their_sizes()
    {
        foreach (int day in (int[])[1, 2, 3])
        {
            await PutAsync(ManifestSample.Of(Id(day)));
            await PutAsync(Id(day), $"{Id(day)}-olympus.dump.gpg", "dump");
        }

        await PutAsync(Id(1), SnapshotLayout.Pinned, "before the migration");
        await PutAsync(Id(2), SnapshotLayout.Proven, "");
        await PutAsync(Id(3), SnapshotLayout.Proven, "");
        await PutAsync(Id(3), SnapshotLayout.Incomplete, "failed: iam_hydra (PGB-0021)\n");

        IReadOnlyList<CatalogEntry> entries = await catalog.ListAsync(Cancel);

        entries
            .Select(static e => (e.IsComplete, e.IsPinned, e.IsProven))
            .ShouldBe([(true, true, false), (true, false, true), (false, false, false)]);
        entries.ShouldAllBe(static e => e.Databases == 1);
        entries[1].Bytes.ShouldBe(4 + ManifestSample.Of(Id(2)).ToJson().Length);
    }

    [Fact]
    public async Task A_snapshot_that_is_unpinned_while_its_pin_is_read_is_not_pinned()
    {
        await PutAsync(Id(1), SnapshotLayout.Pinned, "before the migration");
        string pin = SnapshotLayout.Key(Id(1), SnapshotLayout.Pinned);
        var faulty = new FaultyStore((LocalStore)store, new TestClock(Id(1).Time))
        {
            Block = async (call, cancel) =>
            {
                if (call == $"open {pin}")
                {
                    await store.DeleteAsync(pin, cancel);
                }
            },
        };

        (await new Catalog(faulty, clock).ReadPinAsync(Id(1), Cancel)).ShouldBeNull();
    }

    [Fact]
    public async Task A_manifest_sum_that_is_far_too_large_is_damage_and_not_read_whole()
    {
        await PutAsync(ManifestSample.Of(Id(1)));
        await PutAsync(Id(1), SnapshotLayout.ManifestSum, new string('0', 2000));

        (_, PgBackupException? error) = await catalog.TryReadSealedAsync((await catalog.ListAsync(Cancel))[0], Cancel);

        error.ShouldNotBeNull().Code.ShouldBe(ErrorCode.ObjectDamaged);
        error.Message.ShouldEndWith("manifest.sha256 in the store local is larger than 1.0 kB, and no such object is.");
    }

    [Fact]
    public async Task A_removed_snapshot_is_gone_with_all_of_its_objects()
    {
        await PutAsync(ManifestSample.Of(Id(1)));
        await PutAsync(Id(1), "RESTORE.md", "how to");
        await PutAsync(ManifestSample.Of(Id(2)));

        await catalog.RemoveAsync((await catalog.ListAsync(Cancel))[0], Cancel);

        (await catalog.ListAsync(Cancel)).ShouldHaveSingleItem().Id.ShouldBe(Id(2));
        Directory.Exists(folder[$"store/{Id(1)}"]).ShouldBeFalse();
    }

    [Fact]
    public async Task A_store_of_another_cluster_is_refused()
    {
        await PutAsync(ManifestSample.Of(Id(1)));
        IReadOnlyList<CatalogEntry> entries = await catalog.ListAsync(Cancel);

        (await catalog.RequireClusterAsync(ManifestSample.Of(Id(1)).Cluster, entries, Cancel)).ShouldNotBeNull();
        (await Should.ThrowAsync<PgBackupException>(() => catalog.RequireClusterAsync("another", entries, Cancel))).Code.ShouldBe(
            ErrorCode.StoreOfAnotherCluster
        );
    }

    private static SnapshotId Id(int day) => SnapshotId.At(new DateTimeOffset(2026, 3, day, 3, 0, 0, TimeSpan.Zero));

    private Task PutAsync(Manifest manifest) =>
        store.PutAsync($"{manifest.Id}/{SnapshotLayout.Manifest}", new MemoryStream(manifest.ToJson()), Cancel);

    private Task PutAsync(SnapshotId id, string name, string text) =>
        store.PutAsync(SnapshotLayout.Key(id, name), new MemoryStream(Encoding.UTF8.GetBytes(text)), Cancel);

    private async Task MissingAsync(SnapshotId id) =>
        (await Should.ThrowAsync<PgBackupException>(() => catalog.FindAsync(SnapshotRef.Of(id), Cancel))).Code.ShouldBe(
            ErrorCode.SnapshotMissing
        );
}
