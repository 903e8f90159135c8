using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Losses;

/// <summary>
/// The losses of snapshots, and which of them are settled: the one reading for all faces. What was confirmed is read when the first loss
/// asks for it, once, from all stores.
/// </summary>
/// <param name="stores">All stores.</param>
/// <param name="clock">The time.</param>
public sealed class LossSurvey(IReadOnlyList<IObjectStore> stores, TimeProvider clock)
{
    // Older ones are found by `show`.
    private const int MostRead = 10;

    private ConfirmationsReading? reading;

    /// <summary>What persons have confirmed.</summary>
    public async Task<ConfirmationsReading> ConfirmationsAsync(CancellationToken cancel) =>
        reading ??= await new ConfirmationsReader(stores, clock).ReadAsync(cancel);

    /// <summary>The losses of a snapshot. Records alone settle them: the mark <see cref="SnapshotLayout.Confirmed"/> names nobody, and
    /// is there for listings.</summary>
    public async Task<SurveyedLosses> OfAsync(Manifest manifest, CancellationToken cancel)
    {
        ConfirmationsReading? known = manifest.Losses.All(static l => l.IsExpected) ? null : await ConfirmationsAsync(cancel);
        return Of(manifest, known?.Confirmations ?? Confirmations.None) with { Problems = known?.Problems ?? [] };
    }

    /// <summary>The newest snapshot that has an unconfirmed loss, by the names of a store, and its losses; null where there is
    /// none.</summary>
    /// <param name="catalog">The store's.</param>
    /// <param name="entries">What it lists, oldest first.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<SurveyedLosses?> NewestAsync(Catalog catalog, IReadOnlyList<CatalogEntry> entries, CancellationToken cancel)
    {
        foreach (CatalogEntry entry in entries.Reverse().Where(static e => e.HasUnconfirmedLoss).Take(MostRead))
        {
            if (
                (await catalog.TryReadManifestAsync(entry, cancel)).Manifest is { } manifest
                && await OfAsync(manifest, cancel) is { Unconfirmed.Count: > 0 } found
            )
            {
                return found;
            }
        }

        return null;
    }

    /// <summary>The newest complete snapshot of a store that has no unconfirmed loss; null where there is none. A mark
    /// <c>CONFIRMED</c> is believed where records say the same.</summary>
    /// <param name="catalog">The store's.</param>
    /// <param name="entries">What it lists, oldest first. Those of the future do not count.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">The store cannot be read.</exception>
    public async Task<CatalogEntry?> NewestWithoutAsync(Catalog catalog, IReadOnlyList<CatalogEntry> entries, CancellationToken cancel)
    {
        int read = 0;
        DateTimeOffset now = clock.GetUtcNow();
        IEnumerable<CatalogEntry> good = entries.Where(e => e is { IsComplete: true, HasUnconfirmedLoss: false } && !e.Id.IsAfter(now));
        foreach (CatalogEntry entry in good.Reverse())
        {
            if (!entry.HasConfirmedLoss)
            {
                return entry;
            }

            if (
                ++read <= MostRead
                && (await catalog.TryReadManifestAsync(entry, cancel)).Manifest is { } manifest
                && (await OfAsync(manifest, cancel)).Unconfirmed.Count == 0
            )
            {
                return entry;
            }
        }

        return null;
    }

    /// <summary>The losses of a snapshot, judged by what was confirmed. Pure.</summary>
    public static SurveyedLosses Of(Manifest manifest, Confirmations confirmations) =>
        new()
        {
            Snapshot = manifest.Id,
            All =
            [
                .. manifest.Losses.Select(l => new JudgedLoss
                {
                    Loss = l,
                    Snapshot = manifest.Id,
                    By = l.IsExpected ? null : confirmations.Find(manifest, l),
                }),
            ],
        };
}
