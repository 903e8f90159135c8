using PgBackup.Encryption;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Keys;

/// <summary>To whom the snapshots of all stores are encrypted, the old ones too: a private key is needed for as long as one of them
/// is.</summary>
internal sealed class KeyHistory
{
    private readonly SortedDictionary<string, Manifest> manifests = new(StringComparer.Ordinal);

    private KeyHistory() { }

    /// <summary>The recipients, those of the newest snapshots first, each as it is named there.</summary>
    public IReadOnlyList<Recipient> Recipients =>
        [.. manifests.Values.Reverse().SelectMany(static m => m.Recipients).DistinctBy(static r => KeysFolder.NameOf(r.Fingerprint))];

    /// <summary>Reads the manifest of each snapshot once, from the first store that has a readable one. What cannot be read is a
    /// finding.</summary>
    public static async Task<KeyHistory> OfAsync(
        IReadOnlyList<IObjectStore> stores,
        TimeProvider clock,
        List<Finding> findings,
        CancellationToken cancel
    )
    {
        KeyHistory history = new();
        SortedDictionary<string, string> unreadable = new(StringComparer.Ordinal);
        foreach (IObjectStore store in stores)
        {
            try
            {
                var catalog = new Catalog(store, clock);
                foreach (CatalogEntry entry in await catalog.ListAsync(cancel))
                {
                    string id = entry.Id.ToString();
                    if (history.manifests.ContainsKey(id))
                    {
                        continue;
                    }

                    (Manifest? manifest, PgBackupException? error) = await catalog.TryReadManifestAsync(entry, cancel);
                    if (manifest is not null)
                    {
                        history.manifests[id] = manifest;
                    }
                    else if ((error?.Message ?? entry.Unreadable) is { } why)
                    {
                        unreadable.TryAdd(id, why);
                    }
                }
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
            {
                // A store that does not exist was reported already.
                if (!findings.Any(f => IsOf(f, e)))
                {
                    string what = $"the store {store.Name} does not show whose keys its snapshots need";
                    findings.Add(Finding.Of(Severity.Warning, ErrorCode.KeyRecordsUnreadable, store.Name, what, e));
                }
            }
        }

        findings.AddRange(
            unreadable
                .Where(u => !history.manifests.ContainsKey(u.Key))
                .Select(static u =>
                    Finding.Warning(
                        ErrorCode.KeyRecordsUnreadable,
                        u.Key,
                        $"the snapshot {u.Key} does not show whose keys it needs",
                        u.Value
                    )
                )
        );
        return history;
    }

    /// <summary>The ids of the snapshots that a key decrypts, oldest first.</summary>
    public IReadOnlyList<string> SnapshotsOf(Recipient recipient) =>
        [.. manifests.Values.Where(m => Has(m, recipient)).Select(static m => m.Id)];

    /// <summary>The ids of encrypted snapshots that none of these keys decrypts, oldest first.</summary>
    public IReadOnlyList<string> SnapshotsWithout(IReadOnlyList<Recipient> recipients) =>
        [.. manifests.Values.Where(m => m.Recipients.Count > 0 && !recipients.Any(r => Has(m, r))).Select(static m => m.Id)];

    /// <summary>A finding that this very error is the reason of.</summary>
    internal static bool IsOf(Finding finding, PgBackupException error) =>
        finding.Fact.Contains(error.Message.TrimEnd('.'), StringComparison.Ordinal);

    private static bool Has(Manifest manifest, Recipient recipient) =>
        manifest.Recipients.Any(r => KeysFolder.NameOf(r.Fingerprint) == KeysFolder.NameOf(recipient.Fingerprint));
}
