using System.Globalization;
using PgBackup.Encryption;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations;

/// <summary>What to restore, and how.</summary>
public sealed record RestoreRequest
{
    /// <summary>A snapshot's id, or <c>latest</c>.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The databases; empty for all of the snapshot.</summary>
    public IReadOnlyList<string> Databases { get; init; } = [];

    /// <summary>Another name for the one database that is restored, or null.</summary>
    public string? As { get; init; }

    /// <summary>Restore roles, memberships and tablespaces first.</summary>
    public bool Globals { get; init; }

    /// <summary>pg_restore's jobs for each database; above 1 the archive is decrypted into a private file first.</summary>
    public int Jobs { get; init; } = 1;

    /// <summary>How many databases are restored at the same time.</summary>
    public int DatabasesAtOnce { get; init; } = 2;
}

/// <summary>What a restore did, all of it compared with the proof.</summary>
public sealed record RestoreReport
{
    /// <summary>The snapshot.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The target, without secrets.</summary>
    public required string Target { get; init; }

    /// <summary>Seconds for reading and checking the stored objects, before the target was touched.</summary>
    public required double VerifySeconds { get; init; }

    /// <summary>Seconds for the roles; 0 when they were not asked for.</summary>
    public required double GlobalsSeconds { get; init; }

    /// <summary>Seconds in all.</summary>
    public required double TotalSeconds { get; init; }

    /// <summary>Each database.</summary>
    public required IReadOnlyList<DatabaseRestoreReport> Databases { get; init; }

    /// <summary>Things that the operator should know though nothing failed.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Every database was restored and equals its proof.</summary>
    public bool Succeeded => Databases.All(static d => d.Problems.Count == 0);
}

/// <summary>One restored database.</summary>
public sealed record DatabaseRestoreReport
{
    /// <summary>Its name in the snapshot.</summary>
    public required string Database { get; init; }

    /// <summary>Its name at the target.</summary>
    public required string RestoredAs { get; init; }

    /// <summary>Rows in it.</summary>
    public required long Rows { get; init; }

    /// <summary>Tables in it.</summary>
    public required int Tables { get; init; }

    /// <summary>Seconds for restoring.</summary>
    public required double RestoreSeconds { get; init; }

    /// <summary>Seconds for comparing.</summary>
    public required double CompareSeconds { get; init; }

    /// <summary>True when the schema was compared too; false when another major version words it differently.</summary>
    public bool SchemaCompared { get; init; }

    /// <summary>The code of the failure (<c>PGB-0073</c>: the restore, <c>PGB-0074</c>: the comparison), or null.</summary>
    public string? Code { get; init; }

    /// <summary>Errors of pg_restore and differences from the proof; empty when all is well.</summary>
    public required IReadOnlyList<string> Problems { get; init; }
}

/// <summary>
/// Restores databases of one snapshot into empty or missing databases of a target, and compares each with its proof. Everything that
/// can be checked is checked before the target is touched: every stored byte, the identity, the target's version and tools, the names,
/// the roles that own something.
/// </summary>
public sealed class RestoreOperation(IObjectStore store, Func<Manifest, ICipher> cipherFor, TimeProvider clock, Progress progress)
{
    /// <summary>Restores. A database that was made and could not be filled stays for inspection; the report says how to remove it.</summary>
    /// <exception cref="PgBackupException">
    /// Nothing was changed at the target, or only roles were (<see cref="ErrorCode.GlobalsFailed"/>). Failures of single databases are in
    /// the report instead. A cancellation leaves databases half filled, which <see cref="ErrorCode.Cancelled"/> then names.
    /// </exception>
    public async Task<RestoreReport> RunAsync(RestoreRequest request, RestoreTarget target, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        (SnapshotId id, Manifest manifest) = await new Catalog(store).FindAsync(request.Snapshot, cancel);
        List<StoredPart> parts = [.. Select(request, manifest).Select(p => new StoredPart(store, id, p))];
        StoredPart? globals = request.Globals
            ? new StoredPart(store, id, manifest.Globals ?? throw new PgBackupException(
                ErrorCode.PartMissing, $"the snapshot {id} has no globals.", "Leave out --globals, or take another snapshot (`olympus-pgbackup list`)."))
            : null;
        await VerifyAsync(id, globals is null ? parts : [globals, .. parts], cancel);

        ICipher cipher = cipherFor(manifest);
        try
        {
            (FoundTools found, PostgresServer server) = await target.OpenAsync(clock, cancel);
            await using (found)
            {
                await using PsqlSession session = await server.ConnectAsync(server.MaintenanceDatabase, TimeSpan.FromSeconds(30), clock, cancel);
                ServerFacts facts = await PostgresServer.ReadFactsAsync(session, cancel);
                RequireVersion(manifest, facts, server);
                ToolFinder.RequireFit(server.Tools, facts, server.Description);
                if (request.Jobs > 1)
                {
                    server.Tools.Host.RequireStaging();
                }

                var restores = new List<DatabaseRestore>();
                foreach (StoredPart part in parts)
                {
                    restores.Add(await DatabaseRestore.PrepareAsync(part, request.As ?? part.Part.Database!, server, session, request.Globals, cipher, clock, cancel));
                }

                var globalsRestore = globals is null ? null : await GlobalsRestore.PrepareAsync(globals, cipher, facts, cancel);
                double verified = Seconds(start);
                progress.Log(string.Create(CultureInfo.InvariantCulture, $"checked: every byte is there, and the identity decrypts it ({verified:0.0} s)"));

                List<string> notes = [];
                long globalsStart = clock.GetTimestamp();
                if (globalsRestore is not null)
                {
                    notes.AddRange(await globalsRestore.RunAsync(server, session, cancel));
                    progress.Log(string.Create(CultureInfo.InvariantCulture, $"globals: restored and equal ({Seconds(globalsStart):0.0} s)"));
                }

                double globalsSeconds = globalsRestore is null ? 0 : Seconds(globalsStart);
                DatabaseRestoreReport[] reports = await RestoreAllAsync(restores, request, cipher, cancel);
                notes.AddRange(restores.SelectMany(static r => r.Notes));
                return new RestoreReport
                {
                    Snapshot = id.ToString(),
                    Target = server.Description,
                    VerifySeconds = verified,
                    GlobalsSeconds = globalsSeconds,
                    TotalSeconds = Seconds(start),
                    Databases = reports,
                    Notes = [.. notes.Distinct()],
                };
            }
        }
        finally
        {
            if (cipher is IAsyncDisposable disposable)
            {
                await disposable.DisposeAsync();
            }
        }
    }

    private static List<Part> Select(RestoreRequest request, Manifest manifest)
    {
        if (request.As is not null && request.Databases.Count != 1)
        {
            throw new PgBackupException(ErrorCode.Usage, "--as gives one database another name, so it needs exactly one --database.", "Write --database DB --as NAME.");
        }

        List<Part> parts = [];
        foreach (string name in request.Databases.Distinct(StringComparer.Ordinal))
        {
            parts.Add(manifest.Databases.FirstOrDefault(p => p.Database == name) ?? throw new PgBackupException(
                ErrorCode.PartMissing,
                $"the snapshot {manifest.Id} has no database \"{name}\".",
                $"It has {string.Join(", ", manifest.Databases.Select(static p => p.Database))}."));
        }

        return request.Databases.Count > 0 ? parts : [.. manifest.Databases];
    }

    private static void RequireVersion(Manifest manifest, ServerFacts facts, PostgresServer server)
    {
        int original = PostgresTools.MajorOf(manifest.ServerVersion);
        if (facts.Major < original)
        {
            throw new PgBackupException(
                ErrorCode.TargetTooOld,
                $"{server.Description} runs Postgres {facts.Version}, and the snapshot is of Postgres {manifest.ServerVersion}: an older server does not take it whole.",
                $"Restore into Postgres {original} or newer.");
        }
    }

    private async Task VerifyAsync(SnapshotId id, IReadOnlyList<StoredPart> parts, CancellationToken cancel)
    {
        CatalogEntry entry = await new Catalog(store).ReadEntryAsync(id, cancel);
        List<string> problems = [];
        foreach (StoredPart part in parts)
        {
            PartProgress display = progress.Add($"check {part.Part.Database ?? part.Part.Kind}", part.Part.Size);
            display.State = "checking";
            string? problem = part.Compare(entry.Objects) ?? await part.ReadThroughAsync(display, cancel);
            display.State = problem is null ? "done" : "failed";
            if (problem is not null)
            {
                problems.Add($"{part.Key}: {problem}");
            }
        }

        if (problems.Count > 0)
        {
            throw new PgBackupException(
                ErrorCode.ObjectDamaged,
                $"the snapshot {id} in the store {store.Name} is damaged; nothing was restored.\n  {string.Join("\n  ", problems)}",
                "Restore another snapshot, or the undamaged databases of this one by --database.");
        }
    }

    private async Task<DatabaseRestoreReport[]> RestoreAllAsync(
        List<DatabaseRestore> restores, RestoreRequest request, ICipher cipher, CancellationToken cancel)
    {
        using var slots = new SemaphoreSlim(Math.Max(1, request.DatabasesAtOnce));
        List<string> unfinished = [];
        try
        {
            return await Task.WhenAll(restores.OrderByDescending(static r => r.Part.PlainSize).Select(restore =>
            {
                PartProgress display = progress.Add($"restore {restore.Name}", restore.Part.Proof.Bytes);
                Task turn = slots.WaitAsync(cancel);
                return Task.Run(() => InTurnAsync(restore, display, turn));
            }));

            async Task<DatabaseRestoreReport> InTurnAsync(DatabaseRestore restore, PartProgress display, Task turn)
            {
                await turn;
                lock (unfinished)
                {
                    unfinished.Add(restore.Name);
                }

                try
                {
                    DatabaseRestoreReport report = await RunAsync(restore, request.Jobs, cipher, display, cancel);
                    display.State = report.Problems.Count == 0 ? "done" : "failed";
                    progress.Log(report.Problems.Count == 0
                        ? string.Create(
                            CultureInfo.InvariantCulture,
                            $"{restore.Name}: {report.Rows:N0} rows in {report.Tables} tables restored in {report.RestoreSeconds:0.0} s, equal to the original (compared in {report.CompareSeconds:0.0} s)")
                        : $"{restore.Name}: FAILED, see below");
                    lock (unfinished)
                    {
                        unfinished.Remove(restore.Name);
                    }

                    return report;
                }
                finally
                {
                    slots.Release();
                }
            }
        }
        catch (Exception e) when (cancel.IsCancellationRequested && unfinished.Count > 0)
        {
            throw new PgBackupException(
                ErrorCode.Cancelled,
                $"the tools were ended; not restored to the end: {string.Join(", ", unfinished)}.",
                $"Before the next try, for each that is there: {string.Join(" ", unfinished.Select(static n => $"DROP DATABASE {Sql.Name(n)};"))}",
                e);
        }
    }

    // One database that cannot be restored at all must not take the report of the others with it.
    private async Task<DatabaseRestoreReport> RunAsync(DatabaseRestore restore, int jobs, ICipher cipher, PartProgress display, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        try
        {
            return await restore.RunAsync(jobs, cipher, clock, display, cancel);
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            return new DatabaseRestoreReport
            {
                Database = restore.Part.Database!,
                RestoredAs = restore.Name,
                Rows = 0,
                Tables = 0,
                RestoreSeconds = Seconds(start),
                CompareSeconds = 0,
                Code = e.CodeText,
                Problems = [e.Message, .. e.Remedy is null ? Array.Empty<string>() : ["what to do: " + e.Remedy], .. await restore.CloseAsync(clock)],
            };
        }
    }

    private double Seconds(long start) => Math.Round(clock.GetElapsedTime(start).TotalSeconds, 3);
}
