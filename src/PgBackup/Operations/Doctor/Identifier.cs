using System.Text.RegularExpressions;
using PgBackup.Postgres;

namespace PgBackup.Operations.Doctor;

/// <summary>Names in statements for people to copy.</summary>
internal static partial class Identifier
{
    /// <summary>In double quotes where it needs them, or where it might: any name but one of a few plain letters.</summary>
    public static string Quoted(string name) => Plain().IsMatch(name) && !Reserved.Contains(name) ? name : Sql.Name(name);

    // Those that people give to roles and databases (PostgreSQL manual, appendix C).
    private static readonly HashSet<string> Reserved = new(
        ["all", "analyze", "analyse", "current_user", "default", "group", "session_user", "table", "user", "public", "none", "to", "on"],
        StringComparer.Ordinal
    );

    [GeneratedRegex(@"^[a-z_][a-z0-9_]*\z")]
    private static partial Regex Plain();
}
