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

    /// <summary>The losses of a snapshot.</summary>
    /// <param name="manifest">Its manifest.</param>
    /// <param name="entry">What its folder holds: the mark <see cref="SnapshotLayout.Confirmed"/> settles all that is red in it.</param>
    /// <param name="cancel">Gives up.</param>
    public Task<SurveyedLosses> OfAsync(Manifest manifest, CatalogEntry entry, CancellationToken cancel) =>
        OfAsync(manifest, entry.Objects.ContainsKey(SnapshotLayout.Confirmed), cancel);

    /// <summary>The same, where it is known whether it has that mark.</summary>
    public async Task<SurveyedLosses> OfAsync(Manifest manifest, bool isMarkedConfirmed, CancellationToken cancel)
    {
        ConfirmationsReading? known = manifest.Losses.All(static l => l.IsExpected) ? null : await ConfirmationsAsync(cancel);
        return Of(manifest, isMarkedConfirmed, known?.Confirmations ?? Confirmations.None) with { Problems = known?.Problems ?? [] };
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
                && await OfAsync(manifest, entry, cancel) is { Unconfirmed.Count: > 0 } found
            )
            {
                return found;
            }
        }

        return null;
    }

    /// <summary>The losses of a snapshot, judged by what was confirmed. Pure.</summary>
    public static SurveyedLosses Of(Manifest manifest, bool isMarkedConfirmed, Confirmations confirmations) =>
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
                    IsMarked = isMarkedConfirmed && l.Severity == Severity.Error,
                }),
            ],
        };
}
