using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Postgres;

namespace PgBackup.Archives;

/// <summary>
/// The globals of a snapshot as they are carried out at one target, and how they are compared with what the target then has. Pure.
/// What a target cannot take, or must not lose in the middle of a restore, is left as the target has it, and reported (<see cref="Kept"/>).
/// </summary>
internal sealed partial class GlobalsScript
{
    private const string CreateRole = "CREATE ROLE ";
    private const string AlterRole = "ALTER ROLE ";
    private const string CreateTablespace = "CREATE TABLESPACE ";
    private const string GrantedBy = " GRANTED BY ";

    // From here on a server asks of who granted a role whether he may; before, a superuser could name anybody.
    private const int GrantorsMatter = 16;

    private readonly ServerFacts target;
    private readonly bool anyGrantor;
    private readonly HashSet<string> firstSuperusers = new(StringComparer.Ordinal);

    /// <summary>Reads a script for a target.</summary>
    /// <param name="statements">Those of the snapshot, in order.</param>
    /// <param name="dumpMajor">The version of the pg_dumpall that wrote them.</param>
    /// <param name="bootstrap">The superuser that initdb made at the source, or null where the manifest does not name it.</param>
    /// <param name="target">What is known of the target.</param>
    public GlobalsScript(IReadOnlyList<string> statements, int dumpMajor, string? bootstrap, ServerFacts target)
    {
        this.target = target;
        Statements = [.. statements.Where(static s => !SessionSetting().IsMatch(s))];
        HasPasswords = Statements.Any(static s => RolePassword().IsMatch(s));
        anyGrantor = dumpMajor < GrantorsMatter && target.Major >= GrantorsMatter;
        firstSuperusers.UnionWith(bootstrap is null ? GuessBootstrap(Statements) : [bootstrap]);
        if (target.Bootstrap is { } here)
        {
            firstSuperusers.Add(here);
        }

        Roles = Statements.Select(static s => Name(s, CreateRole)).OfType<string>().ToHashSet(StringComparer.Ordinal);
        Kept = [.. Statements.Select(Keeps).OfType<string>()];
    }

    /// <summary>What is to be carried out, in order. The settings of the script's own session (its encoding) are no globals.</summary>
    public IReadOnlyList<string> Statements { get; }

    /// <summary>The roles that it makes.</summary>
    public IReadOnlySet<string> Roles { get; }

    /// <summary>All that it makes.</summary>
    public GlobalNames Names =>
        new(
            Roles,
            Statements.Select(static s => Name(s, CreateTablespace)).OfType<string>().ToHashSet(StringComparer.Ordinal),
            Statements.Select(static s => Name(s, GlobalsSupplement.AllRoles)).OfType<string>().ToHashSet(StringComparer.OrdinalIgnoreCase)
        );

    /// <summary>It has passwords of roles.</summary>
    public bool HasPasswords { get; }

    /// <summary>What the target's own roles keep though the snapshot says otherwise, a sentence for each. Known before anything is
    /// changed.</summary>
    public IReadOnlyList<string> Kept { get; }

    /// <summary>
    /// The statement as it is carried out. A grant of the first superuser is one of the target's, since a server lets nobody else grant as
    /// its first superuser; the role that restores keeps its password, and with the first superuser SUPERUSER and LOGIN.
    /// </summary>
    public string For(string statement)
    {
        if (Name(statement, AlterRole) is { } role && OfAttributes(statement, role))
        {
            string own = role == target.Role ? ValidUntil().Replace(RolePassword().Replace(statement, ""), "") : statement;
            return Holds(role)
                ? own.Replace(" NOSUPERUSER ", " SUPERUSER ", StringComparison.Ordinal)
                    .Replace(" NOLOGIN ", " LOGIN ", StringComparison.Ordinal)
                : own;
        }

        return Grantor(statement) is { } by && (anyGrantor || firstSuperusers.Contains(by))
            ? statement[..statement.LastIndexOf(GrantedBy, StringComparison.Ordinal)] + ";"
            : statement;
    }

    /// <summary>The form in which a statement of either side is compared: as carried out, and one wording for what means the
    /// same.</summary>
    public string Compared(string statement)
    {
        string own = For(statement);
        return Name(own, AlterRole) is { } role && OfAttributes(own, role) ? ValidUntil().Replace(own, Until) : own;
    }

    /// <summary>
    /// For a role that is there already: what takes from it what it may have of its own, since a dump says nothing of what is as in a new
    /// role. Empty for other statements. <paramref name="limited"/> names the roles whose password ends some day.
    /// </summary>
    public IReadOnlyList<string> Resets(string create, IReadOnlySet<string> limited)
    {
        if (Name(create, CreateRole) is not { } role)
        {
            return [];
        }

        string name = Sql.Name(role);
        string password = HasPasswords && role != target.Role ? " PASSWORD NULL" : "";
        string until = role != target.Role && limited.Contains(role) ? " VALID UNTIL 'infinity'" : "";
        return [$"ALTER ROLE {name} CONNECTION LIMIT -1{password}{until}", $"ALTER ROLE {name} RESET ALL"];
    }

    /// <summary>What the target has of these roles, or of all, beyond what the snapshot has; nothing takes it away.</summary>
    public IReadOnlyList<string> Besides(IEnumerable<string> present)
    {
        HashSet<string> known = [.. Statements.Select(Compared)];
        return [.. present.Where(s => !known.Contains(Compared(s)) && IsOfOurs(s))];
    }

    /// <summary>It is about a tablespace. By the first words: a comment on a role may speak of one.</summary>
    public static bool IsTablespace(string statement) => OfTablespace().IsMatch(statement);

    /// <summary>It makes something, which may be there already.</summary>
    public static bool Creates(string statement) => Creation().IsMatch(statement);

    /// <summary>The statement for people: in one line, without passwords.</summary>
    public static string Redact(string statement) => RolePassword().Replace(statement, " PASSWORD '***'").ReplaceLineEndings(" ");

    // No statement takes a limit away from a role that has one: infinity is as good. Older snapshots have other zones.
    private static string Until(Match match) =>
        match.Groups[1].Value == "infinity" ? ""
        : DateTimeOffset.TryParse(match.Groups[1].Value, CultureInfo.InvariantCulture, out DateTimeOffset at)
            ? $" VALID UNTIL '{at.UtcDateTime:O}'"
        : match.Value;

    private bool Holds(string role) => role == target.Bootstrap || (role == target.Role && target.IsSuperuser);

    private string? Keeps(string statement)
    {
        if (Name(statement, AlterRole) is not { } role || !OfAttributes(statement, role) || !Holds(role))
        {
            return null;
        }

        string lost = string.Join(
            " and ",
            ((string[])["NOSUPERUSER", "NOLOGIN"]).Where(w => statement.Contains($" {w} ", StringComparison.Ordinal))
        );
        return lost.Length == 0
            ? null
            : $"the role {role} is {lost} in the snapshot, and is left as it is: "
                + $"{(role == target.Bootstrap ? "it is the first superuser of the target" : "it carries out the restore")}.";
    }

    private bool IsOfOurs(string statement) =>
        statement.StartsWith(GlobalsSupplement.AllRoles, StringComparison.Ordinal)
        || (Name(statement, "COMMENT ON ROLE ") is { } commented && Roles.Contains(commented))
        || (Membership(statement) is { } grant && Roles.Contains(grant.Member));

    private static bool OfAttributes(string statement, string role) =>
        statement.StartsWith($"{AlterRole}{role} WITH ", StringComparison.Ordinal)
        || statement.StartsWith($"{AlterRole}{Sql.Name(role)} WITH ", StringComparison.Ordinal);

    private static string? Name(string statement, string words) =>
        statement.StartsWith(words, StringComparison.Ordinal) && Sql.ReadName(statement, words.Length) is (string name, _) ? name : null;

    // GRANT role TO member [WITH ADMIN OPTION, ...] [GRANTED BY role];
    private static (string Role, string Member, bool Admin)? Membership(string statement)
    {
        const string Grant = "GRANT ";
        const string To = " TO ";
        return
            statement.StartsWith(Grant, StringComparison.Ordinal)
            && Sql.ReadName(statement, Grant.Length) is (string role, int end)
            && string.CompareOrdinal(statement, end, To, 0, To.Length) == 0
            && Sql.ReadName(statement, end + To.Length) is (string member, int after)
            ? (role, member, statement.AsSpan(after).StartsWith(" WITH ADMIN ", StringComparison.Ordinal))
            : null;
    }

    private static string? Grantor(string statement)
    {
        int at = Membership(statement) is null ? -1 : statement.LastIndexOf(GrantedBy, StringComparison.Ordinal);
        return at > 0 && Sql.ReadName(statement, at + GrantedBy.Length) is (string by, int end) && end == statement.Length - 1 ? by : null;
    }

    // Only the first superuser grants a role without ADMIN OPTION on it (PostgreSQL manual, GRANT).
    private static IEnumerable<string> GuessBootstrap(IReadOnlyList<string> statements)
    {
        var granted = statements.Select(s => (Grant: Membership(s), By: Grantor(s))).Where(static g => g.Grant is not null).ToList();
        HashSet<(string Role, string Member)> admins =
        [
            .. granted.Where(static g => g.Grant!.Value.Admin).Select(static g => (g.Grant!.Value.Role, g.Grant!.Value.Member)),
        ];
        return granted.Where(g => g.By is { } by && !admins.Contains((g.Grant!.Value.Role, by))).Select(static g => g.By!);
    }

    [GeneratedRegex(@" PASSWORD '(?:[^']|'')*'")]
    private static partial Regex RolePassword();

    [GeneratedRegex(@" VALID UNTIL '((?:[^']|'')*)'")]
    private static partial Regex ValidUntil();

    // SET SESSION AUTHORIZATION, in contrast, says whose the next grant is.
    [GeneratedRegex(@"^SET (client_encoding|default_transaction_read_only|escape_string_warning|standard_conforming_strings) = ")]
    private static partial Regex SessionSetting();

    [GeneratedRegex(@"^(CREATE|ALTER|COMMENT ON|SECURITY LABEL FOR \S+ ON|(GRANT|REVOKE) [A-Z ,]+ ON) TABLESPACE ")]
    private static partial Regex OfTablespace();

    [GeneratedRegex(@"^CREATE (ROLE|TABLESPACE) ")]
    private static partial Regex Creation();
}
