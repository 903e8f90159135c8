namespace PgBackup;

/// <summary>Waits for something no longer than it may take.</summary>
public static class Patience
{
    /// <summary>
    /// Does something within a time. Then it is cancelled, and left behind where it does not heed that: a read of a dead disk, or of a
    /// network folder whose server is gone, cannot be ended by anybody.
    /// </summary>
    /// <param name="work">What to do.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>Its result; null where it did not end in time.</returns>
    /// <exception cref="PgBackupException">What it throws in time.</exception>
    public static async Task<T?> WithinAsync<T>(
        Func<CancellationToken, Task<T>> work,
        TimeSpan limit,
        TimeProvider clock,
        CancellationToken cancel
    )
        where T : class
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task<T> task = Task.Run(() => work(ending.Token), CancellationToken.None);
        try
        {
            return await task.WaitAsync(limit, clock, cancel);
        }
        catch (TimeoutException)
        {
            await ending.CancelAsync();
            Forget(task);
            return null;
        }
        catch (OperationCanceledException)
        {
            Forget(task);
            throw;
        }
    }

    /// <summary>The same; that it did not end in time is an error.</summary>
    /// <param name="what">What does not answer, for the message: <c>the store offsite</c>.</param>
    /// <param name="work">What to do.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.StoreUnavailable"/>, and what it throws in time.</exception>
    public static async Task<T> RequireAsync<T>(
        string what,
        Func<CancellationToken, Task<T>> work,
        TimeSpan limit,
        TimeProvider clock,
        CancellationToken cancel
    )
        where T : class =>
        await WithinAsync(work, limit, clock, cancel)
        ?? throw new PgBackupException(
            ErrorCode.StoreUnavailable,
            $"{what} did not answer within {limit.TotalSeconds:0} s.",
            "Look at its disk or its network."
        );

    // What it throws later is nobody's concern, and must not end the process.
    private static void Forget(Task task) =>
        task.ContinueWith(
            static t => _ = t.Exception,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted,
            TaskScheduler.Default
        );
}
