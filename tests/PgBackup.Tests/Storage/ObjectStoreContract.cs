using System.Security.Cryptography;
using System.Text;
using PgBackup.Storage;

namespace PgBackup.Tests.Storage;

/// <summary>What every store promises. A store's tests derive from this.</summary>
public abstract class ObjectStoreContract
{
    /// <summary>The store under test, which is empty and was never written to.</summary>
    protected abstract IObjectStore Store { get; }

    /// <summary>A store like it that cannot be written to.</summary>
    protected abstract IObjectStore BrokenStore { get; }

    /// <summary>Everything that lies in the store, temporary and hidden things included, locks excluded.</summary>
    protected abstract IReadOnlyList<string> EverythingInside { get; }

    [Fact]
    public async Task What_was_put_can_be_opened()
    {
        (await PutAsync("one/a.txt", "hello")).ShouldBe(5);

        (await TextAsync("one/a.txt")).ShouldBe("hello");
        EverythingInside.ShouldBe(["one/a.txt"]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData((1 << 20) - 1)]
    [InlineData(1 << 20)]
    [InlineData((3 << 20) + 17)]
    public async Task Objects_of_any_size_come_back_byte_by_byte(int size)
    {
        byte[] content = RandomNumberGenerator.GetBytes(size);

        (await Store.PutAsync("one/data", new MemoryStream(content), Cancel)).ShouldBe(size);

        (await AllOfAsync(await Store.OpenAsync("one/data", Cancel))).SequenceEqual(content).ShouldBeTrue();
        (await ListAsync("one")).ShouldBe([("one/data", size)]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(3 << 20)]
    public async Task An_object_whose_content_fails_in_the_middle_never_appears(int before)
    {
        await using var content = new BrokenStream(new byte[before]);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => Store.PutAsync("one/a", content, Cancel));

        error.Code.ShouldBe(ErrorCode.ToolFailed);
        (await ListAsync("one")).ShouldBeEmpty();
        EverythingInside.ShouldBeEmpty();
        await MissingAsync("one/a");
    }

    [Fact]
    public async Task An_object_that_was_there_stays_as_it_was_when_its_successor_fails()
    {
        await PutAsync("one/a", "before");
        await using var content = new BrokenStream(new byte[100]);

        await Should.ThrowAsync<PgBackupException>(() => Store.PutAsync("one/a", content, Cancel));

        (await TextAsync("one/a")).ShouldBe("before");
        EverythingInside.ShouldBe(["one/a"]);
    }

    [Fact]
    public async Task A_cancelled_put_leaves_nothing()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        await stop.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => Store.PutAsync("one/a", new MemoryStream(new byte[3 << 20]), stop.Token));

        EverythingInside.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_second_put_replaces_the_first_whole()
    {
        await PutAsync("one/a", "a long first text");
        await PutAsync("one/a", "short");

        (await TextAsync("one/a")).ShouldBe("short");
        (await ListAsync("one")).ShouldBe([("one/a", 5)]);
    }

    [Fact]
    public async Task A_second_put_of_the_same_size_replaces_the_first()
    {
        await PutAsync("one/a", "old");
        await PutAsync("one/a", "new");

        (await TextAsync("one/a")).ShouldBe("new");
        EverythingInside.ShouldBe(["one/a"]);
    }

    [Fact]
    public async Task A_reader_of_the_first_is_not_disturbed_by_the_second()
    {
        await PutAsync("one/a", "first");
        Stream reader = await Store.OpenAsync("one/a", Cancel);

        await PutAsync("one/a", "second");

        Encoding.UTF8.GetString(await AllOfAsync(reader)).ShouldBe("first");
    }

    [Fact]
    public async Task A_folder_lists_its_own_objects_and_the_store_all_of_them()
    {
        await PutAsync("one/a", "1");
        await PutAsync("one/b", "22");
        await PutAsync("two/c", "333");

        (await ListAsync("one")).ShouldBe([("one/a", 1), ("one/b", 2)]);
        (await ListAsync("two")).ShouldBe([("two/c", 3)]);
        (await ListAsync("three")).ShouldBeEmpty();
        (await ListAsync("")).ShouldBe([("one/a", 1), ("one/b", 2), ("two/c", 3)]);
    }

    [Fact]
    public async Task A_store_to_which_nothing_was_put_is_empty()
    {
        await Store.CheckWritableAsync(Cancel);
        (await FoldersAsync()).ShouldBeEmpty();
        (await ListAsync("one")).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("one/with space")]
    [InlineData("one/20260301T030000Z-na%20me.dump.gpg")]
    [InlineData("one/größe+&=?#.txt")]
    public async Task Names_may_have_what_urls_and_shells_trip_over(string key)
    {
        await PutAsync(key, "x");

        (await ListAsync("one")).ShouldBe([(key, 1)]);
        (await TextAsync(key)).ShouldBe("x");
        await Store.DeleteAsync(key, Cancel);
        (await ListAsync("one")).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_name_may_be_long()
    {
        string key = $"one/{new string('n', 240)}";
        await PutAsync(key, "x");

        (await TextAsync(key)).ShouldBe("x");
        EverythingInside.ShouldBe([key]);
    }

    [Fact]
    public async Task A_missing_object_is_said_to_be_missing()
    {
        await MissingAsync("one/a");
        await PutAsync("one/b", "x");
        await MissingAsync("one/a");
    }

    [Fact]
    public async Task A_deleted_object_opens_as_nothing_at_once()
    {
        await PutAsync("one/a", "x");
        await (await Store.TryOpenAsync("one/a", Cancel)).ShouldNotBeNull().DisposeAsync();

        await Store.DeleteAsync("one/a", Cancel);

        (await Store.TryOpenAsync("one/a", Cancel)).ShouldBeNull();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(200_000)]
    public async Task A_small_object_is_read_whole_and_a_larger_one_is_an_error_that_says_so(int size)
    {
        byte[] content = RandomNumberGenerator.GetBytes(size);
        await Store.PutAsync("one/a", new MemoryStream(content), Cancel);
        await Store.PutAsync("one/b", new MemoryStream([.. content, 1]), Cancel);

        (await Store.ReadBytesAsync("one/a", size, Cancel)).SequenceEqual(content).ShouldBeTrue();
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => Store.ReadBytesAsync("one/b", size, Cancel));

        error.Code.ShouldBe(ErrorCode.ObjectDamaged);
        error.Message.ShouldStartWith($"one/b in the store {Store.Name} is larger than ");
        error.Remedy.ShouldNotBeNull();
    }

    [Fact]
    public async Task An_object_that_is_looked_for_is_found_with_its_size_and_time()
    {
        DateTimeOffset before = DateTimeOffset.UtcNow.AddMinutes(-5);
        await PutAsync("one/a", "hello");

        StoredObject found = (await Store.FindAsync("one/a", Cancel)).ShouldNotBeNull();

        (found.Key, found.Size).ShouldBe(("one/a", 5));
        found.Modified.ShouldBeGreaterThan(before);
        (await Store.FindAsync("one/b", Cancel)).ShouldBeNull();
        (await Store.FindAsync("one", Cancel)).ShouldBeNull();
        await foreach (StoredObject listed in Store.ListAsync("one", Cancel))
        {
            (listed.Modified - found.Modified).Duration().ShouldBeLessThan(TimeSpan.FromSeconds(2));
        }
    }

    [Fact]
    public async Task A_sweep_leaves_whole_objects_alone()
    {
        await PutAsync("one/a", "hello");

        (await Store.SweepAsync(DateTimeOffset.UtcNow.AddDays(1), Cancel)).ShouldBe(0);

        EverythingInside.ShouldBe(["one/a"]);
    }

    [Fact]
    public async Task A_lock_that_is_held_says_so()
    {
        await using IStoreLock held = await Store.LockAsync("me", Cancel);

        Should.NotThrow(held.RequireHeld);
    }

    [Fact]
    public async Task A_deleted_object_is_gone_and_deleting_it_again_does_nothing()
    {
        await PutAsync("one/a", "x");
        await PutAsync("one/b", "y");

        await Store.DeleteAsync("one/a", Cancel);
        await Store.DeleteAsync("one/a", Cancel);
        await Store.DeleteAsync("never/there", Cancel);

        EverythingInside.ShouldBe(["one/b"]);
    }

    [Fact]
    public async Task A_deleted_folder_is_gone_with_everything_in_it_and_nothing_else_is()
    {
        await PutAsync("one/a", "x");
        await PutAsync("one/b", "y");
        await PutAsync("one-more/c", "z");

        await Store.DeleteFolderAsync("one", Cancel);
        await Store.DeleteFolderAsync("one", Cancel);

        (await FoldersAsync()).ShouldBe(["one-more"]);
        EverythingInside.ShouldBe(["one-more/c"]);
    }

    [Fact]
    public async Task The_write_test_leaves_nothing()
    {
        await Store.CheckWritableAsync(Cancel);

        EverythingInside.ShouldBeEmpty();
        (await FoldersAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_store_that_cannot_be_written_to_says_so_and_what_to_do()
    {
        await UnavailableAsync(() => BrokenStore.CheckWritableAsync(Cancel));
        await UnavailableAsync(() => BrokenStore.PutAsync("one/a", new MemoryStream([1]), Cancel));
        await UnavailableAsync(() => BrokenStore.LockAsync("me", Cancel));
    }

    [Fact]
    public async Task A_second_run_is_refused_and_told_who_is_first()
    {
        await using IStoreLock first = await Store.LockAsync("run 4711 on db1", Cancel);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => Store.LockAsync("run 4712 on db1", Cancel));

        error.Code.ShouldBe(ErrorCode.AlreadyRunning);
        error.Message.ShouldContain("run 4711 on db1");
        error.Message.ShouldContain(Store.Location);
        error.Remedy.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_lock_is_free_again_when_its_holder_ends_and_names_the_next_one_alone()
    {
        await (await Store.LockAsync("a first holder with a long name", Cancel)).DisposeAsync();

        await using IStoreLock second = await Store.LockAsync("second", Cancel);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => Store.LockAsync("third", Cancel));
        error.Message.ShouldEndWith(": second.");
        (await FoldersAsync()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData("one/../../outside")]
    [InlineData("/etc/passwd")]
    [InlineData("one/\0")]
    [InlineData("one/../two/a")]
    [InlineData("one/./b")]
    [InlineData("one//b")]
    [InlineData("one/b/")]
    [InlineData(".")]
    public async Task A_key_that_leads_out_of_the_store_is_refused(string key)
    {
        await PutAsync("one/a", "x");
        foreach (
            Func<Task> attempt in (Func<Task>[])
                [
                    () => Store.PutAsync(key, new MemoryStream([1]), Cancel),
                    () => Store.TryOpenAsync(key, Cancel),
                    () => Store.DeleteAsync(key, Cancel),
                    () => Store.DeleteFolderAsync(key, Cancel),
                    () => ListAsync(key),
                    () => Store.FindAsync(key, Cancel),
                ]
        )
        {
            PgBackupException error = await Should.ThrowAsync<PgBackupException>(attempt);
            error.Code.ShouldBe(ErrorCode.StoreUnavailable);
            error.Message.ShouldContain("leads out of the store");
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("one/..")]
    public async Task The_store_itself_is_no_folder_to_delete(string folder)
    {
        await PutAsync("one/a", "x");

        await Should.ThrowAsync<PgBackupException>(() => Store.DeleteFolderAsync(folder, Cancel));

        EverythingInside.ShouldBe(["one/a"]);
    }

    protected Task<long> PutAsync(string key, string text) => Store.PutAsync(key, new MemoryStream(Encoding.UTF8.GetBytes(text)), Cancel);

    private async Task<string> TextAsync(string key) => Encoding.UTF8.GetString(await AllOfAsync(await Store.OpenAsync(key, Cancel)));

    private async Task<List<(string Key, long Size)>> ListAsync(string folder)
    {
        List<(string Key, long Size)> found = [];
        await foreach (StoredObject one in Store.ListAsync(folder, Cancel))
        {
            found.Add((one.Key, one.Size));
        }

        return [.. found.OrderBy(static o => o.Key, StringComparer.Ordinal)];
    }

    private async Task<List<string>> FoldersAsync() =>
        [.. (await ListAsync("")).Select(static o => o.Key.Split('/')[0]).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    private async Task MissingAsync(string key)
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => Store.OpenAsync(key, Cancel));
        error.Code.ShouldBe(ErrorCode.ObjectDamaged);
        error.Message.ShouldContain(key);
        (await Store.TryOpenAsync(key, Cancel)).ShouldBeNull();
        (await Store.TryReadBytesAsync(key, 10, Cancel)).ShouldBeNull();
    }

    private static async Task UnavailableAsync(Func<Task> attempt)
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(attempt);
        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Remedy.ShouldNotBeNullOrEmpty();
    }
}
