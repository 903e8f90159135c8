using System.Text;

namespace PgBackup.Postgres;

/// <summary>Quoting of SQL text, for sessions with <c>standard_conforming_strings = on</c>.</summary>
public static class Sql
{
    /// <summary>A quoted identifier, always in double quotes.</summary>
    public static string Name(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    /// <summary>A string literal.</summary>
    public static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    /// <summary>
    /// Reads one identifier, plain or in double quotes, at a position of a statement.
    /// Returns the name it stands for and the position after it, or null where there is none.
    /// </summary>
    public static (string Name, int End)? ReadName(string sql, int start)
    {
        if (start >= sql.Length)
        {
            return null;
        }

        if (sql[start] != '"')
        {
            int end = start;
            while (end < sql.Length && (char.IsLetterOrDigit(sql[end]) || sql[end] is '_' or '$'))
            {
                end++;
            }

            return end == start ? null : (sql[start..end], end);
        }

        var name = new StringBuilder();
        for (int i = start + 1; i < sql.Length; i++)
        {
            if (sql[i] != '"')
            {
                name.Append(sql[i]);
            }
            else if (i + 1 < sql.Length && sql[i + 1] == '"')
            {
                name.Append('"');
                i++;
            }
            else
            {
                return (name.ToString(), i + 1);
            }
        }

        return null;
    }
}
