using System.Collections.Concurrent;

namespace PgBackup.Storage.S3;

/// <summary>
/// The memory of all uploads of one store: blocks of 8 MiB, lent out first come, first served, and never more than 32 MiB at a time
/// unless a single part needs more. An upload that waits for a block waits for the store, and so the dump waits for the store.
/// </summary>
internal sealed class PartMemory
{
    /// <summary>Bytes of a block, and of the smallest part: S3 wants at least 5 MiB.</summary>
    public const int BlockBytes = 8 << 20;

    /// <summary>How many there are.</summary>
    public const int Blocks = 4;

    private readonly ConcurrentBag<byte[]> free = [];
    private readonly Queue<(int Count, TaskCompletionSource Ready)> waiting = new();
    private int lent;

    /// <summary>The blocks that are lent at the moment.</summary>
    internal int Lent => Volatile.Read(ref lent);

    /// <summary>Lends memory for one part, when there is some. Disposing the part gives it back.</summary>
    public async Task<PartContent> RentAsync(int blocks, CancellationToken cancel)
    {
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (waiting)
        {
            waiting.Enqueue((blocks, ready));
            Serve();
        }

        using (cancel.UnsafeRegister(static (state, token) => ((TaskCompletionSource)state!).TrySetCanceled(token), ready))
        {
            try
            {
                await ready.Task;
            }
            catch (OperationCanceledException)
            {
                lock (waiting)
                {
                    Serve(); // those behind wait no longer for this one
                }

                throw;
            }
        }

        return new PartContent(
            this,
            [
                .. Enumerable
                    .Range(0, blocks)
                    .Select(_ => free.TryTake(out byte[]? block) ? block : GC.AllocateUninitializedArray<byte>(BlockBytes)),
            ]
        );
    }

    /// <summary>Takes a part's blocks back.</summary>
    public void Return(IReadOnlyList<byte[]> blocks)
    {
        foreach (byte[] block in blocks)
        {
            if (free.Count < Blocks)
            {
                free.Add(block);
            }
        }

        lock (waiting)
        {
            lent -= blocks.Count;
            Serve();
        }
    }

    // Under the lock. The first in the queue is never overtaken, or a large part would wait for ever.
    private void Serve()
    {
        while (waiting.TryPeek(out (int Count, TaskCompletionSource Ready) next))
        {
            if (!next.Ready.Task.IsCompleted && lent > 0 && lent + next.Count > Blocks)
            {
                return;
            }

            waiting.Dequeue();
            lent += next.Count;
            if (!next.Ready.TrySetResult())
            {
                lent -= next.Count; // whoever asked has given up
            }
        }
    }
}
