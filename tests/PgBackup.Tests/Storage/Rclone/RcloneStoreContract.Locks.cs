using System.Text;
using PgBackup.Host;
using PgBackup.Storage;
using PgBackup.Storage.Rclone;

namespace PgBackup.Tests.Storage.Rclone;

/// <summary>Locks of stores by rclone.</summary>
public abstract partial class RcloneStoreContract
{
    [Fact]
    public async Task A_lock_is_in_no_list()
    {
        await using IStoreLock held = await Store.LockAsync("me", Cancel);

        (await KeysAsync(Store, "")).ShouldBeEmpty();
        (await KeysAsync(Store, ".locks")).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_lock_of_a_run_that_was_killed_ends_by_itself()
    {
        var clock = new ManualClock(TimeProvider.System.GetUtcNow());
        IStoreLock killed = await StoreAt(clock).LockAsync("killed", Cancel); // never given back, and its clock stands still
        var later = new ManualClock(clock.GetUtcNow() + RcloneLock.ValidFor - TimeSpan.FromSeconds(1));

        (await Should.ThrowAsync<PgBackupException>(() => StoreAt(later).LockAsync("next", Cancel)))
            .Remedy.ShouldNotBeNull()
            .ShouldContain("ends by itself, at 2");
        later.Advance(TimeSpan.FromSeconds(1));
        await using IStoreLock next = await StoreAt(later).LockAsync("next", Cancel);

        next.Note.ShouldNotBeNull().ShouldContain("killed");
        Locks().Length.ShouldBe(1);
        Should.NotThrow(next.RequireHeld);

        // And if it was only asleep, it learns of it.
        clock.Advance(RcloneLock.ValidFor);
        Should.Throw<PgBackupException>(killed.RequireHeld).Code.ShouldBe(ErrorCode.AlreadyRunning);
        await killed.DisposeAsync();
        Locks().Length.ShouldBe(1);
    }

    [Fact]
    public async Task The_lock_of_a_process_of_this_host_that_is_gone_holds_nobody_up()
    {
        await using (await Store.LockAsync("killed", Cancel))
        {
            string lease = Lines("cat", $"{Remote}/.locks/{Locks().ShouldHaveSingleItem()}").ShouldHaveSingleItem();
            lease.ShouldContain(ProcessMark.Own!);
            string gone = lease.Replace(
                ProcessMark.Own!,
                ProcessMark.Own![..(ProcessMark.Own!.LastIndexOf('/') + 1)] + "1",
                StringComparison.Ordinal
            );
            await Store.PutAsync(".locks/gone-1", new MemoryStream(Encoding.UTF8.GetBytes(gone)), Cancel);
        }

        Locks().ShouldBe(["gone-1"]);
        await using IStoreLock next = await Store.LockAsync("next", Cancel);

        next.Note.ShouldNotBeNull().ShouldContain("killed");
        Locks().ShouldHaveSingleItem().ShouldNotBe("gone-1");
    }

    [Fact]
    public async Task A_lock_is_renewed_for_as_long_as_it_is_held()
    {
        var clock = new ManualClock(TimeProvider.System.GetUtcNow());
        await using (IStoreLock held = await StoreAt(clock).LockAsync("long", Cancel))
        {
            for (int i = 0; i < 7; i++)
            {
                string before = Locks().ShouldHaveSingleItem();
                clock.Advance(RcloneLock.RenewEvery);
                await FakeToolUntilAsync(() => Locks() is [string one] && one != before && clock.WaitingCount == 1);
            }

            Should.NotThrow(held.RequireHeld);
            (await Should.ThrowAsync<PgBackupException>(() => StoreAt(clock).LockAsync("second", Cancel))).Message.ShouldEndWith(": long.");
        }

        Locks().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_lock_that_another_run_has_removed_is_lost()
    {
        var clock = new ManualClock(TimeProvider.System.GetUtcNow());
        await using IStoreLock held = await StoreAt(clock).LockAsync("first", Cancel);
        await Store.DeleteAsync($".locks/{Locks().ShouldHaveSingleItem()}", Cancel);

        clock.Advance(RcloneLock.RenewEvery);

        await FakeToolUntilAsync(() => Record.Exception(held.RequireHeld) is PgBackupException { Code: ErrorCode.AlreadyRunning });
    }

    [Fact]
    public async Task A_lock_that_cannot_be_renewed_is_held_until_it_ends()
    {
        var clock = new ManualClock(TimeProvider.System.GetUtcNow());
        string broken = Folder["broken"];
        IObjectStore store = StoreThrough(
            $"[ ! -e '{broken}' ] || {{ echo 'Failed: no such host' >&2; exit 1; }}; exec rclone \"$@\"",
            clock
        );
        await using IStoreLock held = await store.LockAsync("first", Cancel);
        await File.WriteAllTextAsync(broken, "", Cancel);

        for (int i = 1; i < RcloneLock.ValidFor / RcloneLock.RenewEvery; i++)
        {
            clock.Advance(RcloneLock.RenewEvery);
            await FakeToolUntilAsync(() => clock.WaitingCount == 1);
            Should.NotThrow(held.RequireHeld);
        }

        clock.Advance(RcloneLock.RenewEvery);
        Should.Throw<PgBackupException>(held.RequireHeld).Message.ShouldContain("could not be renewed");
        File.Delete(broken);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100_000)]
    public async Task A_lock_that_cannot_be_read_counts_until_it_is_old(int times)
    {
        await PutAsync(".locks/odd", string.Concat(Enumerable.Repeat("no JSON", times)));

        (await Should.ThrowAsync<PgBackupException>(() => Store.LockAsync("me", Cancel))).Code.ShouldBe(ErrorCode.AlreadyRunning);

        await using IStoreLock taken = await StoreAt(
                new ManualClock(TimeProvider.System.GetUtcNow() + RcloneLock.ValidFor + TimeSpan.FromMinutes(1))
            )
            .LockAsync("me", Cancel);
        taken.Note.ShouldNotBeNull();
    }

    [Fact]
    public async Task Of_runs_that_begin_at_the_same_moment_one_at_most_goes_on()
    {
        for (int round = 0; round < 3; round++)
        {
            IStoreLock?[] locks = await Task.WhenAll(
                Enumerable
                    .Range(0, 3)
                    .Select(i =>
                        Task.Run(async () =>
                        {
                            try
                            {
                                return await Store.LockAsync($"run {i}", Cancel);
                            }
                            catch (PgBackupException e) when (e.Code == ErrorCode.AlreadyRunning)
                            {
                                return null;
                            }
                        })
                    )
            );

            locks.Count(static l => l is not null).ShouldBeLessThanOrEqualTo(1);
            foreach (IStoreLock? one in locks)
            {
                await (one?.DisposeAsync() ?? ValueTask.CompletedTask);
            }

            Locks().ShouldBeEmpty();
        }
    }
}
