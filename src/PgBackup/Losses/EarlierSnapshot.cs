using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>An earlier snapshot as a comparison asks it: what it has, and what it had lost itself.</summary>
internal sealed class EarlierSnapshot
{
    private readonly Dictionary<(string Database, string? Table, string? Column), (Loss Loss, bool IsSettled)> losses = [];
    private readonly Dictionary<string, Part> databases = new(StringComparer.Ordinal);

    /// <summary>Reads a manifest.</summary>
    public EarlierSnapshot(Manifest manifest, Func<Manifest, Loss, bool> isConfirmed)
    {
        Manifest = manifest;
        Time = SnapshotId.TryParse(manifest.Id)!.Value.Time;
        foreach (Part part in manifest.Databases)
        {
            databases[part.Database!] = part;
        }

        foreach (Loss loss in manifest.Losses.Where(static l => l.Severity is Severity.Warning or Severity.Error))
        {
            bool settled = loss.IsExpected || isConfirmed(manifest, loss);
            var key = (loss.Database, loss.Table, loss.Column);
            // Of two that say the same, the one that is not settled counts.
            if (!settled || !losses.ContainsKey(key))
            {
                losses[key] = (loss, settled);
            }
        }
    }

    /// <summary>The record.</summary>
    public Manifest Manifest { get; }

    /// <summary>The time of its id.</summary>
    public DateTimeOffset Time { get; }

    /// <summary>What is lost in it, and nobody has settled.</summary>
    public IEnumerable<Loss> Open => losses.Values.Where(static l => !l.IsSettled).Select(static l => l.Loss);

    /// <summary>What is compared anew from a snapshot on: from this one, or as it says from an earlier one.</summary>
    public IEnumerable<SettledLoss> Settled =>
        losses
            .Values.Where(static l => l.IsSettled)
            .Select(l => new SettledLoss
            {
                Database = l.Loss.Database,
                Table = l.Loss.Table,
                Column = l.Loss.Column,
                Snapshot = Manifest.Id,
            })
            .Concat(Manifest.Settled);

    /// <summary>A database in it, or null.</summary>
    public Part? Database(string name) => databases.GetValueOrDefault(name);

    /// <summary>The loss of something, or of what it is in, that nobody has settled; null where there is none.</summary>
    public Loss? OpenLoss(string database, string? table, string? column) => Find(database, table, column, isSettled: false);

    /// <summary>Its loss, or that of what it is in, is settled: what was before does not count any more.</summary>
    public bool IsSettled(string database, string? table, string? column) => Find(database, table, column, isSettled: true) is not null;

    private Loss? Find(string database, string? table, string? column, bool isSettled)
    {
        return Of(null, null)
            ?? (
                table is null ? null
                : column is null ? Of(table, null)
                : Of(table, null) is { Kind: LossKind.TableGone } gone ? gone
                : Of(table, column)
            );

        Loss? Of(string? inTable, string? inColumn) =>
            losses.TryGetValue((database, inTable, inColumn), out (Loss Loss, bool IsSettled) found) && found.IsSettled == isSettled
                ? found.Loss
                : null;
    }
}
