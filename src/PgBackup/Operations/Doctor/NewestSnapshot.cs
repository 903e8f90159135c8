using System.Collections.Concurrent;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Doctor;

/// <summary>
/// The newest complete snapshot, asked for once and by whoever needs its figures: of the last store, which drills restore from, else of
/// another one.
/// </summary>
internal sealed class NewestSnapshot(IReadOnlyList<IObjectStore> stores, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Lock asking = new();
    private readonly ConcurrentQueue<Finding> ignored = [];
    private Task<(IObjectStore, Manifest)?>? asked;

    /// <summary>Snapshots that were ignored because they cannot be read; complete when one was found.</summary>
    public IReadOnlyList<Finding> Ignored => [.. ignored];

    /// <summary>The manifest; null where there is no snapshot, or no store that can be read in time.</summary>
    public async Task<Manifest?> FindAsync(CancellationToken cancel) => (await WithStoreAsync(cancel))?.Manifest;

    /// <summary>The manifest, and the store that has it.</summary>
    public async Task<(IObjectStore Store, Manifest Manifest)?> WithStoreAsync(CancellationToken cancel)
    {
        Task<(IObjectStore, Manifest)?> asking;
        lock (this.asking)
        {
            // Several wait for it: the end of one of them must not be the end of it.
            asking = asked ??= Task.Run(() => AskAsync(CancellationToken.None), CancellationToken.None);
        }

        try
        {
            return await asking.WaitAsync(Patience, clock, cancel);
        }
        catch (TimeoutException)
        {
            return null; // the examination of the stores says which one does not answer
        }
    }

    private async Task<(IObjectStore, Manifest)?> AskAsync(CancellationToken cancel)
    {
        foreach (IObjectStore store in stores.Reverse())
        {
            try
            {
                return (store, (await new Catalog(store, clock) { PassedOver = ignored.Enqueue }.LatestAsync(cancel)).Manifest);
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
            {
                // An empty store, or one that the examination of the stores speaks of.
            }
        }

        return null;
    }
}
