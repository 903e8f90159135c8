using PgBackup.Postgres;

namespace PgBackup.Archives;

/// <summary>What stands before the rows of a table: <c>COPY schema.table (column, "Column") FROM stdin;</c>.</summary>
internal static class CopyHeader
{
    /// <summary>The names of the columns, without quotes, in their order; empty for a table without any.</summary>
    public static List<string> Columns(string copy)
    {
        int open = EndOfName(copy, "COPY ".Length);
        string list = string.CompareOrdinal(copy, open, " (", 0, 2) == 0 ? copy[(open + 2)..copy.LastIndexOf(')')] : "";
        List<string> names = [];
        int at = 0;
        while (at < list.Length && Sql.ReadName(list, at) is (string name, int end))
        {
            names.Add(name);
            at = end + ", ".Length;
        }

        return names;
    }

    /// <summary>Where a name of the script that begins here ends: at a blank, a comma, a semicolon or a line end that is not in
    /// quotes.</summary>
    public static int EndOfName(string sql, int start)
    {
        int end = start;
        for (bool quoted = false; end < sql.Length && (quoted || sql[end] is not (' ' or ';' or ',' or '\n')); end++)
        {
            quoted ^= sql[end] == '"'; // names may hold blanks and parentheses
        }

        return end;
    }
}
