using System.Globalization;
using System.Text;
using PgBackup.Archives;
using PgBackup.Encryption;
using PgBackup.Postgres;
using PgBackup.Proofs;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Operations.Restore.Tables;

/// <summary>A restore of single tables of which everything was checked, and nothing done yet.</summary>
public sealed class PreparedTableRestore : IAsyncDisposable
{
    private const string Differs = "differs from the original: ";

    private readonly StoredPart part;
    private readonly ArchiveOutline outline;
    private readonly TableSelection selection;
    private readonly PostgresServer server;
    private readonly FoundTools found;
    private readonly PsqlSession session;
    private readonly ICipher cipher;
    private readonly TimeProvider clock;
    private readonly double verified;
    private readonly List<string> notes = [];
    private string? making;
    private string? made;
    private bool unproven;

    internal PreparedTableRestore(
        TableRestorePlan plan, StoredPart part, ArchiveOutline outline, TableSelection selection, PostgresServer server, FoundTools found, PsqlSession session, ICipher cipher,
        TimeProvider clock, double verified)
    {
        Plan = plan;
        this.part = part;
        this.outline = outline;
        this.selection = selection;
        this.server = server;
        this.found = found;
        this.session = session;
        this.cipher = cipher;
        this.clock = clock;
        this.verified = verified;
    }

    /// <summary>What is going to be done.</summary>
    public TableRestorePlan Plan { get; }

    private string Filled => Plan.Beside ?? Plan.Into;

    /// <summary>
    /// Carries the plan out; once. What fails is in the report: the database in which the tables are compared then stays, closed to all but
    /// superusers. The living database is as it was, unless the new schema was in it already when something failed: then it stays, and the
    /// report says how to take it away.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Cancelled"/>, which names the database that was being filled.</exception>
    public async Task<TableRestoreReport> RunAsync(Progress progress, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        List<string> problems = [];
        ErrorCode code = ErrorCode.RestoreFailed;
        PartProgress display = progress.Add($"restore {Plan.Tables.Count} tables into {Filled}", part.Part.Proof.Bytes);
        Proof? restored = null;
        try
        {
            display.State = "restoring";
            await FillAsync(display, problems, cancel);
            display.State = "comparing";
            restored = await CompareAsync(display, problems, cancel);
            progress.Log(string.Create(CultureInfo.InvariantCulture, $"{Filled}: {restored.Rows:N0} rows in {restored.Tables.Count} tables restored and compared ({Seconds(start):0.0} s)"));
            if (problems.Count == 0 && Plan.Schema is { } schema)
            {
                display.State = "moving";
                await MoveAsync(schema, problems, cancel);
                if (problems.Count == 0)
                {
                    Proof beside = await ReadSchemaAsync(Filled, schema, cancel);
                    problems.AddRange(ProofComparison.Of(beside, await ReadSchemaAsync(Plan.Into, schema, cancel)).Differences.Select(static d => Differs + d));
                    if (problems.Count == 0)
                    {
                        unproven = false;
                        await DropBesideAsync(cancel);
                    }
                }
            }

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
                string.Join(' ', (string[])[$"the tools were ended; what was there before is as it was.{left}", .. Unproven()]),
                making is null ? null : $"Before the next try: DROP DATABASE {Sql.Name(making)};",
                e);
        }

        if (problems.Count > 0)
        {
            problems.AddRange([.. Unproven(), .. made is null ? Array.Empty<string>() : [await TargetDatabase.CloseAsync(made, server, clock)]]);
        }

        display.State = problems.Count == 0 ? "done" : "failed";
        return new TableRestoreReport
        {
            Plan = Plan,
            Tables = [.. (restored?.Tables ?? []).Select(t => new TableReport
            {
                Table = t.Key,
                RestoredAs = $"{Plan.Into}: {(Plan.Schema is { } s ? $"{s}.{selection.Tables.First(n => n.ToString() == t.Key).Name}" : t.Key)}",
                Rows = t.Value.Rows,
                Bytes = t.Value.Bytes,
            })],
            VerifySeconds = verified,
            TotalSeconds = Math.Round(verified + Seconds(start), 3),
            Code = problems.Count == 0 ? null : PgBackupException.CodeTextOf(code),
            Problems = problems,
            Notes = notes,
            Drop = Plan.Schema is { } name ? $"DROP SCHEMA {Sql.Name(name)} CASCADE;" : $"DROP DATABASE {Sql.Name(Plan.Into)};",
        };
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await PreparedRestore.ReleaseAsync(session, found, cipher);

    private async Task FillAsync(PartProgress display, List<string> problems, CancellationToken cancel)
    {
        if (Plan.MakesDatabase || Plan.Beside is not null)
        {
            making = Filled;
            await session.ExecuteGivenAsync(outline.DatabaseStatements.First(static s => s.Creates).WithoutTablespace().For(Filled), cancel);
            made = making;
            // Nobody comes in but who restores: privileges do not come along, and these rows were not for everybody.
            await session.ExecuteAsync($"REVOKE CONNECT ON DATABASE {Sql.Name(Filled)} FROM PUBLIC", cancel);
        }

        // Its settings come before the rows: what is computed from these may depend on them.
        foreach (DatabaseStatement setting in outline.DatabaseStatements.Where(static s => s.PrecedesRows
            && s.Template.StartsWith("ALTER DATABASE ", StringComparison.Ordinal)))
        {
            PsqlReply reply = await session.TryGivenAsync(setting.For(Filled), cancel);
            if (!reply.Succeeded)
            {
                notes.Add($"{reply.Message} in: {setting.For(Filled)}");
            }
        }

        using var list = new MemoryStream(Encoding.ASCII.GetBytes(selection.List));
        await using StagedFile file = await server.Tools.Host.StageAsync(list, list.Length, inMemoryOnly: false, cancel);
        var reading = new HashingStream(await part.OpenPlainAsync(cipher, cancel));
        display.Follow(() => part.Part.PlainSize == 0 ? 0 : (long)((double)reading.BytesRead / part.Part.PlainSize * part.Part.Proof.Bytes));
        await using ToolProcess restore = await server.RestoreEntriesAsync(Filled, file.Path, part.Settings, cancel);
        await using (reading)
        {
            await ArchiveFeed.FeedAsync(reading, restore, cancel);
        }

        Judge(await restore.WaitAsync(cancel), restore.Errors, problems);
    }

    // The proof of the tables where they were restored; differences from the snapshot's are problems.
    private async Task<Proof> CompareAsync(PartProgress display, List<string> problems, CancellationToken cancel)
    {
        Proof expected = selection.ProofOf(part.Part.Proof);
        using RestoredProof read = await RestoredProof.ReadAsync(
            server, Filled, part, outline.StandardStrings, p => ProofComparison.Of(expected, selection.ProofOf(p)), cipher, clock, display,
                cancel);
        if (read.Note is { } note)
        {
            notes.Add(note);
        }

        Proof now = selection.ProofOf(read.Proof);
        problems.AddRange(ProofComparison.Of(expected, now).Differences.Select(static d => Differs + d));
        return now;
    }

    // Both dumps are worded alike, whatever the living database sets for its sessions.
    private async Task<Proof> ReadSchemaAsync(string database, string schema, CancellationToken cancel)
    {
        using var script = new ScriptReader();
        await using ToolStream dump = ToolStream.From(await server.DumpSchemaScriptAsync(database, schema, part.Part.Encoding!, cancel), cancel);
        await ArchiveDecoder.ReadAsync(dump, script, cancel);
        return selection.ProofOf(script.Finish(server.Tools.Major), schema);
    }

    // In the database beside, everything that has rows or counts goes into the schema; from there a dump of it goes over in one transaction.
    private async Task MoveAsync(string schema, List<string> problems, CancellationToken cancel)
    {
        await using (PsqlSession inside = await server.ConnectAsync(Filled, TimeSpan.Zero, clock, cancel))
        {
            await inside.ExecuteAsync($"CREATE SCHEMA {Sql.Name(schema)}", cancel);
            foreach (string kind in (string[])["TABLE", "SEQUENCE", "STATISTICS"])
            {
                foreach (System.Text.Json.JsonElement row in await inside.QueryAsync(Movable(kind, schema), cancel))
                {
                    await inside.ExecuteGivenAsync($"ALTER {kind} {row.GetProperty("name").GetString()} SET SCHEMA {Sql.Name(schema)}", cancel);
                }
            }
        }

        await using ToolStream dump = ToolStream.From(await server.DumpSchemaAsync(Filled, schema, part.Part.Encoding!, cancel), cancel);
        unproven = true;
        await using ToolProcess restore = await server.RestoreAtOnceAsync(Plan.Into, cancel);
        await ArchiveFeed.FeedAsync(dump, restore, cancel);
        int before = problems.Count;
        Judge(await restore.WaitAsync(cancel), restore.Errors, problems);
        if (problems.Count > before)
        {
            unproven = false;
            problems.Add($"{Plan.Into} is as it was: the schema goes over whole or not at all. What its tables use (types, functions, extensions) is taken from {Plan.Into}; --as NAME brings it along.");
        }
    }

    // What failed after this began may have failed behind the transaction's end.
    private IEnumerable<string> Unproven() => unproven
        ? [$"The new schema {Plan.Schema} of {Plan.Into} is not proven equal. Before the next try, there: DROP SCHEMA IF EXISTS {Sql.Name(Plan.Schema!)} CASCADE;"]
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
            notes.Add($"{Filled} is not needed any more, and could not be dropped: {e.Message} By hand: {drop};");
        }
    }

    // Sequences that belong to a column have gone with their table.
    private static string Movable(string kind, string schema)
    {
        string notThere = $"n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', {Sql.Literal(schema)})";
        const string NotOfExtension = "NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')";
        return kind == "STATISTICS"
            ? $"SELECT format('%I.%I', n.nspname, c.stxname) AS name FROM pg_statistic_ext c JOIN pg_namespace n ON n.oid = c.stxnamespace WHERE {notThere} AND {NotOfExtension}"
            : $"SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ({(kind == "TABLE" ? "'r', 'p'" : "'S'")}) AND {notThere} AND {NotOfExtension}" +
                (kind == "SEQUENCE" ? " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i'))" : "");
    }

    private void Judge(int exitCode, IReadOnlyList<string> errors, List<string> problems)
    {
        var judged = RestoreErrors.Read(exitCode, errors);
        problems.AddRange(judged.Problems);
        notes.AddRange(judged.Notes);
    }

    private double Seconds(long start) => Math.Round(clock.GetElapsedTime(start).TotalSeconds, 3);
}
