using PgBackup.Operations;
using PgBackup.Operations.Replicate;
using PgBackup.Snapshots;
using PgBackup.Streams;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Replicate;

/// <summary>A manifest that somebody edited in the first store, when a store that is new is filled from there.</summary>
public sealed class ManifestWitnessTests : IDisposable
{
    private readonly Stores stores = new();

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task An_edited_manifest_is_not_copied_on_when_another_store_has_the_original()
    {
        await FillAsync("local", "offsite");
        await EditAsync("local", forge: true);

        ReplicaReport report = await RunAsync();

        report.Copied.ShouldBe([Day(22).ToString(), Day(20).ToString()]);
        report.Lacks.ShouldBe([Day(21).ToString()]);
        report.Code.ShouldBe("PGB-0065");
        report.Problem.ShouldNotBeNull().ShouldContain("its manifests in local and offsite differ");
        stores.Contents("s3", Day(21)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_manifest_that_is_not_the_one_of_its_digest_is_not_copied_on()
    {
        await FillAsync("local", "offsite");
        await EditAsync("local", forge: false);

        ReplicaReport report = await RunAsync();

        (report.Code, report.Lacks.Single()).ShouldBe(("PGB-0065", Day(21).ToString()));
        report.Problem.ShouldNotBeNull().ShouldContain("is not the one that manifest.sha256 beside it names");
        stores.Contents("s3", Day(21)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_damaged_text_is_written_anew_and_keeps_no_snapshot_from_being_copied()
    {
        await FillAsync("local", "offsite");
        stores.Flip("local", Of(Day(21)).Key(SnapshotLayout.Guide));
        stores.Flip("local", Of(Day(21)).Key(SnapshotLayout.Sums));

        (await RunAsync()).Code.ShouldBeNull();

        stores.Contents("s3", Day(21)).ShouldBe(stores.Contents("offsite", Day(21)));
    }

    [Fact]
    public async Task A_mark_whose_text_cannot_be_read_keeps_no_snapshot_from_being_copied()
    {
        FaultyStore local = stores.Faulty("local");
        await Of(Day(21)).PutAsync(stores.Open("local"), pin: "the audit");
        local.Fail = static call =>
            call == $"open {Of(Day(21)).Key(SnapshotLayout.Pinned)}"
                ? new PgBackupException(ErrorCode.StoreUnavailable, "Input/output error")
                : null;
        BackupStore s3 = Stores.Kept(stores.Open("s3"));
        await using Replica replica = Replica.Start(
            [Stores.Kept(local), s3],
            s3,
            Cluster,
            "the test",
            stores.Clock,
            new Progress(),
            Cancel
        );

        (await replica.CatchUpAsync(null, Cancel)).Code.ShouldBeNull();

        (await new Catalog(stores.Open("s3"), stores.Clock).ReadPinAsync(Day(21), Cancel)).ShouldBe(
            "the reason could not be read when it was copied"
        );
    }

    [Fact]
    public async Task A_snapshot_that_is_unpinned_while_it_is_copied_is_copied_without_its_pin()
    {
        string pin = Of(Day(21)).Key(SnapshotLayout.Pinned);
        FaultyStore local = stores.Faulty("local");
        await Of(Day(21)).PutAsync(stores.Open("local"), pin: "the audit");
        local.Block = (call, _) =>
        {
            if (call == $"open {pin}")
            {
                File.Delete(stores.PathOf("local", pin));
            }

            return Task.CompletedTask;
        };

        (await CopyAsync(local, [])).Code.ShouldBeNull();

        (await new Catalog(stores.Open("s3"), stores.Clock).ListAsync(Cancel)).ShouldHaveSingleItem().IsPinned.ShouldBeFalse();
    }

    [Theory]
    [InlineData(SnapshotLayout.Pinned)]
    [InlineData(SnapshotLayout.Sums)]
    [InlineData(SnapshotLayout.Guide)]
    [InlineData("NOTES")]
    public async Task A_text_that_breaks_off_while_it_is_read_is_named_and_keeps_no_snapshot_from_being_copied(string name)
    {
        FaultyStore local = stores.Faulty("local");
        await Of(Day(21)).PutAsync(stores.Open("local"), pin: "the audit");
        await Of(Day(21)).PutAsync(stores.Open("local"), "NOTES", [1, 2, 3]);
        local.Through = (key, content) => key == Of(Day(21)).Key(name) ? new FailingStream(content) : content;
        List<string> told = [];

        ReplicaReport report = await CopyAsync(local, told);

        report.Code.ShouldBeNull();
        told.ShouldContain(line => line.Contains($"{Day(21)}/{name}") && line.Contains("Input/output error"));
        IReadOnlyDictionary<string, long> there = (await new Catalog(stores.Open("s3"), stores.Clock).ListAsync(Cancel)).Single().Objects;
        there.ContainsKey(SnapshotLayout.Manifest).ShouldBeTrue();
        there.ContainsKey(name).ShouldBe(name != "NOTES", "what can be written from the manifest is");
    }

    [Fact]
    public async Task A_text_without_an_end_is_not_read_for_ever()
    {
        FaultyStore local = stores.Faulty("local");
        await Of(Day(21)).PutAsync(stores.Open("local"), pin: "the audit");
        local.Through = (key, content) => key == Of(Day(21)).Key(SnapshotLayout.Pinned) ? new EndlessStream() : content;
        List<string> told = [];

        (await CopyAsync(local, told)).Code.ShouldBeNull();

        told.ShouldContain(line => line.Contains("/PINNED in the store local is larger than 16.8 MB"));
        (await new Catalog(stores.Open("s3"), stores.Clock).ReadPinAsync(Day(21), Cancel)).ShouldBe(
            "the reason could not be read when it was copied"
        );
    }

    [Fact]
    public async Task A_store_that_is_down_or_whose_copy_is_unreadable_is_no_witness()
    {
        await FillAsync("local", "offsite");
        await File.WriteAllTextAsync(stores.PathOf("offsite", Of(Day(21)).Key(SnapshotLayout.Manifest)), "{", Cancel);
        stores.Clear("offsite-2");

        ReplicaReport report = await RunAsync();

        report.Copied.Count.ShouldBe(3);
        report.Code.ShouldBeNull();
    }

    private async Task EditAsync(string name, bool forge)
    {
        string manifest = stores.PathOf(name, Of(Day(21)).Key(SnapshotLayout.Manifest));
        await File.AppendAllTextAsync(manifest, "\n", Cancel);
        if (forge)
        {
            await File.WriteAllBytesAsync(
                stores.PathOf(name, Of(Day(21)).Key(SnapshotLayout.ManifestSum)),
                ManifestSum.Of(await File.ReadAllBytesAsync(manifest, Cancel)),
                Cancel
            );
        }
    }

    private async Task FillAsync(params string[] names)
    {
        foreach (string name in names)
        {
            foreach (int day in (int[])[20, 21, 22])
            {
                await Of(Day(day)).PutAsync(stores.Open(name));
            }
        }
    }

    private async Task<ReplicaReport> RunAsync()
    {
        BackupStore fresh = Stores.Kept(stores.Open("s3"));
        BackupStore[] all =
        [
            Stores.Kept(stores.Open("local")),
            Stores.Kept(stores.Open("offsite")),
            Stores.Kept(new PgBackup.Storage.Local.LocalStore("offsite-2", stores.Folder["offsite-2"])),
            fresh,
        ];
        await using Replica replica = Replica.Start(all, fresh, Cluster, "the test", stores.Clock, new Progress(), Cancel);
        return await replica.CatchUpAsync(Day(22), Cancel);
    }

    private async Task<ReplicaReport> CopyAsync(FaultyStore local, List<string> told)
    {
        BackupStore s3 = Stores.Kept(stores.Open("s3"));
        await using Replica replica = Replica.Start(
            [Stores.Kept(local), s3],
            s3,
            Cluster,
            "the test",
            stores.Clock,
            new Progress { Said = step => told.Add(step.Text) },
            Cancel
        );
        return await replica.CatchUpAsync(null, Cancel);
    }

    // As a bad sector behind the first bytes.
    private sealed class FailingStream(Stream content) : ForwardStream
    {
        private bool given;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int count = given
                ? throw new PgBackupException(ErrorCode.StoreUnavailable, "Input/output error")
                : await content.ReadAsync(buffer[..1], cancellationToken);
            given = true;
            return count;
        }

        protected override ValueTask DisposeOnceAsync() => content.DisposeAsync();
    }

    private sealed class EndlessStream : ForwardStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(buffer.Length);

        protected override ValueTask DisposeOnceAsync() => ValueTask.CompletedTask;
    }
}
