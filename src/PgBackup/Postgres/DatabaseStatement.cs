namespace PgBackup.Postgres;

/// <summary>
/// A statement of a dump that names the database itself: its creation, owner, settings, privileges, comment, labels. The name is
/// cut out, so that it can be compared, or carried out, under another one.
/// </summary>
internal sealed record DatabaseStatement
{
    private const string Hole = "\u0001";

    // Everything pg_dump --create writes about the database; what stands before the name.
    private static readonly string[] Forms =
    [
        "CREATE DATABASE ", "ALTER DATABASE ", "COMMENT ON DATABASE ", " IN DATABASE ", " ON DATABASE ",
    ];

    /// <summary>The statement with a hole instead of the database's name.</summary>
    public required string Template { get; init; }

    /// <summary>The database's name in the dump.</summary>
    public required string Name { get; init; }

    /// <summary>True for the statement that makes the database.</summary>
    public bool Creates => Template.StartsWith("CREATE DATABASE ", StringComparison.Ordinal);

    /// <summary>A quick look at the first words, before the text is decoded.</summary>
    public static bool MayBe(ReadOnlySpan<byte> statement) =>
        statement.StartsWith("CREATE DATABASE "u8) || statement.StartsWith("ALTER DATABASE "u8) || statement.StartsWith("COMMENT ON DATABASE "u8) ||
        ((statement.StartsWith("GRANT "u8) || statement.StartsWith("REVOKE "u8) || statement.StartsWith("SECURITY LABEL "u8)) &&
            statement.IndexOf(" ON DATABASE "u8) > 0) ||
        (statement.StartsWith("ALTER ROLE "u8) && statement.IndexOf(" IN DATABASE "u8) > 0);

    /// <summary>Reads such a statement, or returns null for any other.</summary>
    public static DatabaseStatement? Read(string statement)
    {
        foreach (string form in Forms)
        {
            int at = Find(statement, form);
            if (at < 0 || (form[0] != ' ' && at != 0))
            {
                continue;
            }

            int start = at + form.Length;
            if (Sql.ReadName(statement, start) is (string name, int end))
            {
                return new DatabaseStatement { Template = statement[..start] + Hole + statement[end..], Name = name };
            }
        }

        return null;
    }

    /// <summary>The statement for a database of another name.</summary>
    public string For(string database)
    {
        int hole = Template.IndexOf(Hole, StringComparison.Ordinal);
        return string.Concat(Template.AsSpan(0, hole), Sql.Name(database), Template.AsSpan(hole + Hole.Length));
    }

    // The position of the words outside of quotes: a role may be called "x ON DATABASE y".
    private static int Find(string statement, string words)
    {
        bool quoted = false;
        for (int i = 0; i + words.Length <= statement.Length; i++)
        {
            if (!quoted && string.CompareOrdinal(statement, i, words, 0, words.Length) == 0)
            {
                return i;
            }

            quoted ^= statement[i] == '"';
            if (!quoted && statement[i] == '\'')
            {
                return -1; // what follows is a value
            }
        }

        return -1;
    }
}
