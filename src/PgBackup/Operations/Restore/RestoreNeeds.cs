using System.Text.Json;
using System.Text.RegularExpressions;
using PgBackup.Archives;
using PgBackup.Postgres;

namespace PgBackup.Operations.Restore;

/// <summary>What a target has to have so that a database can be restored into it; asked before anything is changed.</summary>
internal static partial class RestoreNeeds
{
    /// <summary>Refuses a role that may not make databases, where one has to be made.</summary>
    /// <param name="what">What has to be made.</param>
    /// <param name="otherwise">What else would do.</param>
    /// <param name="session">A session at the target.</param>
    /// <param name="facts">Whose it is.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.TargetInvalid"/>.</exception>
    public static async Task RequireCreateDatabaseAsync(
        string what,
        string otherwise,
        PsqlSession session,
        ServerFacts facts,
        CancellationToken cancel
    )
    {
        JsonElement row = await session.QueryRowAsync(
            "SELECT rolcreatedb OR rolsuper AS may FROM pg_roles WHERE rolname = current_user",
            cancel
        );
        if (!row.GetProperty("may").GetBoolean())
        {
            throw new PgBackupException(
                ErrorCode.TargetInvalid,
                $"{facts.Role} may not make {what}; nothing was changed.",
                $"Restore as a role with CREATEDB. Or {otherwise}."
            );
        }
    }

    /// <summary>Without its owners a database comes back wrong, and with rows missing: better said before anything is made.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.TargetInvalid"/>.</exception>
    public static async Task RequireRolesAsync(string name, ScriptReader schema, PsqlSession session, CancellationToken cancel)
    {
        const string Owner = " OWNER TO ";
        HashSet<string> owners = new(StringComparer.Ordinal);
        foreach (
            string statement in schema.Statements.Where(static s => s.StartsWith("ALTER ", StringComparison.Ordinal) && s.EndsWith(';'))
        )
        {
            int at = statement.LastIndexOf(Owner, StringComparison.Ordinal);
            if (at > 0 && Sql.ReadName(statement, at + Owner.Length) is (string owner, int end) && end == statement.Length - 1)
            {
                owners.Add(owner);
            }
        }

        HashSet<string> present = new(StringComparer.Ordinal);
        foreach (JsonElement row in await session.QueryAsync("SELECT rolname FROM pg_roles", cancel))
        {
            present.Add(row.GetProperty("rolname").GetString()!);
        }

        List<string> missing = [.. owners.Where(o => !present.Contains(o)).Order(StringComparer.Ordinal)];
        if (missing.Count > 0)
        {
            throw new PgBackupException(
                ErrorCode.TargetInvalid,
                $"the target lacks roles that own things in {name}: {string.Join(", ", missing)}; nothing was changed.",
                "Add --globals, which restores the roles first, or make them by hand."
            );
        }
    }

    /// <summary>Without an extension nothing that uses its types or functions comes back.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.TargetInvalid"/>.</exception>
    public static async Task RequireExtensionsAsync(string name, ScriptReader schema, PsqlSession session, CancellationToken cancel)
    {
        IReadOnlyList<string> needed = RoleLimits.Extensions(schema.Statements);
        if (needed.Count == 0)
        {
            return;
        }

        RequireExtensions(needed, await RoleLimits.NamesAsync(session, "SELECT name FROM pg_available_extensions", cancel), name);
    }

    /// <summary>The same, of what is known to be available.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.TargetInvalid"/>.</exception>
    public static void RequireExtensions(IReadOnlyList<string> needed, IReadOnlySet<string> available, string what)
    {
        string[] missing = [.. needed.Where(n => !available.Contains(n))];
        if (missing.Length > 0)
        {
            throw new PgBackupException(
                ErrorCode.TargetInvalid,
                $"the target's server has no extension {string.Join(", ", missing)}, which {what} needs; nothing was changed.",
                "Install what provides it where that server runs (a package such as postgresql-17-NAME, or an image that has it). "
                    + "Tables that do not use it can be restored alone: --table."
            );
        }
    }

    /// <summary>A server makes no database with a locale that its operating system lacks.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.TargetInvalid"/>.</exception>
    public static async Task RequireLocalesAsync(string name, ScriptReader schema, PsqlSession session, CancellationToken cancel)
    {
        string[] locales =
        [
            .. schema
                .Statements.Where(static s => s.StartsWith("CREATE DATABASE ", StringComparison.Ordinal))
                .SelectMany(static s => Locale().Matches(s))
                .Select(static m => m.Groups[1].Value)
                .Distinct(StringComparer.Ordinal),
        ];
        foreach (string locale in locales)
        {
            // The one setting that takes any locale which the operating system has, and changes nothing outside of its transaction.
            PsqlReply reply = await session.TryAsync($"SELECT set_config('lc_monetary', '{locale}', true)", cancel);
            if (!reply.Succeeded && reply.SqlState == "22023")
            {
                throw new PgBackupException(
                    ErrorCode.TargetInvalid,
                    $"the operating system of the target's server has no locale "
                        + $"{locale.Replace("''", "'", StringComparison.Ordinal)}, which {name} needs; nothing was changed.",
                    "Install it where that server runs (Debian: the package locales, and dpkg-reconfigure locales) and restart the "
                        + "server, or use a server in the image of the original one; for a drill, drill.scratch."
                );
            }
        }
    }

    // As pg_dump writes them: of the operating system whoever provides the collations.
    [GeneratedRegex(" (?:LOCALE|LC_COLLATE|LC_CTYPE) = '((?:[^']|'')*)'")]
    private static partial Regex Locale();

    /// <summary>What the restoring role, no superuser, is known to be refused; null for nothing.</summary>
    public static async Task<Finding?> FallsShortAsync(
        RestoreStep step,
        ScriptReader schema,
        PostgresServer server,
        PsqlSession session,
        ServerFacts facts,
        CancellationToken cancel
    )
    {
        IReadOnlyList<string> refused;
        if (step.Action == RestoreStep.Fill)
        {
            await using PsqlSession inside = await server.ConnectAsync(step.Name, TimeSpan.Zero, cancel);
            refused = await RoleLimits.RefusedAsync(schema.Statements, session, inside, cancel);
        }
        else
        {
            refused = await RoleLimits.RefusedAsync(schema.Statements, session, null, cancel);
        }

        return refused.Count == 0
            ? null
            : Finding.Warning(
                ErrorCode.TargetFallsShort,
                step.Name,
                $"{step.Name}: {facts.Role} is not a superuser: the server will refuse at least {refused.Count} "
                    + $"{Words.Noun(refused.Count, "statement")} of the dump; the rest is restored, the verdict will be FAILED. "
                    + $"{string.Join("; ", refused.Take(6))}{(refused.Count > 6 ? "; ..." : "")}"
            );
    }

    /// <summary>The tablespaces that the target lacks, of what the archive places somewhere: <c>SET default_tablespace = x</c>, and
    /// <c>TABLESPACE = x</c> of the database itself.</summary>
    public static async Task<IReadOnlyList<string>> MissingTablespacesAsync(
        ScriptReader schema,
        PsqlSession session,
        CancellationToken cancel
    )
    {
        HashSet<string> named = new(StringComparer.Ordinal);
        const string Set = "SET default_tablespace = ";
        const string Own = " TABLESPACE = ";
        foreach (string statement in schema.Statements)
        {
            int at =
                statement.StartsWith(Set, StringComparison.Ordinal) ? Set.Length
                : statement.StartsWith("CREATE DATABASE ", StringComparison.Ordinal) && statement.Contains(Own, StringComparison.Ordinal)
                    ? statement.LastIndexOf(Own, StringComparison.Ordinal) + Own.Length
                : -1;
            if (at >= 0 && Sql.ReadName(statement, at) is (string name, _) && name.Length > 0)
            {
                named.Add(name);
            }
        }

        if (named.Count == 0)
        {
            return [];
        }

        HashSet<string> present = new(StringComparer.Ordinal);
        foreach (JsonElement row in await session.QueryAsync("SELECT spcname FROM pg_tablespace", cancel))
        {
            present.Add(row.GetProperty("spcname").GetString()!);
        }

        return [.. named.Where(n => !present.Contains(n))];
    }
}
