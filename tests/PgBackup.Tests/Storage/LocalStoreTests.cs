using PgBackup.Storage;

namespace PgBackup.Tests.Storage;

public sealed class LocalStoreTests : ObjectStoreContract, IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly TestFolder folder = new();

    protected override IObjectStore Store => new LocalStore("local", folder["new/store"]);

    // Tests run as root, whom no mode stops: below a file nobody can make a folder.
    protected override IObjectStore BrokenStore => new LocalStore("broken", Path.Combine(folder.Write("file", ""), "store"));

    protected override IReadOnlyList<string> EverythingInside => Directory.Exists(Store.Location)
        ? [.. Directory.EnumerateFiles(Store.Location, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
            .Select(file => Path.GetRelativePath(Store.Location, file)).Where(static file => file != ".olympus-pgbackup.lock").Order(StringComparer.Ordinal)]
        : [];

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Files_and_folders_are_private()
    {
        await PutAsync("one/a", "x");
        await using IStoreLock held = await Store.LockAsync("me", Cancel);

        File.GetUnixFileMode(folder["new/store/one/a"]).ShouldBe(Private);
        File.GetUnixFileMode(folder["new/store/.olympus-pgbackup.lock"]).ShouldBe(Private);
        File.GetUnixFileMode(folder["new/store/one"]).ShouldBe(Private | UnixFileMode.UserExecute);
        File.GetUnixFileMode(folder["new/store"]).ShouldBe(Private | UnixFileMode.UserExecute);
        File.GetUnixFileMode(folder["new"]).ShouldBe(Private | UnixFileMode.UserExecute);
    }

    [Fact]
    public async Task Half_written_files_of_a_killed_run_are_no_objects_and_do_not_stand_in_the_way()
    {
        await PutAsync("one/a", "x");
        await File.WriteAllTextAsync(folder["new/store/one/.b.partial"], "half of it, and longer than the whole", Cancel);

        (await CountAsync("one")).ShouldBe(1);
        await PutAsync("one/b", "whole");

        (await File.ReadAllTextAsync(folder["new/store/one/b"], Cancel)).ShouldBe("whole");
        EverythingInside.ShouldBe(["one/a", "one/b"]);
    }

    [Fact]
    public async Task A_folder_is_deleted_with_its_half_written_files()
    {
        await PutAsync("one/a", "x");
        await File.WriteAllTextAsync(folder["new/store/one/.b.partial"], "half", Cancel);

        await Store.DeleteFolderAsync("one", Cancel);

        Directory.Exists(folder["new/store/one"]).ShouldBeFalse();
    }

    [Fact]
    public async Task A_neighbour_whose_name_starts_alike_is_outside()
    {
        Directory.CreateDirectory(folder["new/store-2"]);
        await File.WriteAllTextAsync(folder["new/store-2/a"], "x", Cancel);

        foreach (Func<Task> attempt in (Func<Task>[])
        [
            () => Store.DeleteFolderAsync("../store-2", Cancel),
            () => Store.OpenAsync("../store-2/a", Cancel),
            () => Store.PutAsync("../store-2/b", new MemoryStream([1]), Cancel),
        ])
        {
            (await Should.ThrowAsync<PgBackupException>(attempt)).Code.ShouldBe(ErrorCode.StoreUnavailable);
        }

        Directory.GetFiles(folder["new/store-2"]).ShouldBe([folder["new/store-2/a"]]);
    }

    [Fact]
    public async Task A_path_with_a_slash_at_its_end_is_the_same_store()
    {
        await PutAsync("one/a", "x");
        var other = new LocalStore("local", folder["new/store/"]);

        (await AllOfAsync(await other.OpenAsync("one/a", Cancel))).ShouldBe("x"u8.ToArray());
        (await Should.ThrowAsync<PgBackupException>(() => other.DeleteFolderAsync("", Cancel))).Code.ShouldBe(ErrorCode.StoreUnavailable);
    }

    [Fact]
    public async Task A_sweep_removes_old_half_written_files_and_empty_folders_and_spares_young_ones()
    {
        await PutAsync("one/a", "x");
        await File.WriteAllTextAsync(folder["new/store/one/.b.partial"], "half", Cancel);
        Directory.CreateDirectory(folder["new/store/empty"]);

        (await Store.SweepAsync(DateTimeOffset.UtcNow.AddHours(-1), Cancel)).ShouldBe(0);
        (await Store.SweepAsync(DateTimeOffset.UtcNow.AddHours(1), Cancel)).ShouldBe(2);

        EverythingInside.ShouldBe(["one/a"]);
        Directory.Exists(folder["new/store/empty"]).ShouldBeFalse();
    }

    private async Task<int> CountAsync(string name)
    {
        int count = 0;
        await foreach (StoredObject _ in Store.ListAsync(name, Cancel))
        {
            count++;
        }

        return count;
    }
}
