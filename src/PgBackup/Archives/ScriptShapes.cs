using System.Text.RegularExpressions;
using PgBackup.Proofs;

namespace PgBackup.Archives;

/// <summary>
/// The shapes of the tables of a script, read as it passes by: columns from the lines before the rows, partitions from the statements that
/// make them some. Memory grows with the tables and their columns, never with rows.
/// </summary>
internal sealed partial class ScriptShapes
{
    private const string Only = "ALTER TABLE ONLY ";
    private const string Attach = " ATTACH PARTITION ";
    private const string PartitionOf = " PARTITION OF ";

    // Bounds of a partition by time stand at the beginning.
    private const int LongestBounds = 500;

    private readonly Dictionary<string, IReadOnlyList<string>> columns = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Parent, string? Date)> parents = new(StringComparer.Ordinal);

    /// <summary>The tables that have rows in the script, or could, by name.</summary>
    public SortedDictionary<string, TableShape> ToTables()
    {
        SortedDictionary<string, TableShape> tables = new(StringComparer.Ordinal);
        foreach ((string table, IReadOnlyList<string> names) in columns)
        {
            (string? root, string? date) = RootOf(table);
            tables[table] = new TableShape
            {
                Columns = names,
                Root = root,
                Date = date,
            };
        }

        return tables;
    }

    /// <summary>Takes the line before the rows of a table.</summary>
    public void Copy(string table, string copy) => columns[table] = CopyHeader.Columns(copy);

    /// <summary>The statement may make a table a partition, and <see cref="Read"/> is to see it.</summary>
    public static bool MayBe(ReadOnlySpan<byte> statement) =>
        (statement.StartsWith("ALTER TABLE ONLY "u8) && statement.IndexOf(" ATTACH PARTITION "u8) > 0)
        || (
            (statement.StartsWith("CREATE TABLE "u8) || statement.StartsWith("CREATE UNLOGGED TABLE "u8))
            && statement.IndexOf(" PARTITION OF "u8) > 0
        );

    /// <summary>Takes such a statement: <c>ALTER TABLE ONLY parent ATTACH PARTITION name FOR VALUES ...</c>, as pg_dump writes it since
    /// version 11, or <c>CREATE TABLE name PARTITION OF parent ...</c>.</summary>
    public void Read(string statement)
    {
        bool attaches = statement.StartsWith(Only, StringComparison.Ordinal);
        int first = attaches ? Only.Length : statement.IndexOf("TABLE ", StringComparison.Ordinal) + "TABLE ".Length;
        int end = CopyHeader.EndOfName(statement, first);
        string between = attaches ? Attach : PartitionOf;
        if (string.CompareOrdinal(statement, end, between, 0, between.Length) != 0)
        {
            return; // the words stand somewhere within it, in a default for instance
        }

        int second = end + between.Length;
        int last = CopyHeader.EndOfName(statement, second);
        (string one, string other) = (statement[first..end], statement[second..last]);
        (string parent, string child) = attaches ? (one, other) : (other, one);
        string bounds = statement[last..Math.Min(statement.Length, last + LongestBounds)];
        Match date = DateInBounds().Match(bounds);
        parents[child] = (parent, date.Success ? date.Groups[1].Value.Replace("-", "", StringComparison.Ordinal) : DateInName(child));
    }

    /// <summary>The date in the name of a partition, as digits: 2026 in <c>events_2026</c>, 202603 in <c>events_p2026_03</c> and
    /// <c>events_y2026m03</c>, 20260301 in <c>events_20260301</c>; null where there is none.</summary>
    public static string? DateInName(string name)
    {
        Match date = DatedName().Match(name);
        return date.Success ? date.Groups[1].Value + date.Groups[2].Value + date.Groups[3].Value : null;
    }

    // A partition of a partition is one of the table at the top. What a script says twice, or in a circle, ends somewhere all the same.
    private (string? Root, string? Date) RootOf(string table)
    {
        string? root = null;
        string? date = null;
        HashSet<string> seen = new(StringComparer.Ordinal) { table };
        string at = table;
        while (parents.TryGetValue(at, out (string Parent, string? Date) up) && seen.Add(up.Parent))
        {
            date ??= up.Date;
            root = at = up.Parent;
        }

        return (root, date);
    }

    [GeneratedRegex(@"'((?:19|20)\d\d-(?:0[1-9]|1[0-2])-[0-3]\d)")]
    private static partial Regex DateInBounds();

    [GeneratedRegex(@"(?<!\d)((?:19|20)\d\d)(?:[_m-]?(0[1-9]|1[0-2])(?:[_d-]?([0-3]\d))?)?(?!\d)")]
    private static partial Regex DatedName();
}
