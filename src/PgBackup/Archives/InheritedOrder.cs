namespace PgBackup.Archives;

/// <summary>
/// The order of columns in tables that inherit. A child whose parent got a column later has it at its end; restored, it has it among
/// the inherited ones. Both are the same table, and pg_dump names the columns: here they are put into the order of their names.
/// (PostgreSQL's own test of dump and restore makes the same allowance, in adjust_regress_dumpfile.)
/// </summary>
internal static class InheritedOrder
{
    private const string Start = "CREATE ";
    private const string Table = "TABLE ";
    private const string Inherits = "\n)\nINHERITS (";

    /// <summary>For the definition of a table that inherits: its name as in the script, and the definition with sorted lines; else
    /// null.</summary>
    public static (string Table, string Sorted)? Definition(string statement)
    {
        int body = statement.IndexOf(" (\n", StringComparison.Ordinal);
        int end = statement.IndexOf(Inherits, StringComparison.Ordinal);
        int name = statement.IndexOf(Table, StringComparison.Ordinal);
        if (!statement.StartsWith(Start, StringComparison.Ordinal) || body < 0 || end < body || name < 0 || name > body)
        {
            return null;
        }

        IEnumerable<string> lines = statement[(body + 2)..end].Split('\n').Select(static l => l.TrimEnd(',')).Order(StringComparer.Ordinal);
        return (statement[(name + Table.Length)..body], statement[..(body + 2)] + string.Join('\n', lines) + statement[end..]);
    }

    /// <summary>The positions of a COPY's columns in the order of their names, or null when they stand in it already.</summary>
    public static int[]? Columns(string copy)
    {
        List<string> names = CopyHeader.Columns(copy);
        int[] order = [.. Enumerable.Range(0, names.Count).OrderBy(i => names[i], StringComparer.Ordinal)];
        return order.SequenceEqual(Enumerable.Range(0, names.Count)) ? null : order;
    }

    /// <summary>The row of a COPY (its fields part at tabs, which are escaped within a field) with its fields in that order.</summary>
    public static void Reorder(ReadOnlySpan<byte> row, int[] order, List<byte> sorted)
    {
        Span<Range> fields = order.Length <= 256 ? stackalloc Range[order.Length] : new Range[order.Length];
        int start = 0;
        for (int i = 0; i < order.Length; i++)
        {
            int length = row[start..].IndexOf((byte)'\t');
            int end = length < 0 ? row.Length : start + length;
            fields[i] = start..end;
            start = Math.Min(end + 1, row.Length);
        }

        sorted.Clear();
        foreach (int i in order)
        {
            if (sorted.Count > 0 || i != order[0])
            {
                sorted.Add((byte)'\t');
            }

            sorted.AddRange(row[fields[i]]);
        }
    }
}
