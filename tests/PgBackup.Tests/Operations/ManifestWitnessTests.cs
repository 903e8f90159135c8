using PgBackup.Operations;
using PgBackup.Snapshots;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations;

/// <summary>A manifest that somebody edited in the first store, when a store that is new is filled from there.</summary>
public sealed class ManifestWitnessTests : IDisposable
{
    private readonly Stores stores = new();

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task An_edited_manifest_is_not_copied_on_when_another_store_has_the_original()
    {
        await FillAsync("local", "offsite");
        await File.AppendAllTextAsync(stores.PathOf("local", Of(Day(21)).Key(SnapshotLayout.Manifest)), "\n", Cancel);

        ReplicaReport report = await RunAsync();

        report.Copied.ShouldBe([Day(22).ToString(), Day(20).ToString()]);
        report.Lacks.ShouldBe([Day(21).ToString()]);
        report.Code.ShouldBe("PGB-0065");
        report.Problem.ShouldNotBeNull().ShouldContain("its manifests in local and offsite differ");
        stores.Contents("s3", Day(21)).ShouldBeEmpty();
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
        BackupStore[] all = [Stores.Kept(stores.Open("local")), Stores.Kept(stores.Open("offsite")), Stores.Kept(new PgBackup.Storage.LocalStore("offsite-2", stores.Folder["offsite-2"])), fresh];
        await using Replica replica = Replica.Start(all, fresh, Cluster, "the test", stores.Clock, new Progress(), Cancel);
        return await replica.CatchUpAsync(Day(22), Cancel);
    }
}
