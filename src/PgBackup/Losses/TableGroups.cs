using PgBackup.Archives;
using PgBackup.Proofs;
using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>The tables of one database in one snapshot, partitions with the table at their top.</summary>
internal sealed class TableGroups
{
    private readonly Dictionary<string, List<string>> groups = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> roots = new(StringComparer.Ordinal);

    /// <summary>Reads a part.</summary>
    /// <param name="part">The database in the snapshot.</param>
    /// <param name="known">The tops of partitions by other snapshots: a manifest of an older version does not say them.</param>
    public TableGroups(Part part, IReadOnlyDictionary<string, string> known)
    {
        Part = part;
        foreach (string table in part.Proof.Tables.Keys)
        {
            if ((part.Tables is { } shapes ? shapes.GetValueOrDefault(table)?.Root : known.GetValueOrDefault(table)) is { } root)
            {
                roots[table] = root;
            }

            string group = roots.GetValueOrDefault(table, table);
            if (!groups.TryGetValue(group, out List<string>? members))
            {
                groups[group] = members = [];
            }

            members.Add(table);
        }
    }

    /// <summary>The database.</summary>
    public Part Part { get; }

    /// <summary>The tables, and instead of partitions what they are partitions of.</summary>
    public IEnumerable<string> Names => groups.Keys;

    /// <summary>There is a table, a partition, or a table with partitions of this name.</summary>
    public bool Has(string table) => groups.ContainsKey(table) || Part.Proof.Tables.ContainsKey(table);

    /// <summary>A table or the partitions of one; empty where there is none.</summary>
    public IReadOnlyList<string> Members(string table) =>
        groups.TryGetValue(table, out List<string>? members) ? members
        : Part.Proof.Tables.ContainsKey(table) ? [table]
        : [];

    /// <summary>The partitions in it, each with its top.</summary>
    public IReadOnlyDictionary<string, string> Roots => roots;

    /// <summary>What a table, or a partition alone, has; 0 where there is none.</summary>
    public long RowsOf(string table) => Part.Proof.Tables.GetValueOrDefault(table)?.Rows ?? 0;

    /// <summary>The rows of a table, of all its partitions together.</summary>
    public long Rows(string table) => Members(table).Sum(RowsOf);

    /// <summary>The date of a partition for a span of time; null for any other table.</summary>
    public string? DateOf(string table) => Part.Tables?.GetValueOrDefault(table) is { } shape ? shape.Date : ScriptShapes.DateInName(table);

    /// <summary>The columns of a table or of its partitions; null where the manifest does not say them.</summary>
    public HashSet<string>? Columns(string table)
    {
        HashSet<string> columns = new(StringComparer.Ordinal);
        foreach (string member in Members(table))
        {
            if (Part.Tables?.GetValueOrDefault(member) is not { } shape)
            {
                return null;
            }

            columns.UnionWith(shape.Columns);
        }

        return columns;
    }

    /// <summary>A table with the same rows; null where there is none, or where there are no rows to know it by.</summary>
    public string? Like(TableProof table, Func<string, bool> mayBe) =>
        table.Rows == 0 ? null : Part.Proof.Tables.FirstOrDefault(t => t.Value == table && mayBe(t.Key)).Key;
}
