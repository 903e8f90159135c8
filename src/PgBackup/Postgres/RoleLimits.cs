using System.Text.Json;

namespace PgBackup.Postgres;

/// <summary>
/// What of a dump a role that is no superuser cannot carry out, so that it is known before anything is changed. It need not be all
/// (PostgreSQL manual, the pages of the commands).
/// </summary>
internal static class RoleLimits
{
    private const string Extension = "CREATE EXTENSION IF NOT EXISTS ";

    private static readonly string[] ForSuperusers =
    [
        "CREATE EVENT TRIGGER ",
        "CREATE FOREIGN DATA WRAPPER ",
        "CREATE LANGUAGE ",
        "CREATE PROCEDURAL LANGUAGE ",
        "CREATE TRUSTED LANGUAGE ",
        "CREATE TRUSTED PROCEDURAL LANGUAGE ",
        "CREATE OR REPLACE PROCEDURAL LANGUAGE ",
        "CREATE OR REPLACE TRUSTED PROCEDURAL LANGUAGE ",
        "CREATE ACCESS METHOD ",
        "CREATE OPERATOR CLASS ",
        "CREATE OPERATOR FAMILY ",
    ];

    /// <summary>The extensions that a schema needs.</summary>
    public static IReadOnlyList<string> Extensions(IReadOnlyList<string> statements) =>
        [
            .. statements
                .Where(static s => s.StartsWith(Extension, StringComparison.Ordinal))
                .Select(static s => Sql.ReadName(s, Extension.Length)?.Name)
                .OfType<string>(),
        ];

    /// <summary>The statements that the role will be refused.</summary>
    /// <param name="statements">The schema.</param>
    /// <param name="becomes">The roles that it is, or is a member of.</param>
    /// <param name="extensions">The extensions that are there, or that it may make.</param>
    public static IReadOnlyList<string> Refused(
        IReadOnlyList<string> statements,
        IReadOnlySet<string> becomes,
        IReadOnlySet<string> extensions
    ) => [.. statements.Where(s => IsRefused(s, becomes, extensions)).Select(Shown)];

    /// <summary>Asks a server what <see cref="Refused"/> needs to know; <paramref name="inside"/> is a session in the database that is
    /// filled, or null where it is made.</summary>
    public static async Task<IReadOnlyList<string>> RefusedAsync(
        IReadOnlyList<string> statements,
        PsqlSession session,
        PsqlSession? inside,
        CancellationToken cancel
    )
    {
        HashSet<string> becomes = await NamesAsync(
            session,
            "SELECT rolname AS name FROM pg_roles WHERE pg_has_role(oid, 'MEMBER')",
            cancel
        );
        HashSet<string> extensions = await NamesAsync(
            session,
            "SELECT DISTINCT name FROM pg_available_extension_versions WHERE trusted",
            cancel
        );
        if (inside is not null)
        {
            extensions.UnionWith(await NamesAsync(inside, "SELECT extname AS name FROM pg_extension", cancel));
        }

        return Refused(statements, becomes, extensions);
    }

    /// <summary>The names in a query's column <c>name</c>.</summary>
    public static async Task<HashSet<string>> NamesAsync(PsqlSession session, string select, CancellationToken cancel)
    {
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (JsonElement row in await session.QueryAsync(select, cancel))
        {
            names.Add(row.GetProperty("name").GetString()!);
        }

        return names;
    }

    private static bool IsRefused(string statement, IReadOnlySet<string> becomes, IReadOnlySet<string> extensions)
    {
        if (ForSuperusers.Any(s => statement.StartsWith(s, StringComparison.Ordinal)))
        {
            return true;
        }

        if (statement.StartsWith(Extension, StringComparison.Ordinal))
        {
            return Sql.ReadName(statement, Extension.Length) is (string extension, _) && !extensions.Contains(extension);
        }

        if (statement.StartsWith("CREATE SUBSCRIPTION ", StringComparison.Ordinal))
        {
            return !becomes.Contains("pg_create_subscription");
        }

        if (
            statement.StartsWith("CREATE PUBLICATION ", StringComparison.Ordinal)
            || statement.StartsWith("ALTER PUBLICATION ", StringComparison.Ordinal)
        )
        {
            return statement.Contains(" FOR ALL TABLES", StringComparison.Ordinal)
                || statement.Contains(" TABLES IN SCHEMA ", StringComparison.Ordinal);
        }

        const string Defaults = "ALTER DEFAULT PRIVILEGES FOR ROLE ";
        if (statement.StartsWith(Defaults, StringComparison.Ordinal))
        {
            return Sql.ReadName(statement, Defaults.Length) is (string of, _) && !becomes.Contains(of);
        }

        const string Owner = " OWNER TO ";
        int at = statement.StartsWith("ALTER ", StringComparison.Ordinal) ? statement.LastIndexOf(Owner, StringComparison.Ordinal) : -1;
        return at > 0
            && Sql.ReadName(statement, at + Owner.Length) is (string owner, int end)
            && end == statement.Length - 1
            && !becomes.Contains(owner);
    }

    private static string Shown(string statement)
    {
        string line = statement.ReplaceLineEndings(" ").TrimEnd(';');
        return line.Length > 80 ? line[..80] + " ..." : line;
    }
}
