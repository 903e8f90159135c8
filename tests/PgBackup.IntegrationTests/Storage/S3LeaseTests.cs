using System.Globalization;
using Amazon.S3.Model;
using PgBackup.Host;
using PgBackup.Storage;
using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>One run at a time works in a bucket, whatever happens to the runs and to the connection.</summary>
public sealed class S3LeaseTests(RadosGateway gateway) : IAsyncLifetime
{
    private const string Key = "backups/.olympus-pgbackup.lock";

    private S3Site site = null!;
    private IObjectStore store = null!;

    public async ValueTask InitializeAsync()
    {
        site = await S3Site.NewAsync(gateway);
        store = site.Store();
    }

    public ValueTask DisposeAsync() => site.DisposeAsync();

    [Fact]
    public async Task Of_sixteen_runs_at_once_one_gets_it_and_the_others_are_told_who()
    {
        object[] results = await Task.WhenAll(
            Enumerable
                .Range(1, 16)
                .Select(async i =>
                {
                    try
                    {
                        return (object)(await site.Store().LockAsync($"run {i} of 16", Cancel), $"run {i} of 16");
                    }
                    catch (PgBackupException e)
                    {
                        return e;
                    }
                })
        );

        (IStoreLock held, string holder) = results.OfType<(IStoreLock, string)>().ShouldHaveSingleItem();
        List<PgBackupException> refused = [.. results.OfType<PgBackupException>()];
        refused.Count.ShouldBe(15);
        refused.ShouldAllBe(e => e.Code == ErrorCode.AlreadyRunning && e.Message.EndsWith($": {holder}.", StringComparison.Ordinal));
        held.RequireHeld();
        await held.DisposeAsync();
        (await site.EverythingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_run_whose_answer_was_lost_has_it_all_the_same()
    {
        site.Proxy.On("PUT", ".olympus-pgbackup.lock", Fault.CutAfterForward);

        await using (IStoreLock held = await store.LockAsync("me", Cancel))
        {
            held.RequireHeld();
            held.Note.ShouldBeNull();
            site.Proxy.Requests.Where(static r => r.Method == "PUT").Select(static r => r.ServerStatus).ShouldBe([200, 412]);
        }

        (await site.EverythingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_run_that_fails_right_after_it_took_the_lock_gives_it_back()
    {
        site.Proxy.On(static r => r.Method == "GET", Fault.AnswerError(404, "NoSuchKey"))
            .On(static r => r.Method == "GET", Fault.AnswerError(503, "SlowDown"), times: 2);

        (await Should.ThrowAsync<PgBackupException>(() => store.LockAsync("me", Cancel))).Code.ShouldBe(ErrorCode.StoreUnavailable);

        (await site.EverythingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_lock_of_a_run_that_was_killed_is_taken_over_after_fifteen_minutes_and_the_run_says_so()
    {
        await site.PutAsync(Key, """{"holder":"run 1 on db1","nonce":"0"}""");
        site.Proxy.On("GET", Key, WrittenAgo(TimeSpan.FromMinutes(16.5)));

        await using IStoreLock held = await store.LockAsync("run 2", Cancel);

        held.RequireHeld();
        held.Note.ShouldNotBeNull().ShouldContain("run 1 on db1");
        held.Note.ShouldContain("not renewed for 1");
        (await TextAsync()).ShouldContain("run 2");
    }

    [Fact]
    public async Task The_lock_of_a_process_of_this_host_that_is_gone_is_taken_over_at_once_and_of_one_that_runs_never()
    {
        string here = ProcessMark.Own![..ProcessMark.Own!.LastIndexOf('/')];
        here = here[..here.LastIndexOf('/')];
        string first = await File.ReadAllTextAsync("/proc/1/stat", Cancel);
        string start = first[(first.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[19];
        await site.PutAsync(Key, $$"""{"holder":"run 1","nonce":"0","process":"{{here}}/1/{{start}}"}""");
        await RefusedAsync("run 1");

        await site.PutAsync(Key, $$"""{"holder":"run 1","nonce":"0","process":"{{here}}/1/{{start}}1"}""");
        await using IStoreLock held = await store.LockAsync("run 2", Cancel);
        held.RequireHeld();
        held.Note.ShouldNotBeNull().ShouldContain("a process of this host that is gone");
        (await TextAsync()).ShouldContain("run 2");
    }

    [Fact]
    public async Task A_lock_that_this_very_process_does_not_hold_any_more_is_not_waited_for()
    {
        await site.PutAsync(Key, $$"""{"holder":"run 1","nonce":"0","process":"{{ProcessMark.Own}}"}""");

        await using IStoreLock held = await store.LockAsync("run 1", Cancel);

        held.Note.ShouldNotBeNull().ShouldContain("was not given back by this very run");
    }

    [Fact]
    public async Task A_lock_that_this_process_holds_for_another_store_tells_that_the_two_are_one_place()
    {
        await using IStoreLock held = await store.LockAsync("run 1", Cancel);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(async () =>
        {
            using var twin = new S3Store(
                "twin",
                gateway.Settings(site.Bucket, "backups", null, site.Proxy.Endpoint) with
                {
                    Retries = 1,
                },
                TimeProvider.System
            );
            await twin.LockAsync("run 1", Cancel);
        });

        (error.Code, error.Message.Contains("are one and the same place", StringComparison.Ordinal)).ShouldBe(
            (ErrorCode.StoresAreOne, true)
        );
    }

    [Fact]
    public async Task A_lock_taken_over_whose_answer_was_lost_is_held()
    {
        await site.PutAsync(Key, """{"holder":"run 1","nonce":"0"}""");
        site.Proxy.On("GET", Key, WrittenAgo(TimeSpan.FromMinutes(16)))
            .On(r => r.Method == "PUT" && r.PathAndQuery.EndsWith(Key, StringComparison.Ordinal), Fault.CutAfterForward, times: 3);

        await using IStoreLock held = await store.LockAsync("run 2", Cancel);

        held.RequireHeld();
        held.Note.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_lock_that_is_not_old_enough_is_not_taken_over()
    {
        await site.PutAsync(Key, """{"holder":"run 1","nonce":"0"}""");
        site.Proxy.On("GET", Key, WrittenAgo(TimeSpan.FromMinutes(14)), FaultProxy.Always);

        await RefusedAsync("run 1");

        (await site.EverythingAsync()).ShouldBe([Key], "and the question for the time leaves nothing");
    }

    [Fact]
    public async Task A_lock_that_is_renewed_is_not_taken_over()
    {
        var time = new ManualTime();
        await using IStoreLock held = await site.Store(clock: time).LockAsync("run 1", Cancel);
        string first = (await site.Client.GetObjectMetadataAsync(site.Bucket, Key, Cancel)).ETag;
        // The second run sees the lock, as it was first, as an old one.
        site.Proxy.On(
            "GET",
            Key,
            Fault.TamperHeaders(h => h["Last-Modified"] = h["ETag"] == first ? Ago(TimeSpan.FromHours(1)) : h["Last-Modified"]),
            FaultProxy.Always
        );

        await RenewAsync(time, TimeSpan.FromSeconds(5));

        await RefusedAsync("run 1");
        for (int i = 0; i < 6; i++)
        {
            await RenewAsync(time, TimeSpan.FromMinutes(3));
            held.RequireHeld();
        }
    }

    [Fact]
    public async Task A_renewal_whose_answer_was_lost_does_not_lose_the_lock()
    {
        var time = new ManualTime();
        await using IStoreLock held = await site.Store(clock: time).LockAsync("me", Cancel);
        site.Proxy.On("PUT", Key, Fault.CutAfterForward, times: 2);

        await RenewAsync(time, TimeSpan.FromSeconds(5));
        await RenewAsync(time, TimeSpan.FromMinutes(3));
        await RenewAsync(time, TimeSpan.FromMinutes(3));

        held.RequireHeld();
    }

    [Fact]
    public async Task A_lock_that_cannot_be_renewed_is_given_up_before_another_run_may_take_it()
    {
        var time = new ManualTime();
        await using IStoreLock held = await site.Store(clock: time, change: static s => s with { Retries = 0 }).LockAsync("me", Cancel);
        site.Proxy.On("GET", Key, Fault.AnswerError(403, "AccessDenied"), FaultProxy.Always);
        time.Advance(TimeSpan.FromMinutes(12));
        held.RequireHeld();

        time.Advance(TimeSpan.FromMinutes(2));

        PgBackupException error = Should.Throw<PgBackupException>(held.RequireHeld);
        error.Code.ShouldBe(ErrorCode.AlreadyRunning);
        error.Remedy.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_lock_that_somebody_took_is_lost_and_not_taken_from_them()
    {
        var time = new ManualTime();
        IStoreLock held = await site.Store(clock: time).LockAsync("me", Cancel);
        await site.PutAsync(Key, """{"holder":"somebody","nonce":"1"}""");
        time.Advance(TimeSpan.FromSeconds(5));

        await Shell.UntilAsync(() => Task.FromResult(IsLost(held)), "the lock is lost");
        await held.DisposeAsync();

        (await TextAsync()).ShouldContain("somebody");
    }

    [Fact]
    public async Task Giving_a_lock_back_leaves_one_that_somebody_took_in_the_meantime()
    {
        IStoreLock held = await store.LockAsync("me", Cancel);
        await site.PutAsync(Key, """{"holder":"somebody","nonce":"1"}""");

        await held.DisposeAsync();

        (await TextAsync()).ShouldContain("somebody");
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("\0\u0001 no JSON")]
    public async Task Garbage_is_a_lock_of_somebody_unknown(string garbage)
    {
        await site.PutAsync(Key, garbage);

        await RefusedAsync("its holder is not known");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task In_a_bucket_with_versions_the_second_run_is_refused_all_the_same(bool objectLock)
    {
        await using S3Site versioned = await S3Site.NewAsync(gateway, objectLock);
        await versioned.Client.PutBucketVersioningAsync(
            new PutBucketVersioningRequest
            {
                BucketName = versioned.Bucket,
                VersioningConfig = new S3BucketVersioningConfig { Status = Amazon.S3.VersionStatus.Enabled },
            },
            Cancel
        );
        IObjectStore there = versioned.Store(change: s => s with { ObjectLock = objectLock ? "GOVERNANCE" : null });

        await using (await there.LockAsync("run 1", Cancel))
        {
            (await Should.ThrowAsync<PgBackupException>(() => there.LockAsync("run 2", Cancel))).Message.ShouldEndWith(": run 1.");
        }

        (await there.LockAsync("run 3", Cancel)).RequireHeld();
        (await versioned.EverythingAsync()).ShouldBe([Key]);
        (await versioned.VersionsAsync()).Count.ShouldBe(objectLock ? 1 : 5, "its own versions are removed where there is object lock");
    }

    private static string Ago(TimeSpan age) => DateTimeOffset.UtcNow.Subtract(age).ToString("R", CultureInfo.InvariantCulture);

    private static Fault WrittenAgo(TimeSpan age) => Fault.ResponseHeader("Last-Modified", Ago(age));

    private static bool IsLost(IStoreLock held)
    {
        try
        {
            held.RequireHeld();
            return false;
        }
        catch (PgBackupException)
        {
            return true;
        }
    }

    private async Task RefusedAsync(string holder)
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => site.Store().LockAsync("run 2", Cancel));

        error.Code.ShouldBe(ErrorCode.AlreadyRunning);
        error.Message.ShouldEndWith($": {holder}.");
        error.Remedy.ShouldNotBeNull();
    }

    private async Task<string> TextAsync() => System.Text.Encoding.UTF8.GetString(await site.BytesAsync(Key));

    // The renewal is over when the next pause has begun.
    private static async Task RenewAsync(ManualTime time, TimeSpan pause)
    {
        await Shell.UntilAsync(() => Task.FromResult(time.IsWaitedFor(pause)), "the holder waits for its next renewal");
        time.Advance(pause);
        await Shell.UntilAsync(() => Task.FromResult(time.IsWaitedFor(TimeSpan.FromMinutes(3))), "the lock is renewed");
    }
}
