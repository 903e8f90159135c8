using System.Text.RegularExpressions;
using PgBackup.Archives;
using PgBackup.Encryption;
using PgBackup.Postgres;
using PgBackup.Proofs;
using PgBackup.Snapshots;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Operations.Restore;

/// <summary>The restore of one database: prepared without changing anything, then run, then compared.</summary>
internal sealed partial class DatabaseRestore
{
    // A report is read by people, and mailed by cron.
    private const int ShownDifferences = 100;

    private readonly StoredPart stored;
    private readonly PostgresServer server;
    private readonly IReadOnlyList<DatabaseStatement> statements;
    private readonly bool tablespaces;
    private readonly bool standardStrings;
    private readonly bool rowTriggers;

    // pg_restore's jobs make a trigger of a partitioned table when that table, which has no rows of its own, is done: before its partitions are
    // filled. So the triggers, with all that comes behind the rows, wait until all rows are there.
    private static readonly string[][] Steps = [["pre-data", "data"], ["post-data"]];

    private DatabaseRestore(StoredPart stored, RestoreStep step, TargetDatabase? found, PostgresServer server, ScriptReader schema, bool tablespaces)
    {
        this.stored = stored;
        Step = step;
        Found = found;
        this.server = server;
        statements = schema.DatabaseStatements;
        standardStrings = schema.StandardStrings;
        rowTriggers = SchemaFacts.HasRowTriggersOnPartitioned(schema.Statements);
        this.tablespaces = tablespaces;
    }

    /// <summary>What is to be done.</summary>
    public RestoreStep Step { get; }

    /// <summary>What was there before, if anything.</summary>
    public TargetDatabase? Found { get; }

    /// <summary>The name under which it is restored at the target.</summary>
    public string Name => Step.Copy ?? Step.Name;

    /// <summary>It was made here, and is there now.</summary>
    public bool Made { get; private set; }

    /// <summary>The part that is restored.</summary>
    public Part Part => stored.Part;

    /// <summary>Things that the operator should know.</summary>
    public List<string> Notes { get; private init; } = [];

    /// <summary>What the restoring role is known to be refused.</summary>
    public IReadOnlyList<string> Beyond { get; private init; } = [];

    /// <summary>
    /// Compares the archive's schema with the target's roles and tablespaces; changes nothing. With
    /// <paramref name="rolesCome"/> the globals will be restored before this database, and its roles need not be there yet.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.TargetInvalid"/>, <see cref="ErrorCode.IdentityUnusable"/> and others.</exception>
    public static async Task<DatabaseRestore> PrepareAsync(
        StoredPart stored, ScriptReader schema, RestoreStep step, TargetDatabase? found, PostgresServer server, PsqlSession session, ServerFacts facts, bool rolesCome,
        TimeProvider clock, ICipher cipher, CancellationToken cancel)
    {
        await RestoreNeeds.RequireExtensionsAsync(step.Name, schema, session, cancel);
        if (step.Action != RestoreStep.Fill)
        {
            await RestoreNeeds.RequireLocalesAsync(step.Name, schema, session, cancel);
        }

        if (!rolesCome)
        {
            await RestoreNeeds.RequireRolesAsync(step.Name, schema, session, cancel);
        }

        IReadOnlyList<string> beyond = facts.IsSuperuser ? [] : await RestoreNeeds.BeyondAsync(step, schema, server, session, facts, clock, cancel);
        IReadOnlyList<string> computed = SchemaFacts.Computed(schema.Statements) is { } what ? [$"{step.Copy ?? step.Name}: {what}"] : [];
        IReadOnlyList<string> missing = await RestoreNeeds.MissingTablespacesAsync(schema, session, cancel);
        if (missing.Count == 0)
        {
            return new DatabaseRestore(stored, step, found, server, schema, tablespaces: true) { Beyond = beyond, Notes = [.. computed] };
        }

        using ScriptReader without = await stored.ReadSchemaAsync(cipher, server.Tools, tablespaces: false, cancel);
        return new DatabaseRestore(stored, step, found, server, without, tablespaces: false)
        {
            Beyond = beyond,
            Notes = [.. computed, $"{step.Name}: the target has no tablespace {string.Join(", ", missing)}; everything went to its default tablespace."],
        };
    }

    /// <summary>Makes the database if need be, fills it, gives it its settings, owner and privileges, and compares it with the proof.</summary>
    /// <param name="jobs">pg_restore's.</param>
    /// <param name="inMemoryOnly">Several only if the decrypted archive fits into memory.</param>
    /// <param name="filled">Is called when only the comparison is left.</param>
    /// <param name="cipher">With the identity.</param>
    /// <param name="clock">The time.</param>
    /// <param name="display">For a display.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<DatabaseRestoreReport> RunAsync(int jobs, bool inMemoryOnly, Action filled, ICipher cipher, TimeProvider clock, PartProgress display, CancellationToken cancel)
    {
        List<string> problems = [];
        long start = clock.GetTimestamp();
        display.State = "restoring";
        jobs = jobs > 1 && inMemoryOnly && !await server.Tools.Host.CanStageInMemoryAsync(Part.PlainSize, cancel) ? 1 : jobs;
        await using (PsqlSession session = await server.ConnectAsync(TimeSpan.Zero, clock, cancel))
        {
            if (Step.Action == RestoreStep.Drop)
            {
                await session.ExecuteAsync($"DROP DATABASE IF EXISTS {Sql.Name(Name)} WITH (FORCE)", cancel);
            }

            await CreateAsync(session, problems, cancel);
            try
            {
                await FillAsync(jobs, inMemoryOnly, cipher, display, problems, cancel);
            }
            catch (PgBackupException e) when (inMemoryOnly && e.Code == ErrorCode.StagingFailed)
            {
                // There was room a moment ago. Nothing was restored yet, and one job needs no file.
                Notes.Add($"{Name}: {e.Message} It was restored by one job instead of {jobs}.");
                jobs = 1;
                await FillAsync(jobs, inMemoryOnly, cipher, display, problems, cancel);
            }

            if (jobs > 1 && Made && Conflict(problems) is { } conflict)
            {
                // From the beginning, with one.
                Notes.Add($"{Name}: the {jobs} jobs of pg_restore {conflict}; it was restored again with one.");
                problems.Clear();
                await session.ExecuteAsync($"DROP DATABASE {Sql.Name(Name)}", cancel);
                Made = false;
                jobs = 1;
                await CreateAsync(session, problems, cancel);
                await FillAsync(jobs, inMemoryOnly, cipher, display, problems, cancel);
            }

            if (Step.Action != RestoreStep.Fill)
            {
                // A dump says how privileges differ from those of a new database: back to these first.
                await session.ExecuteAsync($"GRANT CONNECT ON DATABASE {Sql.Name(Name)} TO PUBLIC", cancel);
            }

            await CarryOutAsync(session, statements.Where(static s => !s.Creates && !s.PrecedesRows), problems, cancel);
        }

        filled();
        double restored = clock.GetElapsedTime(start).TotalSeconds;
        long compareStart = clock.GetTimestamp();
        display.State = "comparing";
        bool restoreFailed = problems.Count > 0;
        bool schemaCompared = true;
        try
        {
            await CompareOwnersAsync(clock, cancel);
            schemaCompared = await CompareAsync(cipher, clock, display, problems, cancel);
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            problems.Add($"the restored database cannot be compared: {e.Message}");
            if ((e.Remedy ?? DumpAdvice.For(e.Message)) is { } remedy)
            {
                problems.Add("what to do: " + remedy);
            }
        }

        if (problems.Count > 0)
        {
            problems.AddRange(await CloseAsync(clock));
        }

        return new DatabaseRestoreReport
        {
            Database = Part.Database!,
            RestoredAs = Name,
            Jobs = jobs,
            Rows = Part.Proof.Rows,
            Tables = Part.Proof.Tables.Count,
            RestoreSeconds = Math.Round(restored, 3),
            CompareSeconds = Math.Round(clock.GetElapsedTime(compareStart).TotalSeconds, 3),
            SchemaCompared = schemaCompared,
            Code = problems.Count == 0 ? null : PgBackupException.CodeTextOf(restoreFailed ? ErrorCode.RestoreFailed : ErrorCode.ProofDiffers),
            Problems = problems,
        };
    }

    [GeneratedRegex(@"\(in: (GRANT|REVOKE|ALTER DEFAULT PRIVILEGES)\b")]
    private static partial Regex Privileges();

    // What several workers of pg_restore do to each other, and a single one does not.
    private static string? Conflict(List<string> problems) =>
        problems.Exists(static p => p.Contains("deadlock detected", StringComparison.Ordinal)) ? "met in a deadlock"
        : problems.Exists(static p => p.Contains("could not resize shared memory segment", StringComparison.Ordinal))
            ? "and their file left too little memory"
        // They grant in any order: who owns a table may not grant on it before its schema was granted to them (seen with pg_restore 17).
        : problems.Exists(static p => p.Contains("permission denied for ", StringComparison.Ordinal) && Privileges().IsMatch(p)) ? "granted privileges in another order than they depend on each other"
        : null;

    // With its settings: generated columns, materialized views, checks and indexes on expressions may be computed by them.
    private async Task CreateAsync(PsqlSession session, List<string> problems, CancellationToken cancel)
    {
        if (Step.Action != RestoreStep.Fill)
        {
            await session.ExecuteGivenAsync(Placed(statements.First(static s => s.Creates)).For(Name), cancel);
            Made = true;
            // Nobody but its owner may come in while it is half full; the privileges of the snapshot are given at the end.
            await session.ExecuteAsync($"REVOKE CONNECT ON DATABASE {Sql.Name(Name)} FROM PUBLIC", cancel);
        }

        await CarryOutAsync(session, statements.Where(static s => s.PrecedesRows), problems, cancel);
    }

    private async Task CarryOutAsync(PsqlSession session, IEnumerable<DatabaseStatement> chosen, List<string> problems,
        CancellationToken cancel)
    {
        // Literals are read as they were written.
        await session.ExecuteAsync($"SET standard_conforming_strings = {(standardStrings ? "on" : "off")}", cancel);
        foreach (DatabaseStatement statement in chosen)
        {
            string text = statement.For(Name);
            PsqlReply reply;
            if (statement.Authorization is { } grantor)
            {
                reply = await session.TryGivenAsync(grantor, cancel);
                if (reply.Succeeded)
                {
                    reply = await session.TryGivenAsync(text, cancel);
                    await session.ExecuteAsync("RESET SESSION AUTHORIZATION", cancel);
                }

                text = $"{grantor} {text}";
            }
            else
            {
                reply = await session.TryGivenAsync(text, cancel);
            }

            if (!reply.Succeeded)
            {
                problems.Add($"{reply.Message} (SQLSTATE {reply.SqlState}) in: {Quotation.Line(text, 300)}");
            }
        }

        await session.SettleAsync(cancel);
    }

    private DatabaseStatement Placed(DatabaseStatement statement) => tablespaces ? statement : statement.WithoutTablespace();

    /// <summary>Closes it, if it was made here and is not good; what to tell the operator.</summary>
    public async Task<IReadOnlyList<string>> CloseAsync(TimeProvider clock) => Made ? [await TargetDatabase.CloseAsync(Name, server, clock)] : [];

    private async Task FillAsync(int jobs, bool inMemoryOnly, ICipher cipher, PartProgress display, List<string> problems,
        CancellationToken cancel)
    {
        var reading = new HashingStream(await stored.OpenPlainAsync(cipher, cancel));
        display.Follow(() => Part.PlainSize == 0 ? 0 : (long)((double)reading.BytesRead / Part.PlainSize * Part.Proof.Bytes));
        if (jobs > 1)
        {
            await using (reading)
            {
                await using StagedFile file = await server.Tools.Host.StageAsync(reading, Part.PlainSize, inMemoryOnly, cancel);
                var call = new RestoreCall { Database = Name, File = file.Path, Jobs = jobs, Tablespaces = tablespaces, Settings = stored.Settings };
                foreach (string[] sections in rowTriggers ? Steps : [[]])
                {
                    await using ToolProcess restore = await server.RestoreAsync(call with { Sections = sections }, cancel);
                    await restore.Input.DisposeAsync();
                    Judge(await restore.WaitAsync(cancel), restore.Errors, problems);
                }
            }
        }
        else
        {
            await using ToolProcess restore =
                await server.RestoreAsync(new RestoreCall { Database = Name, Tablespaces = tablespaces, Settings = stored.Settings },
                cancel);
            await using (reading)
            {
                await ArchiveFeed.FeedAsync(reading, restore, cancel);
            }

            Judge(await restore.WaitAsync(cancel), restore.Errors, problems);
        }
    }

    private void Judge(int exitCode, IReadOnlyList<string> errors, List<string> problems)
    {
        var judged = RestoreErrors.Read(exitCode, errors);
        problems.AddRange(judged.Problems);
        Notes.AddRange(judged.Notes.Select(n => $"{Name}: {n}"));
    }

    // A dump does not say whose an extension is: it belongs to who makes it. No difference from the dump, and nothing that a statement
    // could change.
    private async Task CompareOwnersAsync(TimeProvider clock, CancellationToken cancel)
    {
        if (Part.ExtensionOwners is not { Count: > 0 } owners)
        {
            return;
        }

        await using PsqlSession inside = await server.ConnectAsync(Name, TimeSpan.Zero, clock, cancel);
        foreach (System.Text.Json.JsonElement row in await inside.QueryAsync("SELECT extname, pg_get_userbyid(extowner) AS owner FROM pg_extension ORDER BY 1", cancel))
        {
            string extension = row.GetProperty("extname").GetString()!;
            string owner = row.GetProperty("owner").GetString()!;
            if (owners.TryGetValue(extension, out string? before) && before != owner)
            {
                Notes.Add($"{Name}: the extension {extension} belonged to {before}, and belongs to {owner} now: a dump does not say whose an extension is. Only its owner may alter or drop it.");
            }
        }
    }

    // Returns whether the schema could be compared too.
    private async Task<bool> CompareAsync(ICipher cipher, TimeProvider clock, PartProgress display, List<string> problems,
        CancellationToken cancel)
    {
        Proof expected = WithoutTablespace(Part.Proof);
        using RestoredProof found = await RestoredProof.ReadAsync(
            server, Name, stored, standardStrings, proof => ProofComparison.Of(expected, proof), cipher, clock, display, cancel);
        ProofComparison comparison = ProofComparison.Of(expected, found.Proof);
        if (found.Note is { } note)
        {
            Notes.Add($"{Name}: {note}");
        }

        if (!comparison.SchemaCompared)
        {
            Notes.Add($"the target is Postgres {server.Tools.Major}, the snapshot was made by pg_dump {Part.Proof.DumpMajor}: rows, sequences and large objects were compared, the wording of the schema was not.");
        }

        IEnumerable<string> differences = comparison.Differences;
        IReadOnlyList<string> explained = [];
        if (!comparison.StatementsEqual)
        {
            (explained, bool onlyNames) = await ExplainSchemaAsync(cipher, found.Script, cancel);
            if (onlyNames)
            {
                Notes.Add($"{Name}: constraints NOT NULL have other names, which the server gives by itself, and nothing else of the schema differs: {string.Join("; ", explained)}");
                differences = differences.Where(static d => !d.StartsWith(ProofComparison.Schema, StringComparison.Ordinal));
                explained = [];
            }
        }

        List<string> all = [.. differences.Select(static d => "differs from the original: " + d), .. explained];
        problems.AddRange(all.Take(ShownDifferences));
        if (all.Count > ShownDifferences)
        {
            problems.Add($"and {all.Count - ShownDifferences} more differences");
        }

        return comparison.SchemaCompared;
    }

    // Where the database itself lies is no more compared than where its tables do.
    private Proof WithoutTablespace(Proof proof) => DatabaseStatement.ProofOf(statements) == proof.Database
        ? proof with { Database = DatabaseStatement.ProofOf(statements.Select(static s => s.WithoutTablespace())) }
        : proof;

    // Which statements differ: the archive's script once more, this time with their texts.
    private async Task<(IReadOnlyList<string> Lines, bool OnlyNames)> ExplainSchemaAsync(ICipher cipher, ScriptReader found,
        CancellationToken cancel)
    {
        ArchiveDecoder decoder = await ArchiveDecoder.StartAsync(server.Tools, keepExcerpts: true, cancel);
        await using (var proving = new ProvingStream(new DeferredStream(async c => await stored.OpenPlainAsync(cipher, c), cancel), decoder))
        {
            byte[] buffer = new byte[256 * 1024];
            while (await proving.ReadAsync(buffer, cancel) > 0)
            {
                // to its end
            }

            var schema = StatementDifferences.Of(decoder.Script.StatementsMissingIn(found), found.StatementsMissingIn(decoder.Script));
            HashSet<string> expected = [.. decoder.Script.DatabaseStatements.Select(s => s.WithoutTablespace().For(Name))];
            HashSet<string> present = [.. found.DatabaseStatements.Select(s => s.For(Name))];
            List<string> own = [.. expected.Except(present).Select(static s => "expected, not found: " + StatementDifferences.OneLine(s)),
                .. present.Except(expected).Select(static s => "found, not expected: " + StatementDifferences.OneLine(s))];
            return ([.. schema.Lines, .. own], schema.OnlyNamesOfNotNull && own.Count == 0);
        }
    }
}
