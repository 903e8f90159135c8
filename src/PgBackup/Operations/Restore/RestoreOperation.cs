using System.Globalization;
using System.Text.Json;
using PgBackup.Encryption;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Restore;

/// <summary>What to restore, and how.</summary>
public sealed record RestoreRequest
{
    /// <summary>A snapshot's id, or <c>latest</c>.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The databases; empty for all of the snapshot.</summary>
    public IReadOnlyList<string> Databases { get; init; } = [];

    /// <summary>Another name for the one database that is restored, or null.</summary>
    public string? As { get; init; }

    /// <summary>What happens to a database that is there already and has something in it.</summary>
    public WhenNotEmpty WhenNotEmpty { get; init; }

    /// <summary>The target is the very server that the snapshots are taken of: nothing is overwritten there by mistake.</summary>
    public bool IntoSource { get; init; }

    /// <summary>Restore roles, memberships and tablespaces first.</summary>
    public bool Globals { get; init; }

    /// <summary>pg_restore's jobs for each database; above 1 the archive is decrypted into a private file first.</summary>
    public int Jobs { get; init; } = 1;

    /// <summary>Archives of fewer bytes are restored by one job.</summary>
    public long JobsFromBytes { get; init; }

    /// <summary>
    /// One job is enough where the decrypted archive does not fit into the memory of a container (<see cref="Tools.ToolHost.CanStageInMemoryAsync"/>).
    /// Otherwise it goes to a disk then, and where it might stay behind, <see cref="Jobs"/> above 1 are refused.
    /// </summary>
    public bool JobsInMemoryOnly { get; init; }

    /// <summary>How many databases are restored at the same time; one that is restored by several jobs counts as several.</summary>
    public int DatabasesAtOnce { get; init; } = 2;
}

/// <summary>
/// Restores databases of one snapshot into empty or missing databases of a target, and compares each with its proof. Everything that
/// can be checked is checked before the target is touched: every stored byte, the identity, the target's version and tools, the names,
/// the roles that own something.
/// </summary>
public sealed class RestoreOperation(IObjectStore store, Func<Manifest, ICipher> cipherFor, TimeProvider clock, Progress progress)
{
    /// <summary>Prepares and restores in one go.</summary>
    /// <exception cref="PgBackupException">What either of the two steps throws.</exception>
    public async Task<RestoreReport> RunAsync(RestoreRequest request, RestoreTarget target, CancellationToken cancel)
    {
        await using PreparedRestore prepared = await PrepareAsync(request, target, cancel);
        return await prepared.RunAsync(progress, cancel);
    }

    /// <summary>Checks everything that can be checked without changing anything at the target, and says what is going to be done.</summary>
    /// <exception cref="PgBackupException">Why it cannot or may not be done; nothing was changed.</exception>
    public Task<PreparedRestore> PrepareAsync(RestoreRequest request, RestoreTarget target, CancellationToken cancel) =>
        PrepareAsync(request, _ => Task.FromResult(target), cancel);

    /// <summary>The same for a target that is asked for when every stored byte was checked, and may be on its way meanwhile.</summary>
    internal async Task<PreparedRestore> PrepareAsync(RestoreRequest request, Func<CancellationToken, Task<RestoreTarget>> asked, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        (SnapshotId id, Manifest manifest) =
            await new Catalog(store) { PassedOver = line => progress.Log($"note: {line}") }.FindAsync(request.Snapshot, cancel);
        List<StoredPart> parts = [.. Select(request, manifest).Select(p => new StoredPart(store, id, p, manifest.DumpSettings))];
        RequireAnotherServer(request);
        StoredPart? globals = request.Globals
            ? new StoredPart(store, id, manifest.Globals ?? throw new PgBackupException(
                ErrorCode.PartMissing, $"the snapshot {id} has no globals.", "Leave out --globals, or take another snapshot (`olympus-pgbackup list`)."))
            : null;
        ICipher cipher = cipherFor(manifest);
        FoundTools? found = null;
        PsqlSession? session = null;
        try
        {
            await new PartsCheck(store, cipher, progress).RunAsync(id, globals is null ? parts : [globals, .. parts], request.DatabasesAtOnce, cancel);
            string[] names = [.. parts.Select(p => request.As ?? p.Part.Database!)];
            RestoreTarget target = await asked(cancel);
            (found, PostgresServer server) = await target.OpenAsync(names, clock, cancel);
            await using var schemas = new SchemaReading(parts, cipher, server.Tools, request.DatabasesAtOnce, cancel);
            await target.Ready.WaitAsync(cancel);
            session = await server.ConnectAsync(TimeSpan.FromSeconds(30), clock, cancel);
            ServerFacts facts = await PostgresServer.ReadFactsAsync(session, cancel);
            server = server.For(facts);
            RequireVersion(manifest, facts, server);
            ToolFinder.RequireFit(server.Tools, facts, server.Description);
            if (request is { Jobs: > 1, JobsInMemoryOnly: false })
            {
                server.Tools.Host.RequireStaging();
            }

            HashSet<string> present = new(StringComparer.Ordinal);
            foreach (JsonElement row in await session.QueryAsync("SELECT datname FROM pg_database", cancel))
            {
                present.Add(row.GetProperty("datname").GetString()!);
            }

            SnapshotId now = FreeTime(names, present);
            List<(StoredPart Part, RestoreStep Step, TargetDatabase? There)> steps = [];
            foreach (StoredPart part in parts)
            {
                string name = request.As ?? part.Part.Database!;
                TargetDatabase? there = await TargetDatabase.LookAsync(name, server, session, clock, cancel);
                var step = RestoreStep.For(part.Part, name, there, request.WhenNotEmpty, now, server.Description);
                if (step.Action is RestoreStep.Swap or RestoreStep.Drop)
                {
                    step = step.With(await there!.NewestRowAsync(server, clock, cancel), manifest.Started);
                }

                steps.Add((part, step, there));
            }

            if (steps.Select(static s => s.Step).FirstOrDefault(static s => s.Action == RestoreStep.Make) is { } make)
            {
                await RestoreNeeds.RequireCreateDatabaseAsync($"the database \"{make.Name}\"", "let somebody make it, empty, and restore into that", session, facts, cancel);
            }

            var restores = new List<DatabaseRestore>();
            foreach ((StoredPart part, RestoreStep step, TargetDatabase? there) in steps)
            {
                restores.Add(await DatabaseRestore.PrepareAsync(part, await schemas.OfAsync(part), step, there, server, session, facts, request.Globals, clock, cipher, cancel));
            }

            string? tooFewLocks = await LockTable.ForetellAsync([.. parts.Select(static p => (p.Part.Database!, p.Part.Proof))], session,
                cancel);
            var globalsRestore = globals is null ? null
                : await GlobalsRestore.PrepareAsync(globals, manifest.BootstrapSuperuser, cipher, facts, cancel);
            double verified = Math.Round(clock.GetElapsedTime(start).TotalSeconds, 3);
            string readable = manifest.Encryption switch
            {
                "none" => " (not encrypted)",
                "provider" => ", as the store decrypts it",
                _ => ", and the identity decrypts it",
            };
            progress.Log(string.Create(CultureInfo.InvariantCulture, $"checked: every byte is there{readable} ({verified:0.0} s)"));
            var plan = new RestorePlan
            {
                Snapshot = id.ToString(),
                AgeSeconds = Math.Round((clock.GetUtcNow() - id.Time).TotalSeconds),
                Store = $"{store.Name} ({store.Location})",
                Target = server.Description,
                Globals = globals is not null,
                Databases = [.. restores.Select(static r => r.Step)],
                Beyond = [.. restores.SelectMany(static r => r.Beyond), .. tooFewLocks is null ? Array.Empty<string>() : [tooFewLocks]],
                Kept = globalsRestore?.Kept ?? [],
                Left = LeftBySwaps(present),
            };
            return new PreparedRestore(plan, request, restores, globalsRestore, server, found, session, cipher, clock, verified);
        }
        catch
        {
            await PreparedRestore.ReleaseAsync(session, found, cipher);
            throw;
        }
    }

    private static void RequireAnotherServer(RestoreRequest request)
    {
        if (request is { IntoSource: true, WhenNotEmpty: WhenNotEmpty.Refuse } && (request.As is null || request.Globals))
        {
            throw new PgBackupException(
                ErrorCode.TargetIsSource,
                $"the target is the server that the config names as its source{(request.As is null ? "" : ", and --globals would set its roles and passwords back")}; nothing was changed.",
                request.As is null
                    ? "Restore into another server; or beside the living database, with --database DB --as NAME; or say --swap (restores beside it, and exchanges the two), or --clean (drops it)."
                    : "Leave out --globals, or restore into another server.");
        }
    }

    // A moment whose names nobody has taken.
    private SnapshotId FreeTime(IReadOnlyList<string> names, HashSet<string> present)
    {
        var time = SnapshotId.At(clock.GetUtcNow());
        while (names.Any(n => present.Contains(RestoreStep.DatedName(n, "restore", time)) || present.Contains(RestoreStep.DatedName(n, "before", time))))
        {
            time = SnapshotId.At(time.Time.AddSeconds(1));
        }

        return time;
    }

    // Of every database, since an interrupted restore of several leaves them all. A name that was cut has no whole one before it.
    private static IReadOnlyList<string> LeftBySwaps(IEnumerable<string> present)
    {
        const int TimeLength = 16;
        List<string> left = [];
        foreach (string name in present.Order(StringComparer.Ordinal))
        {
            if (name.Length <= TimeLength || SnapshotId.TryParse(name[^TimeLength..]) is null)
            {
                continue;
            }

            string stem = name[..^TimeLength];
            if (stem.EndsWith("_restore_", StringComparison.Ordinal))
            {
                left.Add($"{name} was left by an earlier restore beside {stem[..^"_restore_".Length]}, and is not in use, unless another restore is under way. To drop it: DROP DATABASE {Sql.Name(name)};");
            }
            else if (stem.EndsWith("_before_", StringComparison.Ordinal))
            {
                left.Add($"{name} is what an earlier swap replaced. To drop it: DROP DATABASE {Sql.Name(name)};");
            }
        }

        return left;
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
            parts.Add(PartOf(manifest, name));
        }

        return request.Databases.Count > 0 ? parts : [.. manifest.Databases];
    }

    internal static Part PartOf(Manifest manifest, string database) =>
        manifest.Databases.FirstOrDefault(p => p.Database == database) ?? throw new PgBackupException(
            ErrorCode.PartMissing, $"the snapshot {manifest.Id} has no database \"{database}\".", $"It has {string.Join(", ", manifest.Databases.Select(static p => p.Database))}.");

    internal static void RequireVersion(Manifest manifest, ServerFacts facts, PostgresServer server)
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
}
