using PgBackup.Encryption;
using PgBackup.Storage;

namespace PgBackup.Operations.Keys;

/// <summary>What all stores together know of keys.</summary>
internal sealed class KeysSurvey
{
    private readonly IReadOnlyList<(IObjectStore Store, KeysListing? Listing)> found;

    private KeysSurvey(IReadOnlyList<(IObjectStore, KeysListing?, Finding?)> found)
    {
        this.found = [.. found.Select(static f => (f.Item1, f.Item2))];
        Problems = [.. found.Select(static f => f.Item3).OfType<Finding>()];
    }

    /// <summary>At least one store could be read: a key of which nothing is known was never tested.</summary>
    public bool IsKnown => found.Any(static f => f.Listing is not null);

    /// <summary>What could not be read.</summary>
    public IReadOnlyList<Finding> Problems { get; }

    /// <summary>Lists the folder <c>keys/</c> of each store; one that cannot be read is a problem, and no error.</summary>
    public static async Task<KeysSurvey> OfAsync(IReadOnlyList<IObjectStore> stores, DateTimeOffset now, CancellationToken cancel) =>
        new(await Task.WhenAll(stores.Select(store => ListAsync(store, now, cancel))));

    /// <summary>The same of listings that were made already.</summary>
    public static KeysSurvey Of(IEnumerable<(IObjectStore Store, KeysListing? Listing)> found) =>
        new([.. found.Select(static f => (f.Store, f.Listing, (Finding?)null))]);

    /// <summary>Since when recipients can decrypt, at least: the time of their oldest canary; null where there is none.</summary>
    public DateTimeOffset? KnownSince(IReadOnlyList<Recipient> recipients) => found.Min(f => f.Listing?.CanaryWritten(recipients));

    /// <summary>When a key was tested last; null for never.</summary>
    public DateTimeOffset? LastTestOf(string fingerprint) => found.Max(f => f.Listing?.LastTestOf(fingerprint));

    /// <summary>The record of a key's last test, from the first store that has it; null where there is none, or it cannot be
    /// read.</summary>
    public async Task<KeyTest?> ReadLastTestAsync(string fingerprint, CancellationToken cancel)
    {
        if (LastTestOf(fingerprint) is not { } last)
        {
            return null;
        }

        foreach ((IObjectStore store, _) in found.Where(f => f.Listing?.LastTestOf(fingerprint) == last))
        {
            try
            {
                if (await new KeysFolder(store).ReadAsync(fingerprint, last, cancel) is { } test)
                {
                    return test;
                }
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
            {
                // Its name has the time; another store may have the rest.
            }
        }

        return null;
    }

    /// <summary>The stores that could be read and lack a canary, or its digest.</summary>
    public IEnumerable<IObjectStore> WithoutCanary(string name) =>
        found.Where(f => f.Listing?.HasCanary(name) == false).Select(static f => f.Store);

    private static async Task<(IObjectStore, KeysListing?, Finding?)> ListAsync(
        IObjectStore store,
        DateTimeOffset now,
        CancellationToken cancel
    )
    {
        try
        {
            return (store, await new KeysFolder(store).ListAsync(now, cancel), null);
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
        {
            string what = $"the store {store.Name} does not show when keys were tested";
            return (store, null, Finding.Of(Severity.Warning, ErrorCode.KeyRecordsUnreadable, store.Name, what, e));
        }
    }
}
