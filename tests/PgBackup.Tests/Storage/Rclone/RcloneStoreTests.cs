using PgBackup.Storage;
using PgBackup.Storage.Rclone;

namespace PgBackup.Tests.Storage.Rclone;

/// <summary>A remote with folders, from a config file: a disk.</summary>
public sealed class RcloneStoreTests : RcloneStoreContract
{
    protected override string Remote => $"disk:{Folder["new/store"]}";

    protected override string BrokenRemote => $"disk:{Folder.Write("file", "")}/store";

    protected override string ConfigFile =>
        File.Exists(Folder["rclone.conf"]) ? Folder["rclone.conf"] : Folder.Write("rclone.conf", "[disk]\ntype = local\n");

    [Fact]
    public async Task A_store_whose_folder_is_not_there_is_no_empty_store()
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => KeysAsync(Store, ""));

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Message.ShouldContain("does not exist");
        error.Remedy.ShouldNotBeNull();
        (await Store.SweepAsync(DateTimeOffset.UnixEpoch, Cancel)).ShouldBe(0);
    }

    [Fact]
    public async Task A_folder_that_must_exist_is_never_made()
    {
        IObjectStore careful = new RcloneStore("nas", Remote, ConfigFile, TimeProvider.System) { MustExist = true };

        (await Should.ThrowAsync<PgBackupException>(() => careful.LockAsync("the test", Cancel))).Message.ShouldContain("does not exist");

        Directory.Exists(Folder["new"]).ShouldBeFalse();
        Directory.CreateDirectory(Folder["new/store"]);
        await using IStoreLock held = await careful.LockAsync("the test", Cancel);
    }

    [Fact]
    public async Task A_lock_that_this_very_run_holds_for_another_store_is_not_told_as_another_run()
    {
        await using IStoreLock held = await Store.LockAsync("the test", Cancel);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            new RcloneStore("twin", Remote, ConfigFile, TimeProvider.System).LockAsync("the test", Cancel)
        );

        (error.Code, error.Message.Contains("the stores offsite and twin are one and the same place", StringComparison.Ordinal)).ShouldBe(
            (ErrorCode.StoresAreOne, true)
        );
    }

    [Fact]
    public async Task What_the_operators_surroundings_tell_rclone_to_print_or_to_leave_out_does_not_reach_it()
    {
        Environment.SetEnvironmentVariable("RCLONE_STATS_ONE_LINE", "true"); // which does no harm to the tests beside this one
        try
        {
            await StoreThrough($"env >> '{Folder["environment"]}'; exec rclone \"$@\"").PutAsync("one/a", new MemoryStream([1]), Cancel);
        }
        finally
        {
            Environment.SetEnvironmentVariable("RCLONE_STATS_ONE_LINE", null);
        }

        (await File.ReadAllTextAsync(Folder["environment"], Cancel)).ShouldNotContain("RCLONE_STATS_ONE_LINE");
    }

    [Fact]
    public async Task A_remote_with_a_blank_in_its_name_is_quoted_in_the_command_of_the_remedy()
    {
        IObjectStore odd = new RcloneStore(
            "offsite",
            $"my disk:{Folder.Write("a file", "")}/store",
            Folder.Write("odd.conf", "[my disk]\ntype = local\n"),
            TimeProvider.System
        );

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => odd.PutAsync("a", new MemoryStream([1]), Cancel));

        error.Remedy.ShouldNotBeNull().ShouldContain($"lsd 'my disk:{Folder["a file"]}/store'");
    }

    [Fact]
    public async Task Half_written_files_of_a_killed_run_are_no_objects_and_do_not_stand_in_the_way()
    {
        await PutAsync("one/a", "x");
        await File.WriteAllTextAsync(Folder["new/store/one/.b.partial"], "half of it, and longer than the whole", Cancel);

        (await KeysAsync(Store, "one")).ShouldBe(["one/a"]);
        (await KeysAsync(Store, "")).ShouldBe(["one/a"]);
        await PutAsync("one/b", "whole");

        (await File.ReadAllTextAsync(Folder["new/store/one/b"], Cancel)).ShouldBe("whole");
        EverythingInside.ShouldBe(["one/a", "one/b"]);
    }

    [Fact]
    public async Task A_sweep_removes_old_half_written_files_and_empty_folders_and_spares_young_ones()
    {
        await PutAsync("one/a", "x");
        await File.WriteAllTextAsync(Folder["new/store/one/.b.partial"], "half", Cancel);
        Directory.CreateDirectory(Folder["new/store/empty"]);

        (await Store.SweepAsync(DateTimeOffset.UtcNow.AddHours(-1), Cancel)).ShouldBe(0);
        (await Store.SweepAsync(DateTimeOffset.UtcNow.AddHours(1), Cancel)).ShouldBe(2);

        EverythingInside.ShouldBe(["one/a"]);
        Directory.Exists(Folder["new/store/empty"]).ShouldBeFalse();
    }

    [Fact]
    public async Task An_object_of_the_same_size_and_time_is_replaced_all_the_same()
    {
        await PutAsync("one/a", "old");
        File.SetLastWriteTimeUtc(Folder["new/store/one/a"], DateTime.UnixEpoch);
        IObjectStore store = StoreThrough($"[ $1 != moveto ] || touch -d @0 '{Folder["new/store/one/.a.partial"]}'; exec rclone \"$@\"");

        await store.PutAsync("one/a", new MemoryStream("new"u8.ToArray()), Cancel);

        (await File.ReadAllTextAsync(Folder["new/store/one/a"], Cancel)).ShouldBe("new");
    }

    [Fact]
    public async Task A_move_that_did_not_happen_is_found_out()
    {
        IObjectStore store = StoreThrough("[ $1 = moveto ] || exec rclone \"$@\"");

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => store.PutAsync("one/a", new MemoryStream([1]), Cancel));

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Message.ShouldContain("one/a");
        EverythingInside.ShouldBeEmpty();
    }
}

/// <summary>A remote that is defined on the fly, without a config file; the contract itself runs on a configured one.</summary>
public sealed class RcloneStoreOnTheFlyTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_remote_on_the_fly_keeps_lists_gives_back_and_removes_objects()
    {
        IObjectStore store = new RcloneStore("fly", $":local:{folder["new/store"]}/", null, TimeProvider.System);
        await store.CheckWritableAsync(Cancel);

        (await store.PutAsync("one/a", new MemoryStream("hello"u8.ToArray()), Cancel)).ShouldBe(5);

        (await AllOfAsync(await store.OpenAsync("one/a", Cancel))).ShouldBe("hello"u8.ToArray());
        List<string> keys = [];
        await foreach (StoredObject one in store.ListAsync("", Cancel))
        {
            keys.Add(one.Key);
        }

        keys.ShouldBe(["one/a"]);
        await store.DeleteFolderAsync("one", Cancel);
        (await store.FindAsync("one/a", Cancel)).ShouldBeNull();
    }
}

/// <summary>What messages show of a remote.</summary>
public sealed class RcloneLocationTests
{
    [Theory]
    [InlineData("b2:olympus-backups", "b2:olympus-backups")]
    [InlineData("s3:bucket/prefix/", "s3:bucket/prefix")]
    [InlineData("disk:/", "disk:/")]
    [InlineData("/backups/", "/backups")]
    [InlineData("disk:/a,b:c", "disk:/a,b:c")]
    [InlineData(":s3,access_key_id=AKIA,secret_access_key=\"x:y,z\":bucket/prefix", ":s3,...:bucket/prefix")]
    [InlineData("b2,account=a,key=secret:bucket", "b2,...:bucket")]
    public void A_location_has_no_secrets(string remote, string location) =>
        new RcloneStore("x", remote, null, TimeProvider.System).Location.ShouldBe(location);

    [Theory]
    [InlineData("b2:olympus-backups", "b2:olympus-backups/one/a")]
    [InlineData("b2:", "b2:one/a")]
    [InlineData("disk:/", "disk:/one/a")]
    [InlineData("sftp-host:/backups///", "sftp-host:/backups/one/a")]
    public void A_key_goes_below_the_remote(string remote, string path) =>
        new RcloneCommand("x", remote, null, TimeProvider.System).PathOf("one/a").ShouldBe(path);

    [Fact]
    public async Task Secrets_of_a_remote_on_the_fly_are_in_no_message()
    {
        var store = new RcloneStore("x", ":no-such-backend,secret_access_key=hunter2:bucket", null, TimeProvider.System);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => store.CheckWritableAsync(Cancel));

        $"{error.Message} {error.Remedy}".ShouldNotContain("hunter2");
    }
}
