using System.Text.RegularExpressions;
using PgBackup.Archives;
using PgBackup.Encryption;
using PgBackup.Postgres;
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

    // What pg_restore said, and what differs: a line each.
    private readonly List<string> problems = [];

    // pg_restore's jobs make a trigger of a partitioned table when that table, which has no rows of its own, is done: before its partitions
    // are filled. So the triggers, with all that comes behind the rows, wait until all rows are there.
    private static readonly string[][] Steps =
    [
        ["pre-data", "data"],
        ["post-data"],
    ];

    private DatabaseRestore(
        StoredPart stored,
        RestoreStep step,
        TargetDatabase? found,
        PostgresServer server,
        ScriptReader schema,
        bool tablespaces
    )
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

    /// <summary>What the operator should know.</summary>
    public List<Finding> Findings { get; private init; } = [];

    /// <summary>What the restoring role is known to be refused; null where nothing is.</summary>
    public Finding? FallsShort { get; private init; }

    /// <summary>
    /// Compares the archive's schema with the target's roles and tablespaces; changes nothing. With
    /// <paramref name="rolesCome"/> the globals will be restored before this database, and its roles need not be there yet.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.TargetInvalid"/>, <see cref="ErrorCode.IdentityUnusable"/> and
    /// others.</exception>
    public static async Task<DatabaseRestore> PrepareAsync(
        StoredPart stored,
        ScriptReader schema,
        (RestoreStep Step, TargetDatabase? Found) planned,
        OpenTarget target,
        bool rolesCome,
        ICipher cipher,
        CancellationToken cancel
    )
    {
        (RestoreStep step, TargetDatabase? found) = planned;
        (PostgresServer server, PsqlSession session) = (target.Server, target.Session);
        await RestoreNeeds.RequireExtensionsAsync(step.Name, schema, session, cancel);
        if (step.Action != RestoreStep.Fill)
        {
            await RestoreNeeds.RequireLocalesAsync(step.Name, schema, session, cancel);
        }

        if (!rolesCome)
        {
            await RestoreNeeds.RequireRolesAsync(step.Name, schema, session, cancel);
        }

        Finding? fallsShort = target.Facts.IsSuperuser
            ? null
            : await RestoreNeeds.FallsShortAsync(step, schema, server, session, target.Facts, cancel);
        string name = step.Copy ?? step.Name;
        IReadOnlyList<Finding> computed = SchemaFacts.Computed(schema.Statements) is { } what ? [Noted(name, what)] : [];
        IReadOnlyList<string> missing = await RestoreNeeds.MissingTablespacesAsync(schema, session, cancel);
        if (missing.Count == 0)
        {
            return new DatabaseRestore(stored, step, found, server, schema, tablespaces: true)
            {
                FallsShort = fallsShort,
                Findings = [.. computed],
            };
        }

        using ScriptReader without = await stored.ReadSchemaAsync(cipher, server.Tools, tablespaces: false, cancel);
        return new DatabaseRestore(stored, step, found, server, without, tablespaces: false)
        {
            FallsShort = fallsShort,
            Findings =
            [
                .. computed,
                Noted(step.Name, $"the target has no tablespace {string.Join(", ", missing)}; everything went to its default tablespace"),
            ],
        };
    }

    /// <summary>Makes the database if need be, fills it, gives it its settings, owner and privileges, and compares it with the
    /// proof.</summary>
    /// <param name="jobs">pg_restore's.</param>
    /// <param name="inMemoryOnly">Several only if the decrypted archive fits into memory.</param>
    /// <param name="filled">Is called when only the comparison is left.</param>
    /// <param name="cipher">With the identity.</param>
    /// <param name="clock">The time.</param>
    /// <param name="display">For a display.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<DatabaseRestoreReport> RunAsync(
        int jobs,
        bool inMemoryOnly,
        Action filled,
        ICipher cipher,
        TimeProvider clock,
        PartProgress display,
        CancellationToken cancel
    )
    {
        long start = clock.GetTimestamp();
        display.State = PartState.Restoring;
        jobs = jobs > 1 && inMemoryOnly && !await server.Tools.Host.CanStageInMemoryAsync(Part.PlainSize, cancel) ? 1 : jobs;
        await using (PsqlSession session = await server.ConnectAsync(TimeSpan.Zero, cancel))
        {
            jobs = await MakeAndFillAsync(session, jobs, inMemoryOnly, cipher, display, cancel);
            if (Step.Action != RestoreStep.Fill)
            {
                // A dump says how privileges differ from those of a new database: back to these first.
                await session.ExecuteAsync($"GRANT CONNECT ON DATABASE {Sql.Name(Name)} TO PUBLIC", cancel);
            }

            await CarryOutAsync(session, statements.Where(static s => !s.Creates && !s.PrecedesRows), cancel);
        }

        filled();
        double restored = clock.GetElapsedTime(start).TotalSeconds;
        long compareStart = clock.GetTimestamp();
        bool restoreFailed = problems.Count > 0;
        bool schemaCompared = await CompareOrExplainAsync(cipher, display, cancel);
        if (problems.Count > 0)
        {
            problems.AddRange(await CloseAsync());
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
            Code =
                problems.Count == 0 ? null
                : restoreFailed ? ErrorCode.RestoreFailed
                : ErrorCode.ProofDiffers,
            Problems = problems,
        };
    }

    // Returns by how many jobs it was filled in the end.
    private async Task<int> MakeAndFillAsync(
        PsqlSession session,
        int jobs,
        bool inMemoryOnly,
        ICipher cipher,
        PartProgress display,
        CancellationToken cancel
    )
    {
        if (Step.Action == RestoreStep.Drop)
        {
            await session.ExecuteAsync($"DROP DATABASE IF EXISTS {Sql.Name(Name)} WITH (FORCE)", cancel);
        }

        await CreateAsync(session, cancel);
        try
        {
            await FillAsync(jobs, inMemoryOnly, cipher, display, cancel);
        }
        catch (PgBackupException e) when (inMemoryOnly && e.Code == ErrorCode.StagingFailed)
        {
            // There was room a moment ago. Nothing was restored yet, and one job needs no file.
            Findings.Add(Noted(Name, $"{e.Message.TrimEnd('.')}. It was restored by one job instead of {jobs}"));
            jobs = 1;
            await FillAsync(jobs, inMemoryOnly, cipher, display, cancel);
        }

        if (jobs == 1 || !Made || Conflict() is not { } conflict)
        {
            return jobs;
        }

        // From the beginning, with one.
        Findings.Add(Noted(Name, $"the {jobs} jobs of pg_restore {conflict}; it was restored again with one"));
        problems.Clear();
        await session.ExecuteAsync($"DROP DATABASE {Sql.Name(Name)}", cancel);
        Made = false;
        await CreateAsync(session, cancel);
        await FillAsync(1, inMemoryOnly, cipher, display, cancel);
        return 1;
    }

    [GeneratedRegex(@"\(in: (GRANT|REVOKE|ALTER DEFAULT PRIVILEGES)\b")]
    private static partial Regex Privileges();

    // What several workers of pg_restore do to each other, and a single one does not.
    private string? Conflict() =>
        problems.Exists(static p => p.Contains("deadlock detected", StringComparison.Ordinal)) ? "met in a deadlock"
        : problems.Exists(static p => p.Contains("could not resize shared memory segment", StringComparison.Ordinal))
            ? "and their file left too little memory"
        // They grant in any order: who owns a table may not grant on it before its schema was granted to them (seen with pg_restore 17).
        : problems.Exists(static p => p.Contains("permission denied for ", StringComparison.Ordinal) && Privileges().IsMatch(p))
            ? "granted privileges in another order than they depend on each other"
        : null;

    // With its settings: generated columns, materialized views, checks and indexes on expressions may be computed by them.
    private async Task CreateAsync(PsqlSession session, CancellationToken cancel)
    {
        if (Step.Action != RestoreStep.Fill)
        {
            await session.ExecuteGivenAsync(Placed(statements.First(static s => s.Creates)).For(Name), cancel);
            Made = true;
            // Nobody but its owner may come in while it is half full; the privileges of the snapshot are given at the end.
            await session.ExecuteAsync($"REVOKE CONNECT ON DATABASE {Sql.Name(Name)} FROM PUBLIC", cancel);
        }

        await CarryOutAsync(session, statements.Where(static s => s.PrecedesRows), cancel);
    }

    private async Task CarryOutAsync(PsqlSession session, IEnumerable<DatabaseStatement> chosen, CancellationToken cancel)
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
    public async Task<IReadOnlyList<string>> CloseAsync() => Made ? [await TargetDatabase.CloseAsync(Name, server)] : [];

    private static Finding Noted(string name, string what) => Finding.Note(ErrorCode.RestoreNoted, name, $"{name}: {what}");

    private async Task FillAsync(int jobs, bool inMemoryOnly, ICipher cipher, PartProgress display, CancellationToken cancel)
    {
        var reading = new HashingStream(await stored.OpenPlainAsync(cipher, cancel));
        display.Follow(() => Part.PlainSize == 0 ? 0 : (long)((double)reading.BytesRead / Part.PlainSize * Part.Proof.Bytes));
        if (jobs > 1)
        {
            await using (reading)
            {
                await using StagedFile file = await server.Tools.Host.StageAsync(reading, Part.PlainSize, inMemoryOnly, cancel);
                var call = new RestoreCall
                {
                    Database = Name,
                    File = file.Path,
                    Jobs = jobs,
                    Tablespaces = tablespaces,
                    Settings = stored.Settings,
                };
                foreach (
                    string[] sections in rowTriggers
                        ? Steps
                        :
                        [
                            [],
                        ]
                )
                {
                    await using ToolProcess restore = await server.RestoreAsync(call with { Sections = sections }, cancel);
                    await restore.Input.DisposeAsync();
                    Judge(await restore.WaitAsync(cancel), restore.Errors);
                }
            }
        }
        else
        {
            await using ToolProcess restore = await server.RestoreAsync(
                new RestoreCall
                {
                    Database = Name,
                    Tablespaces = tablespaces,
                    Settings = stored.Settings,
                },
                cancel
            );
            await using (reading)
            {
                await ArchiveFeed.FeedAsync(reading, restore, cancel);
            }

            Judge(await restore.WaitAsync(cancel), restore.Errors);
        }
    }

    private void Judge(int exitCode, IReadOnlyList<string> errors)
    {
        var judged = RestoreErrors.Read(exitCode, errors);
        problems.AddRange(judged.Problems);
        Findings.AddRange(judged.Notes.Select(n => Noted(Name, n)));
    }
}
