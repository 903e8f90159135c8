using System.Text;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Drill;

/// <summary>The reports of past drills in several stores, by the times at which the drills began.</summary>
/// <param name="stores">The stores, asked in their order.</param>
/// <param name="clock">The time: the name of a report may be from the future.</param>
/// <param name="say">Gets a finding for each store that cannot be read, while another one can.</param>
public sealed class DrillReports(IReadOnlyList<IObjectStore> stores, TimeProvider clock, Action<Finding> say)
{
    private const int MostNamed = 5;

    /// <summary>The report for people, as it lies in the first store that has it: Markdown.</summary>
    /// <param name="time">When the drill began; null for the newest.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/>: there is none of that time;
    /// <see cref="ErrorCode.ObjectDamaged"/>: it is far too large; the error of the first store, where none can be read.</exception>
    public async Task<string> ReadTextAsync(SnapshotId? time, CancellationToken cancel) =>
        await FindAsync(time, ".md", static text => Encoding.UTF8.GetString(text), cancel);

    /// <summary>The same report as data.</summary>
    /// <param name="time">When the drill began; null for the newest.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">The same; <see cref="ErrorCode.ObjectDamaged"/> also where it is no report, or of a newer
    /// version.</exception>
    public async Task<DrillReport> ReadAsync(SnapshotId? time, CancellationToken cancel) =>
        await FindAsync(time, ".json", DrillReport.TryRead, cancel);

    private async Task<T> FindAsync<T>(SnapshotId? time, string extension, Func<byte[], T?> read, CancellationToken cancel)
        where T : class
    {
        SortedDictionary<SnapshotId, List<IObjectStore>> drills = await ListAsync(extension, cancel);
        if (drills.Count == 0)
        {
            throw new PgBackupException(ErrorCode.Usage, "no store has the report of a drill.", "`olympus-pgbackup drill` holds one.");
        }

        SnapshotId wanted = time ?? drills.Keys.Reverse().OrderBy(d => d.IsAfter(clock.GetUtcNow()) ? 1 : 0).First();
        if (!drills.TryGetValue(wanted, out List<IObjectStore>? having))
        {
            string[] newest = [.. drills.Keys.Reverse().Take(MostNamed).Select(static d => d.ToString())];
            string more = drills.Count > MostNamed ? $", and {drills.Count - MostNamed} older ones" : "";
            throw new PgBackupException(
                ErrorCode.Usage,
                $"no store has the report of a drill that began at {wanted}.",
                $"There are {string.Join(", ", newest)}{more}; `olympus-pgbackup drill --list` shows them."
            );
        }

        PgBackupException? failed = null;
        foreach (IObjectStore store in having)
        {
            string key = $"{SnapshotLayout.Drills}/{wanted}{extension}";
            try
            {
                if (read(await store.ReadBytesAsync(key, DrillRecord.LargestReport, cancel)) is { } found)
                {
                    return found;
                }

                failed ??= new PgBackupException(
                    ErrorCode.ObjectDamaged,
                    $"{key} in the store {store.Name} is no report of a drill, or one of a newer version.",
                    "Look at the file, or update olympus-pgbackup."
                );
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled && !cancel.IsCancellationRequested)
            {
                failed ??= e;
            }
        }

        throw failed!;
    }

    private async Task<SortedDictionary<SnapshotId, List<IObjectStore>>> ListAsync(string extension, CancellationToken cancel)
    {
        SortedDictionary<SnapshotId, List<IObjectStore>> drills = [];
        List<(IObjectStore Store, PgBackupException Error)> failed = [];
        foreach (IObjectStore store in stores)
        {
            try
            {
                await foreach (StoredObject one in store.ListAsync(SnapshotLayout.Drills, cancel))
                {
                    string name = one.Key[(one.Key.LastIndexOf('/') + 1)..];
                    if (name.EndsWith(extension, StringComparison.Ordinal) && SnapshotId.TryParse(name[..^extension.Length]) is { } id)
                    {
                        (drills.TryGetValue(id, out List<IObjectStore>? having) ? having : drills[id] = []).Add(store);
                    }
                }
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled && !cancel.IsCancellationRequested)
            {
                failed.Add((store, e));
            }
        }

        if (failed.Count > 0 && failed.Count == stores.Count)
        {
            throw failed[0].Error;
        }

        failed.ForEach(f => say(Finding.Of(Severity.Warning, f.Store.Name, f.Error)));
        return drills;
    }
}
