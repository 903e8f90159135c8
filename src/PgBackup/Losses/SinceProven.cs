using PgBackup.Archives;
using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>
/// What a snapshot lacks that the newest one before it had which a drill proved, and nobody has settled. A snapshot of an earlier version,
/// or of another host, says nothing of its losses itself. Pure.
/// </summary>
/// <param name="proven">The proven one.</param>
/// <param name="now">The later one, with what is known of its own losses.</param>
/// <param name="own">The losses that it says itself, judged.</param>
/// <param name="confirmations">What persons have confirmed.</param>
public sealed class SinceProven(Manifest proven, Manifest now, SurveyedLosses own, Confirmations confirmations)
{
    // Older ones were made long ago.
    private const int MostRead = 5;

    /// <summary>The proven one's id.</summary>
    public string Proven => proven.Id;

    /// <summary>The newest proven snapshot before another whose manifest can be read; null where there is none.</summary>
    public static async Task<Manifest?> FindAsync(Catalog catalog, SnapshotId before, CancellationToken cancel)
    {
        IEnumerable<CatalogEntry> entries = (await catalog.ListAsync(cancel)).Reverse();
        foreach (CatalogEntry entry in entries.Where(e => e.IsProven && e.Id < before).Take(MostRead))
        {
            if ((await catalog.TryReadManifestAsync(entry, cancel)).Manifest is { } manifest)
            {
                return manifest;
            }
        }

        return null;
    }

    /// <summary>The databases and tables that are gone, without those that the snapshot says itself.</summary>
    public IReadOnlyList<JudgedLoss> Gone() =>
        [
            .. LossRules
                .Of(now, [proven], TableClasses.BuiltIn, confirmations.Covers)
                .Losses.Where(l => l.Kind is LossKind.DatabaseGone or LossKind.TableGone && Own(l) is null)
                .Select(l => new JudgedLoss
                {
                    Loss = l,
                    Snapshot = now.Id,
                    By = confirmations.Find(now, l),
                    IsHandedOn = IsHandedOn(l),
                }),
        ];

    /// <summary>
    /// The tables of the schema public that a database had, and their columns as <c>table.column</c>, as far as that is known; without what
    /// is gone and settled.
    /// </summary>
    public IReadOnlySet<string> Had(string database)
    {
        HashSet<string> had = new(StringComparer.Ordinal);
        Part? part = proven.Databases.FirstOrDefault(p => p.Database == database);
        foreach (string table in part?.Proof.Tables.Keys ?? Enumerable.Empty<string>())
        {
            if (TableName.Read(table, 0) is not (TableName { Schema: "public" } name, _) || IsSettled(database, table, null))
            {
                continue;
            }

            had.Add(name.Name);
            IReadOnlyList<string> columns = part!.Tables?.GetValueOrDefault(table)?.Columns ?? [];
            had.UnionWith(columns.Where(c => !IsSettled(database, table, c)).Select(c => $"{name.Name}.{c}"));
        }

        return had;
    }

    private bool IsSettled(string database, string table, string? column)
    {
        var gone = new Loss
        {
            Kind = column is null ? LossKind.TableGone : LossKind.ColumnGone,
            Database = database,
            Table = table,
            Column = column,
            Before = 0,
            Now = 0,
            Since = proven.Id,
            Severity = Severity.Error,
        };
        return Own(gone) is { } said ? said.IsSettled : confirmations.Covers(now, gone) || IsHandedOn(gone);
    }

    private JudgedLoss? Own(Loss gone) =>
        own.All.FirstOrDefault(l =>
            l.Loss.Kind == gone.Kind && l.Loss.Database == gone.Database && l.Loss.Table == gone.Table && l.Loss.Column == gone.Column
        );

    // A loss of it, or of what it is in, was settled after the proven snapshot.
    private bool IsHandedOn(Loss gone) =>
        now.Settled.Any(s =>
            s.Database == gone.Database
            && (s.Table is null || (s.Table == gone.Table && (s.Column is null || s.Column == gone.Column)))
            && string.CompareOrdinal(s.Snapshot, proven.Id) > 0
        );
}
