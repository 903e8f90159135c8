using PgBackup.Encryption;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Tools;

namespace PgBackup.Operations;

/// <summary>The restore of one database: prepared without changing anything, then run, then compared.</summary>
internal sealed class DatabaseRestore
{
    private readonly StoredPart stored;
    private readonly PostgresServer server;
    private readonly IReadOnlyList<DatabaseStatement> statements;
    private readonly bool tablespaces;
    private readonly bool standardStrings;

    private DatabaseRestore(StoredPart stored, RestoreStep step, TargetDatabase? found, PostgresServer server, ScriptReader schema, bool tablespaces)
    {
        this.stored = stored;
        Step = step;
        Found = found;
        this.server = server;
        statements = schema.DatabaseStatements;
        standardStrings = schema.StandardStrings;
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
    public List<string> Notes { get; } = [];

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
        if (!rolesCome)
        {
            await RestoreNeeds.RequireRolesAsync(step.Name, schema, session, cancel);
        }

        IReadOnlyList<string> beyond = facts.IsSuperuser ? [] : await RestoreNeeds.BeyondAsync(step, schema, server, session, facts, clock, cancel);
        IReadOnlyList<string> missing = await RestoreNeeds.MissingTablespacesAsync(schema, session, cancel);
        if (missing.Count == 0)
        {
            return new DatabaseRestore(stored, step, found, server, schema, tablespaces: true) { Beyond = beyond };
        }

        using ScriptReader without = await stored.ReadSchemaAsync(cipher, server.Tools, tablespaces: false, cancel);
        return new DatabaseRestore(stored, step, found, server, without, tablespaces: false)
        {
            Beyond = beyond,
            Notes =
            {
                $"{step.Name}: the target has no tablespace {string.Join(", ", missing)}; everything went to its default tablespace.",
            },
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
        await using (PsqlSession session = await server.ConnectAsync(server.MaintenanceDatabase, TimeSpan.Zero, clock, cancel))
        {
            if (Step.Action == RestoreStep.Drop)
            {
                await session.ExecuteAsync($"DROP DATABASE IF EXISTS {Sql.Name(Name)} WITH (FORCE)", cancel);
            }

            await CreateAsync(session, cancel);
            await FillAsync(jobs, cipher, display, problems, cancel);
            if (jobs > 1 && Made && problems.Exists(static p => p.Contains("deadlock detected", StringComparison.Ordinal)))
            {
                // The workers of pg_restore locked each other out, which a single one cannot: from the beginning, with one.
                Notes.Add($"{Name}: the {jobs} jobs of pg_restore met in a deadlock; it was restored again with one.");
                problems.Clear();
                await session.ExecuteAsync($"DROP DATABASE {Sql.Name(Name)}", cancel);
                Made = false;
                jobs = 1;
                await CreateAsync(session, cancel);
                await FillAsync(jobs, cipher, display, problems, cancel);
            }

            if (Step.Action != RestoreStep.Fill)
            {
                // A dump says how privileges differ from those of a new database: back to these first.
                await session.ExecuteAsync($"GRANT CONNECT ON DATABASE {Sql.Name(Name)} TO PUBLIC", cancel);
            }

            // Literals are read as they were written.
            await session.ExecuteAsync($"SET standard_conforming_strings = {(standardStrings ? "on" : "off")}", cancel);
            foreach (DatabaseStatement statement in statements.Where(static s => !s.Creates))
            {
                PsqlReply reply = await session.TryAsync(statement.For(Name), cancel);
                if (!reply.Succeeded)
                {
                    problems.Add($"{reply.Message} (SQLSTATE {reply.SqlState}) in: {statement.For(Name)}");
                }
            }
        }

        filled();
        double restored = clock.GetElapsedTime(start).TotalSeconds;
        long compareStart = clock.GetTimestamp();
        display.State = "comparing";
        bool restoreFailed = problems.Count > 0;
        bool schemaCompared = true;
        try
        {
            schemaCompared = await CompareAsync(cipher, display, problems, cancel);
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            problems.Add($"the restored database cannot be compared: {e.Message}");
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

    private async Task CreateAsync(PsqlSession session, CancellationToken cancel)
    {
        if (Step.Action != RestoreStep.Fill)
        {
            await session.ExecuteAsync(statements.First(static s => s.Creates).For(Name), cancel);
            Made = true;
            // Nobody but its owner may come in while it is half full; the privileges of the snapshot are given at the end.
            await session.ExecuteAsync($"REVOKE CONNECT ON DATABASE {Sql.Name(Name)} FROM PUBLIC", cancel);
        }
    }

    /// <summary>Closes it, if it was made here and is not good; what to tell the operator.</summary>
    public async Task<IReadOnlyList<string>> CloseAsync(TimeProvider clock) => Made ? [await TargetDatabase.CloseAsync(Name, server, clock)] : [];

    private async Task FillAsync(int jobs, ICipher cipher, PartProgress display, List<string> problems, CancellationToken cancel)
    {
        var reading = new HashingStream(await stored.OpenPlainAsync(cipher, cancel));
        display.Follow(() => Part.PlainSize == 0 ? 0 : (long)((double)reading.BytesRead / Part.PlainSize * Part.Proof.Bytes));
        if (jobs > 1)
        {
            await using (reading)
            {
                await using StagedFile file = await server.Tools.Host.StageAsync(reading, Part.PlainSize, cancel);
                await using ToolProcess restore = await server.RestoreAsync(Name, file.Path, jobs, tablespaces, cancel);
                await restore.Input.DisposeAsync();
                Judge(await restore.WaitAsync(cancel), restore.Errors, problems);
            }
        }
        else
        {
            await using ToolProcess restore = await server.RestoreAsync(Name, null, 1, tablespaces, cancel);
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

    // Returns whether the schema could be compared too.
    private async Task<bool> CompareAsync(ICipher cipher, PartProgress display, List<string> problems, CancellationToken cancel)
    {
        using var script = new ScriptReader(keepExcerpts: true);
        display.Follow(() => script.BytesRead);
        await using (ToolStream dump = ToolStream.From(await server.DumpScriptAsync(Name, Part.Encoding!, standardStrings, cancel), cancel))
        {
            await ArchiveDecoder.ReadAsync(dump, script, cancel);
        }

        ProofComparison comparison = ProofComparison.Of(Part.Proof, script.Finish(server.Tools.Major));
        if (!comparison.SchemaCompared)
        {
            Notes.Add($"the target is Postgres {server.Tools.Major}, the snapshot was made by pg_dump {Part.Proof.DumpMajor}: rows, sequences and large objects were compared, the wording of the schema was not.");
        }

        List<string> differences = [.. comparison.Differences.Select(static d => "differs from the original: " + d)];
        if (!comparison.StatementsEqual)
        {
            differences.AddRange(await ExplainSchemaAsync(cipher, script, cancel));
        }

        problems.AddRange(differences);
        return comparison.SchemaCompared;
    }

    // Which statements differ: the archive's script once more, this time with their texts.
    private async Task<IReadOnlyList<string>> ExplainSchemaAsync(ICipher cipher, ScriptReader found, CancellationToken cancel)
    {
        ArchiveDecoder decoder = await ArchiveDecoder.StartAsync(server.Tools, keepExcerpts: true, cancel);
        await using (var proving = new ProvingStream(new DeferredStream(async c => await stored.OpenPlainAsync(cipher, c), cancel), decoder))
        {
            byte[] buffer = new byte[256 * 1024];
            while (await proving.ReadAsync(buffer, cancel) > 0)
            {
                // to its end
            }

            List<string> lines =
            [
                .. decoder.Script.StatementsMissingIn(found).Take(5).Select(static s => "expected, not found: " + OneLine(s)),
                .. found.StatementsMissingIn(decoder.Script).Take(5).Select(static s => "found, not expected: " + OneLine(s)),
            ];
            HashSet<string> expected = [.. decoder.Script.DatabaseStatements.Select(s => s.For(Name))];
            HashSet<string> present = [.. found.DatabaseStatements.Select(s => s.For(Name))];
            lines.AddRange(expected.Except(present).Select(static s => "expected, not found: " + OneLine(s)));
            lines.AddRange(present.Except(expected).Select(static s => "found, not expected: " + OneLine(s)));
            return lines;
        }
    }

    private static string OneLine(string statement)
    {
        string line = statement.ReplaceLineEndings(" ");
        return line.Length > 200 ? line[..200] + " ..." : line;
    }
}
