using PgBackup.Postgres;

namespace PgBackup.Archives;

/// <summary>A name with its schema, of a table or of anything else that lies in one; without quotes.</summary>
internal readonly record struct TableName(string Schema, string Name)
{
    /// <summary>Both in quotes, for a statement.</summary>
    public string Quoted => $"{Sql.Name(Schema)}.{Sql.Name(Name)}";

    /// <summary>For people.</summary>
    public override string ToString() => $"{Schema}.{Name}";

    /// <summary>Reads <c>schema.name</c>, each plain or in double quotes, at a position of a statement; null where there is none.</summary>
    public static (TableName Name, int End)? Read(string sql, int start) =>
        Sql.ReadName(sql, start) is (string schema, int dot)
        && dot < sql.Length
        && sql[dot] == '.'
        && Sql.ReadName(sql, dot + 1) is (string name, int end)
            ? (new TableName(schema, name), end)
            : null;

    /// <summary>Reads the first of these words in a statement that a name follows; the name, or null.</summary>
    public static TableName? After(string sql, params ReadOnlySpan<string> words)
    {
        foreach (string word in words)
        {
            int at = sql.IndexOf(word, StringComparison.Ordinal);
            if (at >= 0 && Read(sql, at + word.Length) is (TableName name, _))
            {
                return name;
            }
        }

        return null;
    }

    /// <summary>
    /// What somebody typed: <c>schema.name</c>, or a name alone (its schema is then null). Quotes are needed only around a part that has a
    /// dot or a quote in it; upper and lower case matter.
    /// </summary>
    public static (string? Schema, string Name)? Typed(string text)
    {
        List<string> parts = [];
        for (int start = 0; start <= text.Length; )
        {
            int end;
            if (start < text.Length && text[start] == '"' && Sql.ReadName(text, start) is (string quoted, int after))
            {
                parts.Add(quoted);
                end = after;
            }
            else
            {
                end = text.IndexOf('.', start) is >= 0 and int dot ? dot : text.Length;
                parts.Add(text[start..end]);
            }

            if (end < text.Length && text[end] != '.')
            {
                return null;
            }

            start = end + 1;
        }

        return parts.TrueForAll(static p => p.Length > 0)
            ? parts switch
            {
                [string name] => (null, name),
                [string schema, string name] => (schema, name),
                _ => null,
            }
            : null;
    }
}
