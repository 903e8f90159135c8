using System.Text;
using PgBackup.Postgres;
using PgBackup.Proofs;

namespace PgBackup.Archives;

/// <summary>
/// A statement of a dump that names the database itself: its creation, owner, settings, privileges, comment, labels. The name is
/// cut out, so that it can be compared, or carried out, under another one.
/// </summary>
internal sealed record DatabaseStatement
{
    private const string Hole = "\u0001";
    private const string Set = " SET ";
    private const string Tablespace = " TABLESPACE = ";

    // What would hinder the sessions that fill it: they may not write, run as somebody else, or need a library that the target may lack.
    private static readonly string[] Hindering =
    [
        "default_transaction_read_only",
        "transaction_read_only",
        "role",
        "session_authorization",
        "session_preload_libraries",
        "local_preload_libraries",
    ];

    // Everything pg_dump --create writes about the database; what stands before the name.
    private static readonly string[] Forms =
    [
        "CREATE DATABASE ",
        "ALTER DATABASE ",
        "COMMENT ON DATABASE ",
        " IN DATABASE ",
        " ON DATABASE ",
    ];

    /// <summary>The statement with a hole instead of the database's name.</summary>
    public required string Template { get; init; }

    // Where the hole is: a role may have the same character in its name.
    private int HoleAt { get; init; }

    /// <summary>The database's name in the dump.</summary>
    public required string Name { get; init; }

    /// <summary>True for the statement that makes the database.</summary>
    public bool Creates => Template.StartsWith("CREATE DATABASE ", StringComparison.Ordinal);

    /// <summary>
    /// The statement <c>SET SESSION AUTHORIZATION</c> within which it stands, or null: a privilege that somebody other than the owner
    /// granted is granted by that role again.
    /// </summary>
    public string? Authorization { get; init; }

    /// <summary>A setting of the database, or of a role in it, that has to be there before the rows: what is computed from rows may depend
    /// on it.</summary>
    public bool PrecedesRows => Setting is { } name && !Hindering.Contains(name, StringComparer.OrdinalIgnoreCase);

    // The name of what it sets, or null.
    private string? Setting
    {
        get
        {
            int at = HoleAt + Hole.Length;
            return
                string.CompareOrdinal(Template, at, Set, 0, Set.Length) == 0
                && (
                    Template.StartsWith("ALTER DATABASE ", StringComparison.Ordinal)
                    || Template.StartsWith("ALTER ROLE ", StringComparison.Ordinal)
                )
                ? Sql.ReadName(Template, at + Set.Length)?.Name
                : null;
        }
    }

    /// <summary>The statement that makes the database, without the tablespace it is to lie in.</summary>
    public DatabaseStatement WithoutTablespace()
    {
        int at = Creates ? Template.LastIndexOf(Tablespace, StringComparison.Ordinal) : -1;
        return at < 0 ? this : this with { Template = Template[..at] + ";" };
    }

    /// <summary>What a proof says of such statements.</summary>
    public static StatementsProof ProofOf(IEnumerable<DatabaseStatement> statements)
    {
        var sum = new ContentDigest();
        foreach (DatabaseStatement statement in statements)
        {
            sum.AddContent(Encoding.UTF8.GetBytes(statement.Template));
        }

        return new StatementsProof { Count = sum.Count, Digest = sum.ToString() };
    }

    /// <summary>A quick look at the first words, before the text is decoded.</summary>
    public static bool MayBe(ReadOnlySpan<byte> statement) =>
        statement.StartsWith("CREATE DATABASE "u8)
        || statement.StartsWith("ALTER DATABASE "u8)
        || statement.StartsWith("COMMENT ON DATABASE "u8)
        || (
            (statement.StartsWith("GRANT "u8) || statement.StartsWith("REVOKE "u8) || statement.StartsWith("SECURITY LABEL "u8))
            && statement.IndexOf(" ON DATABASE "u8) > 0
        )
        || (statement.StartsWith("ALTER ROLE "u8) && statement.IndexOf(" IN DATABASE "u8) > 0);

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
                return new DatabaseStatement
                {
                    Template = statement[..start] + Hole + statement[end..],
                    HoleAt = start,
                    Name = name,
                };
            }
        }

        return null;
    }

    /// <summary>The statement for a database of another name.</summary>
    public string For(string database) =>
        string.Concat(Template.AsSpan(0, HoleAt), Sql.Name(database), Template.AsSpan(HoleAt + Hole.Length));

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
