using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Storage.Local;
using PgBackup.Tests.Tools;

namespace PgBackup.Tests.Storage.Local;

/// <summary>Whoever can make links in the folder of a store, where root works, must not make root read, write or remove anything
/// elsewhere.</summary>
public sealed class LinksInAStoreTests : IDisposable
{
    private readonly TestFolder folder = new();

    public LinksInAStoreTests()
    {
        Directory.CreateDirectory(folder["store/one"]);
        Directory.CreateDirectory(folder["elsewhere"]);
        folder.Write("elsewhere/a", "not ours");
    }

    private LocalStore Store => new("local", folder["store"]);

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Nothing_is_written_through_a_folder_that_is_a_link()
    {
        Directory.CreateSymbolicLink(folder["store/linked"], folder["elsewhere"]);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            Store.PutAsync("linked/a", new MemoryStream([1]), null, Cancel)
        );

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Message.ShouldContain($"{folder["store/linked"]} is a link");
        await UntouchedAsync();
    }

    [Fact]
    public async Task A_write_replaces_a_link_and_not_what_it_leads_to()
    {
        File.CreateSymbolicLink(folder["store/one/a"], folder["elsewhere/a"]);
        File.CreateSymbolicLink(folder["store/one/.a.partial"], folder["elsewhere/a"]);

        await Store.PutAsync("one/a", new MemoryStream([1]), null, Cancel);

        new FileInfo(folder["store/one/a"]).LinkTarget.ShouldBeNull();
        (await File.ReadAllBytesAsync(folder["store/one/a"], Cancel)).ShouldBe([1]);
        await UntouchedAsync();
    }

    [Theory]
    [InlineData("one/a")]
    [InlineData("linked/a")]
    public async Task Nothing_is_read_through_a_link(string key)
    {
        File.CreateSymbolicLink(folder["store/one/a"], folder["elsewhere/a"]);
        Directory.CreateSymbolicLink(folder["store/linked"], folder["elsewhere"]);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => Store.OpenAsync(key, Cancel));

        error.Code.ShouldBe(ErrorCode.ObjectDamaged);
        error.Message.ShouldContain("is a link");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_lock_is_never_a_link_to_a_file_that_would_be_overwritten(bool hard)
    {
        string path = folder["store/.olympus-pgbackup.lock"];
        if (hard)
        {
            await AllOfAsync(FakeTool.Output($"ln {folder["elsewhere/a"]} {path}"));
        }
        else
        {
            File.CreateSymbolicLink(path, folder["elsewhere/a"]);
        }

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => Store.LockAsync("me", Cancel));

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Message.ShouldContain("is a link");
        await UntouchedAsync();
    }

    [Fact]
    public async Task Removing_a_folder_removes_links_in_it_and_nothing_that_they_lead_to()
    {
        Directory.CreateSymbolicLink(folder["store/one/folder"], folder["elsewhere"]);
        File.CreateSymbolicLink(folder["store/one/file"], folder["elsewhere/a"]);

        await Store.DeleteFolderAsync("one", Cancel);

        Directory.Exists(folder["store/one"]).ShouldBeFalse();
        await UntouchedAsync();
    }

    [Fact]
    public async Task A_folder_that_is_a_link_is_not_removed_through_it()
    {
        Directory.CreateSymbolicLink(folder["store/linked"], folder["elsewhere"]);
        folder.Write("elsewhere/.old.partial", "");

        (await Should.ThrowAsync<PgBackupException>(() => Store.DeleteFolderAsync("linked", Cancel))).Code.ShouldBe(
            ErrorCode.StoreUnavailable
        );
        await Should.ThrowAsync<PgBackupException>(() => Store.DeleteAsync("linked/a", Cancel));
        await Store.SweepAsync(DateTimeOffset.UtcNow.AddDays(1), Cancel);

        File.Exists(folder["elsewhere/.old.partial"]).ShouldBeTrue();
        await UntouchedAsync();
    }

    [Fact]
    public async Task The_folder_of_the_store_itself_may_be_a_link()
    {
        Directory.CreateSymbolicLink(folder["link"], folder["store"]);
        var store = new LocalStore("local", folder["link"]);

        await store.PutAsync("one/b", new MemoryStream([1, 2]), null, Cancel);
        await using IStoreLock held = await store.LockAsync("me", Cancel);

        (await File.ReadAllBytesAsync(folder["store/one/b"], Cancel)).ShouldBe([1, 2]);
    }

    [Fact]
    public async Task A_snapshot_whose_folder_is_a_link_is_a_finding_of_a_check_and_never_written_into()
    {
        Directory.CreateSymbolicLink(folder["store/20260301T030000Z"], folder["elsewhere"]);

        CatalogEntry entry = (await new Catalog(Store, TimeProvider.System).ListAsync(Cancel)).Single();

        entry.IsNoFolder.ShouldBeTrue();
        entry.HasManifest.ShouldBeFalse();
        entry.IsLeftover.ShouldBeFalse(); // or the next run would remove it
        SnapshotCheck check = (
            await new CheckOperation(
                Store,
                static _ => throw new InvalidOperationException(),
                static (_, _) => throw new InvalidOperationException(),
                TimeProvider.System,
                new Progress()
            ).RunAsync(null, CheckDepth.Present, Cancel)
        ).Single();
        check.Problems.Single().Problem.ShouldContain("link");
    }

    private async Task UntouchedAsync()
    {
        (await File.ReadAllTextAsync(folder["elsewhere/a"], Cancel)).ShouldBe("not ours");
        Directory.GetFiles(folder["elsewhere"]).Count(static f => !f.EndsWith(".partial", StringComparison.Ordinal)).ShouldBe(1);
    }
}
