using System.Globalization;
using PgBackup.Archives;
using PgBackup.Encryption;
using PgBackup.Losses;
using PgBackup.Postgres;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Restore.Tables;

/// <summary>Which tables to restore, and where to.</summary>
public sealed record TableRestoreRequest
{
    /// <summary>A snapshot's id, or <c>latest</c>.</summary>
    public required SnapshotRef Snapshot { get; init; }

    /// <summary>The database in the snapshot.</summary>
    public required string Database { get; init; }

    /// <summary>The tables as somebody typed them: <c>schema.name</c>.</summary>
    public required IReadOnlyList<string> Tables { get; init; }

    /// <summary>The database at the target, if it has another name. Without a schema it has to be missing or empty, and is
    /// filled.</summary>
    public string? As { get; init; }

    /// <summary>A schema that is not there yet, to be made in a database that is.</summary>
    public string? Schema { get; init; }
}

/// <summary>
/// Restores single tables beside everything that is there: into a database of their own, or into a new schema of a live database. Nothing
/// that exists is touched. Into a schema goes nothing that was not restored elsewhere and compared first: an archive's statements have the
/// old names in them, and are never carried out in the live database.
/// </summary>
public sealed class TableRestoreOperation(IObjectStore store, Func<Manifest, ICipher> cipherFor, TimeProvider clock, Progress progress)
{
    /// <summary>How old the newest complete snapshot may be; without it, any age is right.</summary>
    public TimeSpan MaxAge { get; init; } = TimeSpan.MaxValue;

    /// <summary>Records restores; null to leave no record.</summary>
    public Recorder? Recorder { get; init; }

    /// <summary>Knows which losses were confirmed; without it, the plan says nothing of losses.</summary>
    public LossSurvey? Losses { get; init; }

    /// <summary>Checks everything that can be checked without changing anything at the target, and says what is going to be done.</summary>
    /// <exception cref="PgBackupException">Why it cannot or may not be done; nothing was changed.</exception>
    public async Task<PreparedTableRestore> PrepareAsync(TableRestoreRequest request, RestoreTarget target, CancellationToken cancel)
    {
        Record Begin(Recorder by) => TableRestoreRecord.Begin(by, request, store.Name, target);
        PreparedTableRestore prepared = await Recorder.RecordFailureAsync(Begin, () => CheckAsync(request, target, cancel), cancel);
        prepared.RecordBy(Recorder, Begin);
        return prepared;
    }

    private async Task<PreparedTableRestore> CheckAsync(TableRestoreRequest request, RestoreTarget target, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        if (request.As is null && request.Schema is null)
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                "--table restores beside what is there, and does not know where.",
                "Add --into-schema NAME (a new schema in the same database), or --as NAME (a database of their own)."
            );
        }

        return await PlanAsync(request, await VerifyAsync(request, start, cancel), target, cancel);
    }

    private async Task<VerifiedSnapshot> VerifyAsync(TableRestoreRequest request, long start, CancellationToken cancel)
    {
        var catalog = new Catalog(store, clock) { PassedOver = progress.Say };
        (SnapshotId id, Manifest manifest) = await catalog.FindAsync(request.Snapshot, cancel);
        var part = new StoredPart(store, id, RestoreOperation.PartOf(manifest, request.Database), manifest.DumpSettings);
        return await VerifiedSnapshot.ReadAsync(catalog, (id, manifest, [part], null), cipherFor, 1, start, progress, cancel);
    }

    // The snapshot is disposed of with what is returned, or when this fails.
    private async Task<PreparedTableRestore> PlanAsync(
        TableRestoreRequest request,
        VerifiedSnapshot snapshot,
        RestoreTarget target,
        CancellationToken cancel
    )
    {
        StoredPart part = snapshot.Parts[0];
        OpenTarget? open = null;
        try
        {
            string into = request.As ?? request.Database;
            open = await OpenTarget.EnterAsync(target, [], clock, cancel);
            await open.ConnectAsync(snapshot.Manifest, cancel);
            (PostgresServer server, PsqlSession session) = (open.Server, open.Session);
            RequireList(server);

            ArchiveOutline outline = await ArchiveOutline.ReadAsync(
                await part.OpenPlainAsync(snapshot.Cipher, cancel),
                server.Tools,
                cancel
            );
            HashSet<string> available = await RoleLimits.NamesAsync(session, "SELECT name FROM pg_available_extensions", cancel);
            TableSelection selection = TableSelection.Of(
                outline,
                request.Tables,
                available,
                $"{request.Database} in the snapshot {snapshot.Id}"
            );
            RestoreNeeds.RequireExtensions(selection.Extensions, available, string.Join(", ", selection.Tables));
            HashSet<string> present = await ServerCatalog.DatabasesAsync(session, cancel);
            bool makes = await RequirePlaceAsync(request, into, present, part.Part, selection, server, session, cancel);
            if (makes || request.Schema is not null)
            {
                await RestoreNeeds.RequireCreateDatabaseAsync(
                    "a database, in which the tables are restored and compared",
                    "let somebody make an empty database, name it by --as, and copy from there",
                    session,
                    open.Facts,
                    cancel
                );
            }

            double verified = Math.Round(clock.GetElapsedTime(snapshot.Begun).TotalSeconds, 3);
            progress.Done(
                "",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"checked: every byte is there, and the dump can be read to its end ({verified:0.0} s)"
                )
            );
            var plan = new TableRestorePlan
            {
                Snapshot = snapshot.Id.ToString(),
                AgeSeconds = Math.Round((clock.GetUtcNow() - snapshot.Id.Time).TotalSeconds),
                Findings = await FindingsAsync(request, snapshot, selection, cancel),
                Store = $"{store.Name} ({store.Location})",
                Target = server.Description,
                Database = request.Database,
                Into = into,
                MakesDatabase = makes,
                Schema = request.Schema,
                Beside = request.Schema is null ? null : FreeName(into, present),
                Tables = [.. selection.Tables.Select(static t => t.ToString())],
                Defined = [.. selection.Defined.Select(static t => t.ToString())],
                Left = selection.Left,
            };
            return new PreparedTableRestore(plan, snapshot, outline, selection, open, verified);
        }
        catch
        {
            if (open is not null)
            {
                await open.DisposeAsync();
            }

            await snapshot.DisposeAsync();
            throw;
        }
    }

    private async Task<IReadOnlyList<Finding>> FindingsAsync(
        TableRestoreRequest request,
        VerifiedSnapshot snapshot,
        TableSelection selection,
        CancellationToken cancel
    ) =>
        [
            .. request.Snapshot.IsLatest ? Freshness.OfAge(store.Name, snapshot.Id, MaxAge, clock.GetUtcNow()) : [],
            .. await RestoreLosses.OfAsync(
                Losses,
                new Catalog(store, clock),
                snapshot.Manifest,
                l => l.Database == request.Database && selection.Tables.Any(t => IsNamed(t, l.Table)),
                cancel
            ),
        ];

    private static bool IsNamed(TableName name, string? table) =>
        table is not null && TableName.Read(table, 0) is (TableName read, _) && read == name;

    // Says whether the database has to be made.
    private static async Task<bool> RequirePlaceAsync(
        TableRestoreRequest request,
        string into,
        HashSet<string> present,
        Part part,
        TableSelection selection,
        PostgresServer server,
        PsqlSession session,
        CancellationToken cancel
    )
    {
        TargetDatabase? there = present.Contains(into) ? await TargetDatabase.LookAsync(into, server, session, cancel) : null;
        if (request.Schema is not { } schema)
        {
            RequireEmpty(there, into, part, server);
            return there is null;
        }

        if (there is null)
        {
            throw new PgBackupException(
                ErrorCode.DatabaseMissing,
                $"{server.Description} has no database \"{into}\" in which a schema could be made.",
                "Leave out --into-schema, and name a database that is not there by --as: it is made."
            );
        }

        if (there.Closed is { } closed)
        {
            throw closed;
        }

        RequireDistinctNames(selection);
        await RequireNewSchemaAsync(schema, into, server, cancel);
        return false;
    }

    // Of one that is not there, nothing is in the way.
    private static void RequireEmpty(TargetDatabase? there, string into, Part part, PostgresServer server)
    {
        if (there is null || (there.Objects == 0 && there.Encoding == part.Encoding))
        {
            return;
        }

        if (there.Objects > 0)
        {
            throw new PgBackupException(
                ErrorCode.TargetNotEmpty,
                $"the database \"{into}\" at {server.Description} is not empty ({there.Objects} objects); nothing was changed.",
                "Name one that is not there, or add --into-schema NAME, which puts the tables into a new schema of it."
            );
        }

        throw there.Closed
            ?? new PgBackupException(
                ErrorCode.TargetInvalid,
                $"the empty database \"{into}\" has the encoding {there.Encoding}, and the original has {part.Encoding}.",
                "Name one that is not there: it is made as it has to be."
            );
    }

    private static void RequireDistinctNames(TableSelection selection)
    {
        string[] twice =
        [
            .. selection
                .Tables.GroupBy(static t => t.Name, StringComparer.Ordinal)
                .Where(static g => g.Count() > 1)
                .Select(static g => string.Join(" and ", g)),
        ];
        if (twice.Length > 0)
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                $"one schema cannot have two tables of one name: {string.Join(", ", twice)}.",
                "Restore them one after the other, into two schemas."
            );
        }
    }

    private static async Task RequireNewSchemaAsync(string schema, string into, PostgresServer server, CancellationToken cancel)
    {
        await using PsqlSession inside = await server.ConnectAsync(into, TimeSpan.Zero, cancel);
        System.Text.Json.JsonElement row = await inside.QueryRowAsync(
            $"SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = {Sql.Literal(schema)}) AS taken, "
                + $"has_database_privilege(current_database(), 'CREATE') AS may",
            cancel
        );
        if (row.GetProperty("taken").GetBoolean())
        {
            throw new PgBackupException(
                ErrorCode.TargetNotEmpty,
                $"{into} at {server.Description} has a schema \"{schema}\" already; nothing was changed.",
                "Name a schema that is not there: what exists is never touched."
            );
        }

        if (!row.GetProperty("may").GetBoolean())
        {
            throw new PgBackupException(
                ErrorCode.TargetInvalid,
                $"the restoring role may not make a schema in {into} at {server.Description}.",
                $"GRANT CREATE ON DATABASE {Sql.Name(into)} to it, or restore as the owner."
            );
        }
    }

    // pg_restore takes the list of entries from a file.
    private static void RequireList(PostgresServer server)
    {
        try
        {
            server.Tools.Host.RequireStaging();
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.TargetInvalid)
        {
            throw new PgBackupException(
                ErrorCode.TargetInvalid,
                $"single tables need a private file {server.Tools.Host.Place}, and this user cannot see to it that it is removed (a "
                    + $"rootless or remote engine).",
                "Run olympus-pgbackup as root, or name the server by a URL; or restore the whole database beside, with --as NAME.",
                e
            );
        }
    }

    private string FreeName(string into, HashSet<string> present)
    {
        var time = SnapshotId.At(clock.GetUtcNow());
        while (present.Contains(RestoreStep.DatedName(into, "tables", time)))
        {
            time = SnapshotId.At(time.Time.AddSeconds(1));
        }

        return RestoreStep.DatedName(into, "tables", time);
    }
}
