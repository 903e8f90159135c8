using System.Globalization;
using System.Text;
using PgBackup.Archives;
using PgBackup.Postgres;
using PgBackup.Proofs;
using PgBackup.Records;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Operations.Restore.Tables;

/// <summary>A restore of single tables of which everything was checked, and nothing done yet.</summary>
public sealed class PreparedTableRestore : IAsyncDisposable
{
    private const string Differs = "differs from the original: ";

    private readonly VerifiedSnapshot snapshot;
    private readonly StoredPart part;
    private readonly ArchiveOutline outline;
    private readonly TableSelection selection;
    private readonly OpenTarget target;
    private readonly PostgresServer server;
    private readonly PsqlSession session;
    private Recorder? recorder;
    private Func<Recorder, Record>? begin;
    private readonly TimeProvider clock;
    private readonly double verified;
    private readonly List<Finding> findings = [];
    private readonly List<string> problems = [];
    private string? making;
    private string? made;
    private bool unproven;
    private Proof? restored;

    internal PreparedTableRestore(
        TableRestorePlan plan,
        VerifiedSnapshot snapshot,
        ArchiveOutline outline,
        TableSelection selection,
        OpenTarget target,
        double verified
    )
    {
        Plan = plan;
        this.snapshot = snapshot;
        part = snapshot.Parts[0];
        this.outline = outline;
        this.selection = selection;
        this.target = target;
        server = target.Server;
        session = target.Session;
        clock = target.Clock;
        this.verified = verified;
    }

    /// <summary>What is going to be done.</summary>
    public TableRestorePlan Plan { get; }

    private string Filled => Plan.Beside ?? Plan.Into;

    /// <summary>
    /// Carries the plan out; once. What fails is in the report: the database in which the tables are compared then stays, closed to all but
    /// superusers. The live database is as it was, unless the new schema was in it already when something failed: then it stays, and the
    /// report says how to take it away.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Cancelled"/>, which names the database that was being filled.</exception>
    public Task<TableRestoreReport> RunAsync(Progress progress, CancellationToken cancel) =>
        recorder.RecordAsync(
            by => begin!(by) with { Snapshot = Plan.Snapshot },
            () => CarryOutAsync(progress, cancel),
            TableRestoreRecord.End,
            cancel
        );

    private async Task<TableRestoreReport> CarryOutAsync(Progress progress, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        ErrorCode code = ErrorCode.RestoreFailed;
        PartProgress display = progress.Add($"restore {Plan.Tables.Count} tables into {Filled}", part.Part.Proof.Bytes);
        try
        {
            await RestoreAsync(start, progress, display, cancel);
            if (problems.TrueForAll(static p => p.StartsWith(Differs, StringComparison.Ordinal)))
            {
                code = ErrorCode.ProofDiffers;
            }
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            code = e.Code;
            problems.AddRange([e.Message, .. e.Remedy is { } remedy ? ["what to do: " + remedy] : Array.Empty<string>()]);
        }
        catch (Exception e) when (cancel.IsCancellationRequested)
        {
            string left = making is null ? "" : $" {making} is left, half filled.";
            throw new PgBackupException(
                ErrorCode.Cancelled,
                string.Join(' ', (string[])[$"the tools were ended; existing data was not changed.{left}", .. Unproven()]),
                making is null ? null : $"Before the next try: DROP DATABASE {Sql.Name(making)};",
                e
            );
        }

        if (problems.Count > 0)
        {
            problems.AddRange([.. Unproven(), .. made is null ? Array.Empty<string>() : [await TargetDatabase.CloseAsync(made, server)]]);
        }

        display.State = problems.Count == 0 ? PartState.Done : PartState.Failed;
        return new TableRestoreReport
        {
            Plan = Plan,
            Tables =
            [
                .. (restored?.Tables ?? []).Select(t => new TableReport
                {
                    Table = t.Key,
                    RestoredAs =
                        $"{Plan.Into}: {(Plan.Schema is { } s ? $"{s}.{selection.Tables.First(n => n.ToString() == t.Key).Name}" : t.Key)}",
                    Rows = t.Value.Rows,
                    Bytes = t.Value.Bytes,
                }),
            ],
            VerifySeconds = verified,
            TotalSeconds = Math.Round(verified + Seconds(start), 3),
            Code = problems.Count == 0 ? null : PgBackupException.CodeTextOf(code),
            Problems = problems,
            Findings = findings,
            Drop = Plan.Schema is { } name ? $"DROP SCHEMA {Sql.Name(name)} CASCADE;" : $"DROP DATABASE {Sql.Name(Plan.Into)};",
        };
    }

    /// <summary>Has it recorded that the plan is carried out.</summary>
    internal void RecordBy(Recorder? by, Func<Recorder, Record> beginning) => (recorder, begin) = (by, beginning);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await target.DisposeAsync();
        await snapshot.DisposeAsync();
    }

    // Beside, compared, and then into the schema, if that is where they should go.
    private async Task RestoreAsync(long start, Progress progress, PartProgress display, CancellationToken cancel)
    {
        display.State = PartState.Restoring;
        await FillAsync(display, cancel);
        display.State = PartState.Comparing;
        restored = await CompareAsync(display, cancel);
        progress.Done(
            Filled,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{restored.Rows:N0} rows in {restored.Tables.Count} tables restored and compared ({Seconds(start):0.0} s)"
            )
        );
        if (problems.Count > 0 || Plan.Schema is not { } schema)
        {
            return;
        }

        display.State = PartState.Moving;
        await MoveAsync(schema, cancel);
        if (problems.Count == 0)
        {
            Proof beside = await ReadSchemaAsync(Filled, schema, cancel);
            Proof moved = await ReadSchemaAsync(Plan.Into, schema, cancel);
            problems.AddRange(ProofComparison.Of(beside, moved).Differences.Select(static d => Differs + d));
        }

        if (problems.Count == 0)
        {
            unproven = false;
            await DropBesideAsync(cancel);
        }
    }

    private async Task FillAsync(PartProgress display, CancellationToken cancel)
    {
        if (Plan.MakesDatabase || Plan.Beside is not null)
        {
            making = Filled;
            await session.ExecuteGivenAsync(
                outline.DatabaseStatements.First(static s => s.Creates).WithoutTablespace().For(Filled),
                cancel
            );
            made = making;
            // Nobody comes in but who restores: privileges do not come along, and these rows were not for everybody.
            await session.ExecuteAsync($"REVOKE CONNECT ON DATABASE {Sql.Name(Filled)} FROM PUBLIC", cancel);
        }

        // Its settings come before the rows: what is computed from these may depend on them.
        foreach (
            DatabaseStatement setting in outline.DatabaseStatements.Where(static s =>
                s.PrecedesRows && s.Template.StartsWith("ALTER DATABASE ", StringComparison.Ordinal)
            )
        )
        {
            PsqlReply reply = await session.TryGivenAsync(setting.For(Filled), cancel);
            if (!reply.Succeeded)
            {
                findings.Add(Finding.Note(ErrorCode.RestoreNoted, Filled, $"{reply.Message} in: {setting.For(Filled)}"));
            }
        }

        using var list = new MemoryStream(Encoding.ASCII.GetBytes(selection.List));
        await using StagedFile file = await server.Tools.Host.StageAsync(list, list.Length, inMemoryOnly: false, cancel);
        var reading = new HashingStream(await part.OpenPlainAsync(snapshot.Cipher, cancel));
        display.Follow(() =>
            part.Part.PlainSize == 0 ? 0 : (long)((double)reading.BytesRead / part.Part.PlainSize * part.Part.Proof.Bytes)
        );
        await using ToolProcess restore = await server.RestoreEntriesAsync(Filled, file.Path, part.Settings, cancel);
        await using (reading)
        {
            await ArchiveFeed.FeedAsync(reading, restore, cancel);
        }

        Judge(await restore.WaitAsync(cancel), restore.Errors);
    }

    // The proof of the tables where they were restored; differences from the snapshot's are problems.
    private async Task<Proof> CompareAsync(PartProgress display, CancellationToken cancel)
    {
        Proof expected = selection.ProofOf(part.Part.Proof);
        var reader = new RestoredProofReader(server, Filled, part, snapshot.Cipher, display);
        using RestoredProof read = await reader.ReadAsync(
            outline.StandardStrings,
            p => ProofComparison.Of(expected, selection.ProofOf(p)),
            cancel
        );
        if (read.Note is { } note)
        {
            findings.Add(Finding.Note(ErrorCode.RestoreNoted, Filled, note));
        }

        Proof now = selection.ProofOf(read.Proof);
        problems.AddRange(ProofComparison.Of(expected, now).Differences.Select(static d => Differs + d));
        return now;
    }

    // Both dumps are worded alike, whatever the live database sets for its sessions.
    private async Task<Proof> ReadSchemaAsync(string database, string schema, CancellationToken cancel)
    {
        using var script = new ScriptReader();
        await using ToolStream dump = ToolStream.From(
            await server.DumpSchemaScriptAsync(database, schema, part.Part.Encoding!, cancel),
            cancel
        );
        await ArchiveDecoder.ReadAsync(dump, script, cancel);
        return selection.ProofOf(script.Finish(server.Tools.Major), schema);
    }

    // In the database beside, everything that has rows or counts goes into the schema; from there a dump of it goes over in one
    // transaction.
    private async Task MoveAsync(string schema, CancellationToken cancel)
    {
        await using (PsqlSession inside = await server.ConnectAsync(Filled, TimeSpan.Zero, cancel))
        {
            await inside.ExecuteAsync($"CREATE SCHEMA {Sql.Name(schema)}", cancel);
            foreach (string kind in (string[])["TABLE", "SEQUENCE", "STATISTICS"])
            {
                foreach (System.Text.Json.JsonElement row in await inside.QueryAsync(Movable(kind, schema), cancel))
                {
                    await inside.ExecuteGivenAsync(
                        $"ALTER {kind} {row.GetProperty("name").GetString()} SET SCHEMA {Sql.Name(schema)}",
                        cancel
                    );
                }
            }
        }

        await using ToolStream dump = ToolStream.From(await server.DumpSchemaAsync(Filled, schema, part.Part.Encoding!, cancel), cancel);
        unproven = true;
        await using ToolProcess restore = await server.RestoreAtOnceAsync(Plan.Into, cancel);
        await ArchiveFeed.FeedAsync(dump, restore, cancel);
        int before = problems.Count;
        Judge(await restore.WaitAsync(cancel), restore.Errors);
        if (problems.Count > before)
        {
            unproven = false;
            problems.Add(
                $"{Plan.Into} was not changed: the schema is copied as a whole or not at all. What its tables use (types, functions, "
                    + $"extensions) is taken from {Plan.Into}; --as NAME brings it along."
            );
        }
    }

    // What failed after this began may have failed behind the transaction's end.
    private IEnumerable<string> Unproven() =>
        unproven
            ?
            [
                $"The new schema {Plan.Schema} of {Plan.Into} is not proven equal. Before the next try, there: DROP SCHEMA IF EXISTS "
                    + $"{Sql.Name(Plan.Schema!)} CASCADE;",
            ]
            : [];

    // The tables are where they should be: a rest elsewhere is no failure of theirs. Whoever came to look at it is sent away.
    private async Task DropBesideAsync(CancellationToken cancel)
    {
        string drop = $"DROP DATABASE {Sql.Name(Filled)} WITH (FORCE)";
        try
        {
            await session.ExecuteAsync(drop, cancel);
            making = made = null;
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            string what = $"{Filled} is not needed any more, and could not be dropped";
            findings.Add(Finding.Note(ErrorCode.SwapLeftover, Filled, what, e.Message, $"By hand: {drop};"));
        }
    }

    // Sequences that belong to a column have gone with their table.
    private static string Movable(string kind, string schema)
    {
        string notThere = $"n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', {Sql.Literal(schema)})";
        const string NotOfExtension = "NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')";
        return kind == "STATISTICS"
            ? $"SELECT format('%I.%I', n.nspname, c.stxname) AS name FROM pg_statistic_ext c JOIN pg_namespace n ON n.oid = "
                + $"c.stxnamespace WHERE {notThere} AND {NotOfExtension}"
            : $"SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                + $"WHERE c.relkind IN ({(kind == "TABLE" ? "'r', 'p'" : "'S'")}) AND {notThere} AND {NotOfExtension}"
                + (
                    kind == "SEQUENCE"
                        ? " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND "
                            + "d.refobjsubid > 0 AND d.deptype IN ('a', 'i'))"
                        : ""
                );
    }

    private void Judge(int exitCode, IReadOnlyList<string> errors)
    {
        var judged = RestoreErrors.Read(exitCode, errors);
        problems.AddRange(judged.Problems);
        findings.AddRange(judged.Notes.Select(n => Finding.Note(ErrorCode.RestoreNoted, Plan.Into, n)));
    }

    private double Seconds(long start) => Math.Round(clock.GetElapsedTime(start).TotalSeconds, 3);
}
