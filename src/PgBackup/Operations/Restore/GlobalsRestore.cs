using PgBackup.Archives;
using PgBackup.Postgres;

namespace PgBackup.Operations.Restore;

/// <summary>
/// The restore of roles, memberships, role settings and tablespaces, statement by statement, so that each refusal is seen and judged.
/// </summary>
internal sealed class GlobalsRestore
{
    private const string AlreadyThere = "42710";
    private const int Shown = 15;

    private readonly GlobalsScript script;
    private readonly ServerFacts facts;
    private readonly int dumpMajor;

    /// <summary>Changes nothing yet.</summary>
    /// <param name="script">The globals' script; its statements are taken over.</param>
    /// <param name="dumpMajor">The major version of the pg_dumpall that wrote it.</param>
    /// <param name="bootstrap">The superuser that initdb made at the source, or null where the manifest does not name it.</param>
    /// <param name="facts">Of the target.</param>
    public GlobalsRestore(ScriptReader script, int dumpMajor, string? bootstrap, ServerFacts facts)
    {
        this.script = new GlobalsScript(script.Statements, dumpMajor, bootstrap, facts);
        this.facts = facts;
        this.dumpMajor = dumpMajor;
    }

    /// <summary>What the target's own roles keep though the snapshot says otherwise; for the plan.</summary>
    public IReadOnlyList<Finding> Kept => [.. script.Kept.Select(static k => Finding.Note(ErrorCode.RoleKept, "", k))];

    /// <summary>What it makes.</summary>
    public GlobalNames Names => script.Names;

    /// <summary>Carries the statements out and compares what the server then says of its roles. Returns what is worth knowing.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.GlobalsFailed"/> with every refused statement.</exception>
    public async Task<IReadOnlyList<Finding>> RunAsync(PostgresServer server, PsqlSession session, CancellationToken cancel)
    {
        List<string> problems = [];
        List<Finding> findings = [.. Kept];
        await session.ExecuteAsync("SET default_transaction_read_only = off", cancel);
        HashSet<string> limited = await RoleLimits.NamesAsync(
            session,
            "SELECT rolname AS name FROM pg_roles WHERE rolvaliduntil < 'infinity'",
            cancel
        );
        foreach (string statement in script.Statements)
        {
            PsqlReply reply = await session.TryGivenAsync(script.For(statement), cancel);
            if (reply.SqlState == AlreadyThere && GlobalsScript.Creates(statement))
            {
                // Its ALTER ROLE says the rest.
                foreach (string reset in script.Resets(statement, limited))
                {
                    await session.TryGivenAsync(reset, cancel);
                }
            }
            else if (!reply.Succeeded && GlobalsScript.IsTablespace(statement))
            {
                findings.Add(
                    Finding.Note(
                        ErrorCode.RoleKept,
                        server.Description,
                        $"a tablespace was not restored: {reply.Message} (in: {GlobalsScript.Redact(statement)})"
                    )
                );
            }
            else if (!reply.Succeeded)
            {
                problems.Add($"{reply.Message} (SQLSTATE {reply.SqlState}) in: {GlobalsScript.Redact(statement)}");
            }
        }

        // The script may have set something for its own session, and whatever comes now is worded for one as it was opened.
        await session.SettleAsync(cancel);
        if (problems.Count == 0)
        {
            await CompareAsync(server, problems, findings, cancel);
        }

        return problems.Count == 0
            ? findings
            : throw new PgBackupException(
                ErrorCode.GlobalsFailed,
                $"the roles could not all be restored at {server.Description}; no database was touched.\n  "
                    + $"{string.Join("\n  ", problems.Take(Shown))}"
                    + $"{(problems.Count > Shown ? $"\n  and {problems.Count - Shown} more" : "")}",
                facts.IsSuperuser
                    ? "Make right at the target what is refused there, or make the missing roles by hand, then restore without --globals."
                    : "Only a superuser can restore all roles. Make the missing ones by hand, then restore without --globals."
            );
    }

    private async Task CompareAsync(PostgresServer server, List<string> problems, List<Finding> findings, CancellationToken cancel)
    {
        IReadOnlyList<string> there = await ReadAsync(server, cancel);
        HashSet<string> present = [.. there.Select(script.Compared)];
        bool comparable = dumpMajor == server.Tools.Major;
        if (!comparable)
        {
            findings.Add(
                Finding.Note(
                    ErrorCode.RoleKept,
                    server.Description,
                    $"the target is Postgres {server.Tools.Major}: the roles were restored without an error, but their wording was not "
                        + $"compared"
                )
            );
        }

        // What is worded here is worded alike for every version.
        problems.AddRange(
            script
                .Statements.Where(s =>
                    comparable
                        ? !GlobalsScript.IsTablespace(s) && !IsSession(s)
                        : s.StartsWith(GlobalsSupplement.AllRoles, StringComparison.Ordinal)
                )
                .Where(s => !present.Contains(script.Compared(s)))
                .Select(static s => $"not so at the target afterwards: {GlobalsScript.Redact(s)}")
        );
        if (comparable && script.Besides(there) is { Count: > 0 } besides)
        {
            findings.Add(
                Finding.Note(
                    ErrorCode.RoleKept,
                    server.Description,
                    $"the target has, and keeps, what the snapshot has not: "
                        + $"{string.Join(" ", besides.Take(6).Select(GlobalsScript.Redact))}{(besides.Count > 6 ? " ..." : "")}"
                )
            );
        }
    }

    // Whose the grant between the two is, is in the grant's own effect.
    private static bool IsSession(string statement) =>
        statement.StartsWith("SET SESSION AUTHORIZATION ", StringComparison.Ordinal)
        || statement.StartsWith("RESET SESSION AUTHORIZATION", StringComparison.Ordinal);

    private async Task<IReadOnlyList<string>> ReadAsync(PostgresServer server, CancellationToken cancel)
    {
        using var reader = new ScriptReader { KeepStatements = true };
        await using Stream dump = await server.OpenGlobalsAsync(
            script.HasPasswords && facts.ReadsPasswords,
            TimeSpan.FromSeconds(30),
            cancel
        );
        await ArchiveDecoder.ReadAsync(dump, reader, cancel);
        reader.RequireEnd();
        return reader.Statements;
    }
}
