namespace PgBackup.Operations;

/// <summary>A number of workers that several jobs share. Whoever comes first is served first, by as many as are free and wanted.</summary>
internal sealed class Workers(int count)
{
    private readonly Lock gate = new();
    private readonly Queue<(int Most, TaskCompletionSource<int> Turn)> waiting = new();
    private int free = count;

    /// <summary>Waits for at least one worker; returns how many were given.</summary>
    /// <param name="most">How many are of use.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<int> TakeAsync(int most, CancellationToken cancel)
    {
        TaskCompletionSource<int> turn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            waiting.Enqueue((most, turn));
            Serve();
        }

        await using (cancel.UnsafeRegister(static t => ((TaskCompletionSource<int>)t!).TrySetCanceled(), turn))
        {
            return await turn.Task;
        }
    }

    /// <summary>Gives workers back.</summary>
    public void Return(int workers)
    {
        lock (gate)
        {
            free += workers;
            Serve();
        }
    }

    private void Serve()
    {
        while (free > 0 && waiting.TryDequeue(out (int Most, TaskCompletionSource<int> Turn) next))
        {
            int given = Math.Min(free, next.Most);
            if (next.Turn.TrySetResult(given))
            {
                free -= given;
            }
        }
    }
}
