using System.Globalization;
using PgBackup.Archives;
using PgBackup.Encryption;
using PgBackup.Losses;
using PgBackup.Postgres;
using PgBackup.Proofs;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Restore;

/// <summary>What to restore, and how.</summary>
public sealed record RestoreRequest
{
    /// <summary>A snapshot's id, or <c>latest</c>.</summary>
    public required SnapshotRef Snapshot { get; init; }

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
    /// One job is enough where the decrypted archive does not fit into the memory of a container
    /// (<see cref="Tools.ToolHost.CanStageInMemoryAsync"/>).
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
    /// <summary>How old the newest complete snapshot may be; without it, any age is right.</summary>
    public TimeSpan MaxAge { get; init; } = TimeSpan.MaxValue;

    /// <summary>Records restores; null to leave no record.</summary>
    public Recorder? Recorder { get; init; }

    /// <summary>Knows which losses were confirmed; without it, the plan says nothing of losses.</summary>
    public LossSurvey? Losses { get; init; }

    /// <summary>Verifies, plans and restores in one go.</summary>
    /// <exception cref="PgBackupException">What any of these steps throws.</exception>
    public async Task<RestoreReport> RunAsync(RestoreRequest request, RestoreTarget target, CancellationToken cancel)
    {
        await using PreparedRestore prepared = await PrepareAsync(request, target, cancel);
        return await prepared.RunAsync(progress, cancel);
    }

    /// <summary>Checks everything that can be checked without changing anything at the target, and says what is going to be done.</summary>
    /// <remarks>A failure is recorded; a plan that is not carried out leaves no record.</remarks>
    /// <exception cref="PgBackupException">Why it cannot or may not be done; nothing was changed.</exception>
    public async Task<PreparedRestore> PrepareAsync(RestoreRequest request, RestoreTarget target, CancellationToken cancel)
    {
        Record Begin(Recorder by) => RestoreRecord.Begin(by, request, store.Name, target);
        PreparedRestore prepared = await Recorder.RecordFailureAsync(
            Begin,
            async () => await PlanAsync(request, await VerifyAsync(request, cancel), target, cancel),
            cancel
        );
        prepared.RecordBy(Recorder, Begin);
        return prepared;
    }

    /// <summary>The first step: reads, compares and decrypts every stored byte of what is wanted. The target is not needed yet.</summary>
    /// <exception cref="PgBackupException">There is no such snapshot or part, or it is damaged, or the identity does not fit.</exception>
    public async Task<VerifiedSnapshot> VerifyAsync(RestoreRequest request, CancellationToken cancel)
    {
        long begun = clock.GetTimestamp();
        var catalog = new Catalog(store, clock) { PassedOver = progress.Say };
        (SnapshotId id, Manifest manifest) = await catalog.FindAsync(request.Snapshot, cancel);
        List<StoredPart> parts = [.. Select(request, manifest).Select(p => new StoredPart(store, id, p, manifest.DumpSettings))];
        RequireAnotherServer(request);
        StoredPart? globals = null;
        if (request.Globals)
        {
            Part part =
                manifest.Globals
                ?? throw new PgBackupException(
                    ErrorCode.PartMissing,
                    $"the snapshot {id} has no globals.",
                    "Leave out --globals, or take another snapshot (`olympus-pgbackup list`)."
                );
            globals = new StoredPart(store, id, part);
        }

        return await VerifiedSnapshot.ReadAsync(
            catalog,
            (id, manifest, parts, globals),
            cipherFor,
            request.DatabasesAtOnce,
            begun,
            progress,
            cancel
        );
    }

    /// <summary>The second step: looks at the target, and plans. Nothing is changed there.</summary>
    /// <param name="request">What is wanted.</param>
    /// <param name="snapshot">It; disposed of with what is returned, or when this fails.</param>
    /// <param name="target">The target, which may be on its way (<see cref="RestoreTarget.Ready"/>).</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">Why it cannot or may not be done.</exception>
    public async Task<PreparedRestore> PlanAsync(
        RestoreRequest request,
        VerifiedSnapshot snapshot,
        RestoreTarget target,
        CancellationToken cancel
    )
    {
        OpenTarget? open = null;
        try
        {
            string[] names = [.. snapshot.Parts.Select(p => request.As ?? p.Part.Database!)];
            open = await OpenTarget.EnterAsync(target, names, clock, cancel);
            await using var schemas = new SchemaReading(snapshot, open.Server.Tools, request.DatabasesAtOnce, cancel);
            await open.ConnectAsync(snapshot.Manifest, cancel);
            if (request is { Jobs: > 1, JobsInMemoryOnly: false })
            {
                open.Server.Tools.Host.RequireStaging();
            }

            HashSet<string> present = await ServerCatalog.DatabasesAsync(open.Session, cancel);
            List<DatabaseRestore> restores = [];
            foreach (
                (StoredPart part, RestoreStep step, TargetDatabase? there) in await StepsAsync(request, snapshot, open, present, cancel)
            )
            {
                ScriptReader schema = await schemas.OfAsync(part);
                restores.Add(
                    await DatabaseRestore.PrepareAsync(part, schema, (step, there), open, request.Globals, snapshot.Cipher, cancel)
                );
            }

            IReadOnlyList<(string Database, Proof Proof)> proofs = [.. snapshot.Parts.Select(static p => (p.Part.Database!, p.Part.Proof))];
            GlobalsRestore? globals = snapshot.Globals is not { } stored
                ? null
                : new GlobalsRestore(
                    await schemas.OfAsync(stored),
                    stored.Part.Proof.DumpMajor,
                    snapshot.Manifest.BootstrapSuperuser,
                    open.Facts
                );
            IReadOnlyList<Finding> losses = await RestoreLosses.OfAsync(
                Losses,
                new Catalog(store, clock),
                snapshot.Manifest,
                l => request.Databases.Count == 0 || request.Databases.Contains(l.Database, StringComparer.Ordinal),
                cancel
            );
            double verified = Math.Round(clock.GetElapsedTime(snapshot.Begun).TotalSeconds, 3);
            progress.Done("", Verified(snapshot.Manifest, verified));
            var plan = new RestorePlan
            {
                Snapshot = snapshot.Id.ToString(),
                AgeSeconds = Math.Round((clock.GetUtcNow() - snapshot.Id.Time).TotalSeconds),
                Store = $"{store.Name} ({store.Location})",
                Target = open.Server.Description,
                Globals = globals is not null,
                Databases = [.. restores.Select(static r => r.Step)],
                Findings =
                [
                    .. request.Snapshot.IsLatest ? Freshness.OfAge(store.Name, snapshot.Id, MaxAge, clock.GetUtcNow()) : [],
                    .. losses,
                    .. restores.Select(static r => r.FallsShort).OfType<Finding>(),
                    .. TooFewLocks(await LockTable.ForetellAsync(proofs, open.Session, cancel), open.Server.Description),
                    .. globals?.Kept ?? [],
                    .. LeftBySwaps(present),
                ],
            };
            return new PreparedRestore(plan, request, snapshot, open, restores, globals, verified);
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

    private static string Verified(Manifest manifest, double seconds)
    {
        string readable = manifest.EncryptedBy() switch
        {
            EncryptionKind.None => " (not encrypted)",
            EncryptionKind.Provider => ", as the store decrypts it",
            _ => ", and the identity decrypts it",
        };
        return string.Create(CultureInfo.InvariantCulture, $"checked: every byte is there{readable} ({seconds:0.0} s)");
    }

    // What is done with each database, in view of what is there.
    private async Task<IReadOnlyList<(StoredPart Part, RestoreStep Step, TargetDatabase? There)>> StepsAsync(
        RestoreRequest request,
        VerifiedSnapshot snapshot,
        OpenTarget open,
        HashSet<string> present,
        CancellationToken cancel
    )
    {
        SnapshotId now = FreeTime([.. snapshot.Parts.Select(p => request.As ?? p.Part.Database!)], present);
        List<(StoredPart Part, RestoreStep Step, TargetDatabase? There)> steps = [];
        foreach (StoredPart part in snapshot.Parts)
        {
            string name = request.As ?? part.Part.Database!;
            TargetDatabase? there = await TargetDatabase.LookAsync(name, open.Server, open.Session, cancel);
            var step = RestoreStep.For(part.Part, name, there, request.WhenNotEmpty, now, open.Server.Description);
            if (step.Action is RestoreStep.Swap or RestoreStep.Drop)
            {
                step = step.With(await there!.NewestRowAsync(open.Server, cancel), snapshot.Manifest.Started);
            }

            steps.Add((part, step, there));
        }

        if (steps.Select(static s => s.Step).FirstOrDefault(static s => s.Action == RestoreStep.Make) is { } make)
        {
            await RestoreNeeds.RequireCreateDatabaseAsync(
                $"the database \"{make.Name}\"",
                "let somebody make it, empty, and restore into that",
                open.Session,
                open.Facts,
                cancel
            );
        }

        return steps;
    }

    private static void RequireAnotherServer(RestoreRequest request)
    {
        if (request is { IntoSource: true, WhenNotEmpty: WhenNotEmpty.Refuse } && (request.As is null || request.Globals))
        {
            throw new PgBackupException(
                ErrorCode.TargetIsSource,
                $"the target is the server that the config names as its "
                    + $"source{(request.As is null ? "" : ", and --globals would set its roles and passwords back")}; nothing was changed.",
                request.As is null
                    ? "Restore into another server; or beside the live database, with --database DB --as NAME; or say --swap "
                        + "(restores beside it, and exchanges the two), or --clean (drops it)."
                    : "Leave out --globals, or restore into another server."
            );
        }
    }

    // A moment whose names nobody has taken.
    private SnapshotId FreeTime(IReadOnlyList<string> names, HashSet<string> present)
    {
        var time = SnapshotId.At(clock.GetUtcNow());
        while (
            names.Any(n =>
                present.Contains(RestoreStep.DatedName(n, "restore", time)) || present.Contains(RestoreStep.DatedName(n, "before", time))
            )
        )
        {
            time = SnapshotId.At(time.Time.AddSeconds(1));
        }

        return time;
    }

    private static IEnumerable<Finding> TooFewLocks(string? foretold, string target) =>
        foretold is null ? [] : [Finding.Warning(ErrorCode.TargetFallsShort, target, foretold)];

    // Of every database, since an interrupted restore of several leaves them all. A name that was cut has no whole one before it.
    private static IReadOnlyList<Finding> LeftBySwaps(IEnumerable<string> present)
    {
        const int TimeLength = 16;
        List<Finding> left = [];
        foreach (string name in present.Order(StringComparer.Ordinal))
        {
            if (name.Length <= TimeLength || SnapshotId.TryParse(name[^TimeLength..]) is null)
            {
                continue;
            }

            string stem = name[..^TimeLength];
            if (stem.EndsWith("_restore_", StringComparison.Ordinal))
            {
                left.Add(
                    Finding.Note(
                        ErrorCode.SwapLeftover,
                        name,
                        $"{name} was left by an earlier restore beside {stem[..^"_restore_".Length]}, and is not in use, unless another "
                            + $"restore is under way",
                        fix: $"To drop it: DROP DATABASE {Sql.Name(name)};"
                    )
                );
            }
            else if (stem.EndsWith("_before_", StringComparison.Ordinal))
            {
                left.Add(
                    Finding.Note(
                        ErrorCode.SwapLeftover,
                        name,
                        $"{name} is what an earlier swap replaced",
                        fix: $"To drop it: DROP DATABASE {Sql.Name(name)};"
                    )
                );
            }
        }

        return left;
    }

    private static List<Part> Select(RestoreRequest request, Manifest manifest)
    {
        if (request.As is not null && request.Databases.Count != 1)
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                "--as gives one database another name, so it needs exactly one --database.",
                "Write --database DB --as NAME."
            );
        }

        List<Part> parts = [];
        foreach (string name in request.Databases.Distinct(StringComparer.Ordinal))
        {
            parts.Add(PartOf(manifest, name));
        }

        return request.Databases.Count > 0 ? parts : [.. manifest.Databases];
    }

    internal static Part PartOf(Manifest manifest, string database) =>
        manifest.Databases.FirstOrDefault(p => p.Database == database)
        ?? throw new PgBackupException(
            ErrorCode.PartMissing,
            $"the snapshot {manifest.Id} has no database \"{database}\".",
            $"It has {string.Join(", ", manifest.Databases.Select(static p => p.Database))}."
        );
}
