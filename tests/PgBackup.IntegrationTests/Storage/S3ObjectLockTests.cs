using PgBackup.Storage;
using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>Objects that nobody may remove before their time, and that go when it has come.</summary>
public sealed class S3ObjectLockTests(RadosGateway gateway) : IAsyncLifetime
{
    private S3Site site = null!;
    private IObjectStore store = null!;

    public async ValueTask InitializeAsync()
    {
        site = await S3Site.NewAsync(gateway, objectLock: true);
        store = site.Store(change: static s => s with { ObjectLock = "COMPLIANCE" });
    }

    public ValueTask DisposeAsync() => site.DisposeAsync();

    [Theory]
    [InlineData(1000)]
    [InlineData(PartMemory.BlockBytes + 1)]
    public async Task An_object_is_locked_until_its_day_whether_sent_whole_or_in_parts(int size)
    {
        DateTimeOffset until = DateTimeOffset.UtcNow.AddDays(1);

        await store.PutAsync("one/a", new MemoryStream(new byte[size]), until, Cancel);

        (await store.FindAsync("one/a", Cancel)).ShouldNotBeNull().LockedUntil.ShouldNotBeNull().ShouldBe(until, TimeSpan.FromSeconds(1.1));
    }

    [Fact]
    public async Task A_locked_object_that_is_removed_is_hidden_and_kept()
    {
        await store.PutAsync("one/a", new MemoryStream([1]), DateTimeOffset.UtcNow.AddDays(1), Cancel);
        await store.PutAsync("two/b", new MemoryStream([1]), DateTimeOffset.UtcNow.AddDays(1), Cancel);

        await store.DeleteAsync("one/a", Cancel);
        await store.DeleteFolderAsync("two", Cancel);

        (await site.EverythingAsync()).ShouldBeEmpty();
        (await store.FindAsync("one/a", Cancel)).ShouldBeNull();
        (await site.VersionsAsync()).ShouldBe([
            "marker backups/one/a",
            "version backups/one/a",
            "marker backups/two/b",
            "version backups/two/b",
        ]);

        (await store.SweepAsync(DateTimeOffset.UtcNow.AddDays(1), Cancel)).ShouldBe(0);
        (await site.VersionsAsync()).Count.ShouldBe(4);
    }

    [Fact]
    public async Task An_object_whose_lock_has_ended_is_removed_with_all_its_versions()
    {
        await store.PutAsync("one/a", new MemoryStream([1]), Soon, Cancel);
        await store.PutAsync("one/a", new MemoryStream([2]), Soon, Cancel);
        await store.PutAsync("one/ab", new MemoryStream([3]), null, Cancel);
        await UnlockedAsync("one/a");

        await store.DeleteAsync("one/a", Cancel);

        (await site.VersionsAsync()).ShouldBe(["version backups/one/ab"]);
    }

    [Fact]
    public async Task A_sweep_removes_what_was_removed_while_it_was_locked_once_the_lock_has_ended()
    {
        await store.PutAsync("one/a", new MemoryStream([1]), Soon, Cancel);
        await store.PutAsync("one/b", new MemoryStream([1]), DateTimeOffset.UtcNow.AddDays(1), Cancel);
        await store.PutAsync("one/c", new MemoryStream([1]), null, Cancel);
        await UnlockedAsync(
            "one/a",
            async () =>
            {
                await store.DeleteAsync("one/a", Cancel);
                await store.DeleteAsync("one/b", Cancel);
            }
        );
        await site.PutAsync("elsewhere/d", "x");
        await site.Client.DeleteObjectAsync(site.Bucket, "elsewhere/d", Cancel);

        (await store.SweepAsync(DateTimeOffset.UtcNow, Cancel)).ShouldBe(1);

        (await site.VersionsAsync()).ShouldBe([
            "marker backups/one/b",
            "version backups/one/b",
            "version backups/one/c",
            "marker elsewhere/d",
            "version elsewhere/d",
        ]);
    }

    [Fact]
    public async Task A_locked_object_can_be_overwritten()
    {
        await store.PutAsync("one/a", new MemoryStream([1]), DateTimeOffset.UtcNow.AddDays(1), Cancel);

        await store.PutAsync("one/a", new MemoryStream([2]), DateTimeOffset.UtcNow.AddDays(2), Cancel);

        (await AllOfAsync(await store.OpenAsync("one/a", Cancel))).ShouldBe([2]);
        (await site.VersionsAsync()).Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_locked_object_that_turns_out_wrong_is_hidden()
    {
        site.Proxy.On("HEAD", "one/a", Fault.ResponseHeader("Content-Length", "999"));

        await Should.ThrowAsync<PgBackupException>(() =>
            store.PutAsync("one/a", new MemoryStream([1]), DateTimeOffset.UtcNow.AddDays(1), Cancel)
        );

        (await site.EverythingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_store_that_ignores_the_lock_is_refused()
    {
        site.Proxy.On("HEAD", "one/a", Fault.ResponseHeader("x-amz-object-lock-retain-until-date", null), FaultProxy.Always)
            .On("PUT", "retention", Fault.Answer(200), FaultProxy.Always);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            store.PutAsync("one/a", new MemoryStream([1]), DateTimeOffset.UtcNow.AddDays(1), Cancel)
        );

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Message.ShouldContain("did not lock");
        error.Remedy.ShouldNotBeNull();
    }

    [Fact]
    public async Task The_write_test_passes_in_a_bucket_with_object_lock_and_leaves_no_version()
    {
        await store.CheckWritableAsync(Cancel);

        (await site.VersionsAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_bucket_without_object_lock_is_refused_before_anything_is_written()
    {
        await using S3Site plain = await S3Site.NewAsync(gateway);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            plain.Store(change: static s => s with { ObjectLock = "GOVERNANCE" }).CheckWritableAsync(Cancel)
        );

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Message.ShouldContain("has no object lock");
        error.Remedy.ShouldNotBeNull().ShouldContain("new bucket");
        plain.Proxy.Count("PUT").ShouldBe(0);
    }

    private static DateTimeOffset Soon => DateTimeOffset.UtcNow.AddSeconds(4);

    private async Task UnlockedAsync(string key, Func<Task>? before = null)
    {
        DateTimeOffset until = (await store.FindAsync(key, Cancel)).ShouldNotBeNull().LockedUntil.ShouldNotBeNull();
        await (before?.Invoke() ?? Task.CompletedTask);
        await Shell.UntilAsync(() => Task.FromResult(DateTimeOffset.UtcNow > until.AddSeconds(1.5)), "the lock has ended");
    }
}
