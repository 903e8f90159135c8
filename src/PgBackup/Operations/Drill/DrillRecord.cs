using System.Text;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Drill;

/// <summary>The reports of drills in the stores, and the mark of a snapshot that a drill proved.</summary>
public static class DrillRecord
{
    // An old report is compared with the ten before it.
    private const int Compared = 11;

    // A report of a thousand databases has less than a megabyte.
    internal const int LargestReport = 16 << 20;

    /// <summary>The drills of a store, newest first.</summary>
    /// <param name="store">The store.</param>
    /// <param name="most">How many at most.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ObjectDamaged"/>: one is far too large; and those of the
    /// store.</exception>
    public static async Task<IReadOnlyList<DrillReport>> ListAsync(IObjectStore store, int most, CancellationToken cancel)
    {
        List<string> keys = [];
        await foreach (StoredObject one in store.ListAsync(SnapshotLayout.Drills, cancel))
        {
            if (one.Key.EndsWith(".json", StringComparison.Ordinal))
            {
                keys.Add(one.Key);
            }
        }

        List<DrillReport> reports = [];
        foreach (string key in keys.OrderDescending(StringComparer.Ordinal).Take(most))
        {
            if (await store.TryReadBytesAsync(key, LargestReport, cancel) is { } json && DrillReport.TryRead(json) is { } report)
            {
                reports.Add(report);
            }
        }

        return reports;
    }

    /// <summary>Writes a report into every store, and, if it proves the snapshot, the mark beside the snapshot wherever it lies.</summary>
    /// <param name="report">The drill.</param>
    /// <param name="proven">It proves the snapshot.</param>
    /// <param name="stores">All stores.</param>
    /// <param name="clock">The time.</param>
    /// <param name="progress">Reports each store that does not take it.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The report; with a failure more where no store took it: without evidence it is no drill that passed.</returns>
    internal static async Task<DrillReport> WriteAsync(
        DrillReport report,
        bool proven,
        IEnumerable<IObjectStore> stores,
        TimeProvider clock,
        Progress progress,
        CancellationToken cancel
    )
    {
        int written = 0;
        PgBackupException? lost = null;
        foreach (IObjectStore store in stores)
        {
            try
            {
                await PutAsync(report, store, cancel);
                written++;
                if (proven)
                {
                    await MarkAsync(report, new Catalog(store, clock), cancel);
                }
            }
            catch (PgBackupException e)
            {
                lost ??= e;
                progress.Warn(store.Name, $"the report could not be written: {e.Message}", e.Code);
            }
        }

        return written > 0 || lost is null
            ? report
            : report with
            {
                Findings =
                [
                    .. report.Findings,
                    Finding.Of(
                        Severity.Error,
                        ErrorCode.DrillNotRecorded,
                        report.Snapshot,
                        "the report could not be written into any store",
                        lost
                    ),
                ],
            };
    }

    private static async Task PutAsync(DrillReport report, IObjectStore store, CancellationToken cancel)
    {
        IReadOnlyList<DrillReport> earlier = [];
        try
        {
            earlier = await ListAsync(store, Compared, cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ObjectDamaged)
        {
            // It is compared with none then, and written all the same: it is the evidence.
        }

        await PutAsync(store, $"{SnapshotLayout.Drills}/{Name(report)}.md", DrillText.Write(report, earlier), cancel);
        await PutAsync(store, $"{SnapshotLayout.Drills}/{Name(report)}.json", Encoding.UTF8.GetString(report.ToJson()), cancel);
    }

    private static async Task MarkAsync(DrillReport report, Catalog catalog, CancellationToken cancel)
    {
        if (
            SnapshotId.TryParse(report.Snapshot) is { } id
            && await catalog.ReadEntryAsync(id, cancel) is { HasManifest: true } entry
            && !entry.Objects.ContainsKey(SnapshotLayout.InProgress)
        )
        {
            await PutAsync(
                catalog.Store,
                SnapshotLayout.Key(id, SnapshotLayout.Proven),
                $"restored and found equal in the drill {Name(report)}, from {report.Store}\n",
                cancel
            );
        }
    }

    private static string Name(DrillReport report) => SnapshotId.At(report.Started).ToString();

    private static async Task PutAsync(IObjectStore store, string key, string text, CancellationToken cancel)
    {
        using var content = new MemoryStream(Encoding.UTF8.GetBytes(text));
        await store.PutAsync(key, content, cancel);
    }
}
