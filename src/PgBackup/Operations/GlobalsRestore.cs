using System.Text.RegularExpressions;
using PgBackup.Encryption;
using PgBackup.Postgres;
using PgBackup.Tools;

namespace PgBackup.Operations;

/// <summary>
/// The restore of roles, memberships, role settings and tablespaces, statement by statement, so that each refusal is seen and judged.
/// </summary>
internal sealed partial class GlobalsRestore
{
    private const string AlreadyThere = "42710";
    private const string CreateRole = "CREATE ROLE ";

    private readonly IReadOnlyList<string> statements;
    private readonly ServerFacts facts;
    private readonly bool passwords;
    private readonly int dumpMajor;

    private GlobalsRestore(IReadOnlyList<string> statements, ServerFacts facts, int dumpMajor)
    {
        this.dumpMajor = dumpMajor;
        this.statements = statements;
        this.facts = facts;
        passwords = statements.Any(static s => RolePassword().IsMatch(s));
    }

    /// <summary>Decrypts and reads the script; changes nothing.</summary>
    public static async Task<GlobalsRestore> PrepareAsync(StoredPart stored, ICipher cipher, ServerFacts facts, CancellationToken cancel)
    {
        using ScriptReader script = await stored.ReadScriptAsync(cipher, cancel);
        return new GlobalsRestore(script.Statements, facts, stored.Part.Proof.DumpMajor);
    }

    /// <summary>Carries the statements out and compares what the server then says of its roles. Returns notes.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.GlobalsFailed"/> with every refused statement.</exception>
    public async Task<IReadOnlyList<string>> RunAsync(PostgresServer server, PsqlSession session, CancellationToken cancel)
    {
        List<string> problems = [];
        List<string> notes = [];
        foreach (string statement in statements)
        {
            PsqlReply reply = await session.TryAsync(Own(statement), cancel);
            if (reply.SqlState == AlreadyThere && Creates().IsMatch(statement))
            {
                // What a dump does not say is as in a new role; its ALTER ROLE says the rest.
                if (Plain(statement) is { } reset)
                {
                    await session.TryAsync(reset, cancel);
                }

                continue;
            }

            if (reply.Succeeded)
            {
                continue;
            }

            if (IsTablespace(statement))
            {
                notes.Add($"a tablespace was not restored: {reply.Message} (in: {Redact(statement)})");
            }
            else
            {
                problems.Add($"{reply.Message} (SQLSTATE {reply.SqlState}) in: {Redact(statement)}");
            }
        }

        if (dumpMajor != server.Tools.Major)
        {
            notes.Add($"the target is Postgres {server.Tools.Major}: the roles were restored without an error, but their wording was not compared.");
        }
        else if (problems.Count == 0)
        {
            HashSet<string> present = await ReadAsync(server, cancel);
            problems.AddRange(statements.Where(s => !IsTablespace(s) && !present.Contains(Own(s))).Select(s => $"not so at the target afterwards: {Redact(s)}"));
        }

        return problems.Count == 0
            ? notes
            : throw new PgBackupException(
                ErrorCode.GlobalsFailed,
                $"the roles could not all be restored at {server.Description}; no database was touched.\n  {string.Join("\n  ", problems.Take(15))}",
                "A role that is no superuser cannot restore all roles. Make the missing ones by hand, then restore without --globals.");
    }

    private async Task<HashSet<string>> ReadAsync(PostgresServer server, CancellationToken cancel)
    {
        using var script = new ScriptReader { KeepStatements = true };
        await using ToolStream dump = ToolStream.From(
            await server.DumpGlobalsAsync(passwords && facts.ReadsPasswords, TimeSpan.FromSeconds(30), cancel), cancel);
        await ArchiveDecoder.ReadAsync(dump, script, cancel);
        script.RequireEnd();
        return [.. script.Statements.Select(Own)];
    }

    // The role that restores keeps its own password: changing it would lock the restore out of the server.
    private string Own(string statement)
    {
        const string Alter = "ALTER ROLE ";
        return statement.StartsWith(Alter, StringComparison.Ordinal) && Sql.ReadName(statement, Alter.Length) is (string name, _) && name == facts.Role
            ? RolePassword().Replace(statement, "")
            : statement;
    }

    // The statement that takes from a role what it may have had of its own; the restoring role keeps its password here, too.
    private string? Plain(string create) =>
        create.StartsWith(CreateRole, StringComparison.Ordinal) && Sql.ReadName(create, CreateRole.Length) is (string name, _)
            ? $"ALTER ROLE {Sql.Name(name)} CONNECTION LIMIT -1{(passwords && name != facts.Role ? " PASSWORD NULL" : "")}"
            : null;

    private static bool IsTablespace(string statement) => OfTablespace().IsMatch(statement);

    private static string Redact(string statement) => RolePassword().Replace(statement, " PASSWORD '***'").ReplaceLineEndings(" ");

    [GeneratedRegex(@" PASSWORD '(?:[^']|'')*'")]
    private static partial Regex RolePassword();

    // By the first words: a comment on a role may speak of one.
    [GeneratedRegex(@"^(CREATE|ALTER|COMMENT ON|SECURITY LABEL FOR \S+ ON|(GRANT|REVOKE) [A-Z ,]+ ON) TABLESPACE ")]
    private static partial Regex OfTablespace();

    [GeneratedRegex(@"^CREATE (ROLE|TABLESPACE) ")]
    private static partial Regex Creates();
}
