using PgBackup.Storage;

namespace PgBackup.Operations.Backup;

/// <summary>
/// Waits for whoever works in the primary store, where a snapshot is due and another host may be taking it. The look under the lock
/// afterwards tells whether it did.
/// </summary>
/// <param name="store">The primary store.</param>
/// <param name="clock">The time.</param>
internal sealed class DueWait(IObjectStore store, TimeProvider clock)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    /// <summary>How long it is waited: longer than any night should take.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromHours(6);

    /// <summary>Waits until nobody has the store's lock.</summary>
    /// <param name="holder">Who waits.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.AlreadyRunning"/>: somebody still has it after six hours; or the store
    /// cannot be locked.</exception>
    public async Task WaitAsync(string holder, CancellationToken cancel)
    {
        DateTimeOffset begun = clock.GetUtcNow();
        while (true)
        {
            try
            {
                await using IStoreLock held = await store.LockAsync(holder, cancel);
                return;
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.AlreadyRunning && clock.GetUtcNow() - begun < Longest)
            {
                await Task.Delay(Pause, clock, cancel);
            }
        }
    }
}
