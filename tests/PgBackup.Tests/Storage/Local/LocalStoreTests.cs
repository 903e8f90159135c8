using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using PgBackup.Storage;
using PgBackup.Storage.Local;

namespace PgBackup.Tests.Storage.Local;

public sealed class LocalStoreTests : ObjectStoreContract, IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly TestFolder folder = new();

    protected override IObjectStore Store => new LocalStore("local", folder["new/store"]);

    // Tests run as root, whom no mode stops: below a file nobody can make a folder.
    protected override IObjectStore BrokenStore => new LocalStore("broken", Path.Combine(folder.Write("file", ""), "store"));

    protected override IReadOnlyList<string> EverythingInside =>
        Directory.Exists(Store.Location)
            ?
            [
                .. Directory
                    .EnumerateFiles(Store.Location, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
                    .Select(file => Path.GetRelativePath(Store.Location, file))
                    .Where(static file => file != ".olympus-pgbackup.lock")
                    .Order(StringComparer.Ordinal),
            ]
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

        foreach (
            Func<Task> attempt in (Func<Task>[])
                [
                    () => Store.DeleteFolderAsync("../store-2", Cancel),
                    () => Store.OpenAsync("../store-2/a", Cancel),
                    () => Store.PutAsync("../store-2/b", new MemoryStream([1]), Cancel),
                ]
        )
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
    public async Task A_folder_that_may_not_be_entered_is_listed_with_the_reason_beside_the_others()
    {
        await PutAsync("one/a", "x");
        await PutAsync("two/b", "x");
        const UnixFileMode ForAll = (UnixFileMode)0b111_101_101;
        foreach (string open in (string[])["", "new", "new/store", "new/store/one"])
        {
            File.SetUnixFileMode(folder[open], ForAll);
        }

        File.SetUnixFileMode(folder["new/store/two"], UnixFileMode.None);
        List<StoredObject> found = [];
        int swept = -1;
        // Root may enter everything; this thread acts as nobody, and the store lists and sweeps without leaving it.
        await AsNobodyAsync(async () =>
        {
            await foreach (StoredObject one in Store.ListAsync("", Cancel))
            {
                found.Add(one);
            }

            swept = await Store.SweepAsync(DateTimeOffset.UtcNow.AddHours(-1), Cancel);
        });

        found.Select(static o => (o.Key, o.Unreadable is null)).ShouldBe([("one/a", true), ("two", false)], ignoreOrder: true);
        found.Single(static o => o.Key == "two").Unreadable.ShouldNotBeNull().ShouldContain("the folder two cannot be looked into");
        swept.ShouldBe(0);
    }

    private static Task AsNobodyAsync(Func<Task> work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously); // what follows is not to be done as nobody
        new Thread(() =>
        {
            try
            {
                _ = setfsuid(65534);
                work().GetAwaiter().GetResult();
                done.SetResult();
            }
#pragma warning disable CA1031 // handed on to the test
            catch (Exception e)
#pragma warning restore CA1031
            {
                done.SetException(e);
            }
        }).Start();
        return done.Task;
    }

#pragma warning disable CA2101, CA5392, SYSLIB1054, IDE1006, SA1300 // setfsuid(2), of which nothing but this test has need
    [DllImport("libc")]
    private static extern uint setfsuid(uint user);
#pragma warning restore CA2101, CA5392, SYSLIB1054, IDE1006, SA1300

    [Theory]
    [InlineData("link", "is a link to /nowhere/at/all, where nothing is: is its disk mounted?")]
    [InlineData("file", "is a file, and no folder")]
    public async Task A_path_that_cannot_be_a_folder_is_told_as_what_it_is_by_whoever_reads_or_writes(string what, string told)
    {
        string path = folder["store"];
        if (what == "link")
        {
            File.CreateSymbolicLink(path, "/nowhere/at/all");
        }
        else
        {
            folder.Write("store", "x");
        }

        IObjectStore odd = new LocalStore("local", path);
        foreach (
            Func<Task> attempt in (Func<Task>[])
                [
                    () => odd.LockAsync("the test", Cancel),
                    () => odd.PutAsync("a", new MemoryStream([1]), Cancel),
                    async () => await odd.ListAsync("", Cancel).GetAsyncEnumerator(Cancel).MoveNextAsync(),
                ]
        )
        {
            PgBackupException error = await Should.ThrowAsync<PgBackupException>(attempt);
            (error.Code, error.Message.Contains(told, StringComparison.Ordinal)).ShouldBe(
                (ErrorCode.StoreUnavailable, true),
                error.Message
            );
        }
    }

    [Fact]
    public async Task A_folder_that_must_exist_is_never_made()
    {
        IObjectStore careful = new LocalStore("nas", folder["mounted/nas"]) { MustExist = true };

        foreach (
            Func<Task> attempt in (Func<Task>[])
                [() => careful.LockAsync("the test", Cancel), () => careful.PutAsync("a", new MemoryStream([1]), Cancel)]
        )
        {
            (await Should.ThrowAsync<PgBackupException>(attempt)).Message.ShouldContain("must_exist: true forbids to make it");
        }

        Directory.Exists(folder["mounted"]).ShouldBeFalse();
        Directory.CreateDirectory(folder["mounted/nas"]);
        await using IStoreLock held = await careful.LockAsync("the test", Cancel);
    }

    [Fact]
    public async Task A_lock_whose_taking_was_cancelled_is_given_back_at_once()
    {
        var store = new LocalStore("one", folder["one"]);

        await Should.ThrowAsync<OperationCanceledException>(() => store.LockAsync("the test", new CancellationToken(canceled: true)));

        await using IStoreLock held = await store.LockAsync("the test", Cancel);
        await Should.ThrowAsync<OperationCanceledException>(() => store.LockAsync("another", new CancellationToken(canceled: true)));
        (await Should.ThrowAsync<PgBackupException>(() => store.LockAsync("another", Cancel))).Message.ShouldContain("the test");
    }

    [Fact]
    public async Task A_lock_that_is_given_back_is_free_though_a_child_that_is_being_started_has_its_file_open()
    {
        var store = new LocalStore("one", folder["store"]);
        IStoreLock held = await store.LockAsync("here", Cancel);
        // Between fork and exec a child has every file of its parent, as a duplicate has.
        string file = Directory.GetFiles("/proc/self/fd").First(f => TargetOf(f) == folder["store/.olympus-pgbackup.lock"]);
        using var child = new SafeFileHandle(Duplicate(int.Parse(Path.GetFileName(file), CultureInfo.InvariantCulture)), ownsHandle: true);
        child.IsInvalid.ShouldBeFalse();

        await held.DisposeAsync();

        await (await store.LockAsync("again", Cancel)).DisposeAsync();
    }

    // Null for a file that another test closed meanwhile.
    private static string? TargetOf(string descriptor)
    {
        try
        {
            return File.ResolveLinkTarget(descriptor, returnFinalTarget: false)?.FullName;
        }
        catch (IOException)
        {
            return null;
        }
    }

    [Fact]
    public async Task A_lock_that_this_very_run_holds_for_another_store_is_not_told_as_another_run()
    {
        Directory.CreateDirectory(folder["one"]);
        Directory.CreateSymbolicLink(folder["two"], folder["one"]);
        await using IStoreLock held = await new LocalStore("one", folder["one"]).LockAsync("the test", Cancel);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            new LocalStore("two", folder["two"]).LockAsync("the test", Cancel)
        );

        (error.Code, error.Message).ShouldBe(
            (
                ErrorCode.StoresAreOne,
                $"the stores one and two are one and the same place ({folder["two"]}): this run holds its lock for one already."
            )
        );
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

    [DllImport("libc", EntryPoint = "dup")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Duplicate(int descriptor);
}
