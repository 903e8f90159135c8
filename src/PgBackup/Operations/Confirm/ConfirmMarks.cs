using System.Globalization;
using System.Text;
using PgBackup.Losses;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Confirm;

/// <summary>
/// The marks <c>CONFIRMED</c> of a store: beside each snapshot with the mark <c>LOSS</c> in which all that is red is confirmed. They are
/// added and never removed, without the store's lock, which a run holds for hours.
/// </summary>
internal sealed class ConfirmMarks(IObjectStore store, TimeProvider clock)
{
    private const int MostLines = 100;

    private readonly Catalog catalog = new(store, clock);

    /// <summary>Adds those that are missing. May be called again, with the same end.</summary>
    /// <returns>The snapshots that got one now, and those that stay red; oldest first.</returns>
    /// <exception cref="PgBackupException">The store cannot be read or written; the marks that it has got are right.</exception>
    public async Task<(IReadOnlyList<string> Marked, IReadOnlyList<string> Red)> AddAsync(
        Confirmations confirmations,
        CancellationToken cancel
    )
    {
        List<string> marked = [];
        List<string> red = [];
        foreach (CatalogEntry entry in (await catalog.ListAsync(cancel)).Where(static e => e.HasUnconfirmedLoss))
        {
            if ((await catalog.TryReadManifestAsync(entry, cancel)).Manifest is { } manifest && IsSettled(manifest, confirmations))
            {
                if (await MarkAsync(entry.Id, Text(manifest, confirmations), cancel))
                {
                    marked.Add(manifest.Id);
                }
            }
            else
            {
                red.Add(entry.Id.ToString());
            }
        }

        return (marked, red);
    }

    /// <summary>What stands in the mark: who confirmed which loss, when, and why. A store's words are in one line each.</summary>
    internal static string Text(Manifest manifest, Confirmations confirmations)
    {
        var text = new StringBuilder();
        List<JudgedLoss> losses = [.. LossSurvey.Of(manifest, confirmations).All.Where(static l => l.IsSettled)];
        foreach (JudgedLoss loss in losses.Take(MostLines))
        {
            string by = loss.By is { } record ? JudgedLoss.Told(record) : "announced before the run";
            text.Append(CultureInfo.InvariantCulture, $"{loss.Loss.Kind.Word()}: {Foreign.Line(loss.Loss.Subject)}: {by}\n");
        }

        if (losses.Count > MostLines)
        {
            text.Append(CultureInfo.InvariantCulture, $"and {losses.Count - MostLines} more\n");
        }

        return text.ToString();
    }

    // A mark LOSS that the manifest does not explain was not set by a run, and nobody has confirmed it.
    private static bool IsSettled(Manifest manifest, Confirmations confirmations) =>
        LossSurvey.Of(manifest, confirmations) is { Unconfirmed.Count: 0 } found
        && found.All.Any(static l => l.Loss.Severity == Severity.Error && !l.Loss.IsExpected);

    // Whoever removes a snapshot removes its manifest before what else is in the folder: if the manifest is still there after the mark was
    // added, the mark stays with it or goes with it. If it is not, the mark would stand there alone.
    private async Task<bool> MarkAsync(SnapshotId id, string text, CancellationToken cancel)
    {
        string key = SnapshotLayout.Key(id, SnapshotLayout.Confirmed);
        using var content = new MemoryStream(Encoding.UTF8.GetBytes(text));
        await store.PutAsync(key, content, cancel);
        if ((await catalog.ReadEntryAsync(id, cancel)).HasManifest)
        {
            return true;
        }

        await store.DeleteAsync(key, cancel);
        return false;
    }
}
