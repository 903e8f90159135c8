using System.Globalization;
using System.Text;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Losses;
using PgBackup.Operations.Source;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Storage.Local;
using PgBackup.Tools;

namespace PgBackup.Operations.Backup;

/// <summary>
/// Takes one snapshot: lock, check recipients and store, fix the moment of all databases, then dump, prove, encrypt and store them at
/// the same time; sums, guide, and last the manifest.
/// </summary>
public sealed class BackupOperation(BackupConfig config, BackupStore primary, ICipher cipher, TimeProvider clock, Progress progress)
{
    // For tidying up after the snapshot is written, or will not be: the next run does what a store that hangs keeps this one from.
    private static readonly TimeSpan TidyingTime = TimeSpan.FromSeconds(60);

    // A migration is through after one of these, as a rule; who changes a database all night long has no moment to be backed up.
    private const int Moments = 3;

    private readonly IObjectStore store = primary.Store;
    private readonly List<Finding> findings = [];
    private Catalog? opened;
    private DateTimeOffset? lockUntil;

    /// <summary>Called for each part as soon as the primary store has it.</summary>
    public Action<SnapshotId, Part> PartStored { get; init; } = static (_, _) => { };

    /// <summary>Losses that a migration brings, announced: they count as confirmed.</summary>
    public IReadOnlyList<string> ExpectedLosses { get; init; } = [];

    /// <summary>Reads what persons have confirmed of earlier losses.</summary>
    public Func<CancellationToken, Task<ConfirmationsReading>> Confirmations { get; init; } =
        cancel => new ConfirmationsReader([primary.Store], clock).ReadAsync(cancel);

    /// <summary>A complete snapshot of this moment or a later one makes this one needless; null for none.</summary>
    public DateTimeOffset? Due { get; init; }

    /// <summary>Called once, when it has the primary store's lock and takes a snapshot.</summary>
    public Action Begun { get; init; } = static () => { };

    /// <summary>What was found beside the snapshot; complete when the run has ended.</summary>
    public IReadOnlyList<Finding> Findings => findings;

    /// <summary>The other stores: a primary that holds nothing is compared with what they hold.</summary>
    public IReadOnlyList<IObjectStore> Others { get; init; } = [];

    /// <summary>Called for each snapshot that was begun and given up for one of a new moment.</summary>
    public Action<SnapshotId> Abandoned { get; init; } = static _ => { };

    /// <summary>
    /// Runs to the end. A database that fails does not stop the others: it is in <see cref="Manifest.Failures"/>.
    /// After a failure or a cancellation nothing is left but whole, earlier snapshots; after a kill, a rest that the next run removes.
    /// </summary>
    /// <param name="only">The databases to dump, or null for all of the config.</param>
    /// <param name="pin">Why the snapshot is to be kept until it is unpinned, or null.</param>
    /// <param name="cancel">Stops cleanly: tools and server backends are ended, what was half-written is removed.</param>
    /// <exception cref="PgBackupException">Nothing was stored.</exception>
    public async Task<Manifest> RunAsync(IReadOnlyCollection<string>? only, string? pin, CancellationToken cancel)
    {
        List<DatabaseConfig> wanted = Select(only);
        string holder = string.Create(
            CultureInfo.InvariantCulture,
            $"process {Environment.ProcessId} on {Environment.MachineName}, since {clock.GetUtcNow():yyyy-MM-dd HH:mm:ss} UTC"
        );
        await using IStoreLock held = await store.LockAsync(holder, cancel);
        await store.CheckWritableAsync(cancel);
        PrivateFolder.Sweep(clock);
        IReadOnlyList<CatalogEntry> entries = await Catalog.ListAsync(cancel);
        Manifest? previous = await Catalog.RequireClusterAsync(config.Cluster, entries, cancel);
        await using var losses = LossSearch.Start(
            new Catalog(store, clock),
            entries,
            [.. Others.Select(o => new Catalog(o, clock))],
            Confirmations,
            (new TableClasses(config.Losses.Ephemeral, config.Losses.Durable), ExpectedLosses),
            clock,
            cancel
        );
        foreach (SnapshotId left in await Catalog.RemoveLeftoversAsync(entries, static _ => false, cancel))
        {
            findings.Add(KilledRun.Of(left));
            progress.Say(findings[^1]); // it may be all that is ever known of it: this run may fail, too
        }

        // Under the lock: nobody takes one meanwhile.
        if (Due is { } due && entries.LastOrDefault(e => e.IsComplete && e.Id.Time >= due && !e.Id.IsAfter(clock.GetUtcNow())) is { } done)
        {
            throw new NotDueException(done.Id);
        }

        Begun();
        if (held.Note is { } taken)
        {
            findings.Add(Finding.Warning(ErrorCode.LockNoted, store.Name, taken));
        }

        if (!entries.Any(static e => e.HasManifest || e.Unreadable is not null))
        {
            findings.Add(
                Finding.Note(
                    ErrorCode.FirstSnapshot,
                    store.Name,
                    $"{store.Name} ({store.Location}) held no snapshot: this is the first one there",
                    fix: "If it should hold others, "
                        + (store is LocalStore ? "look whether its disk is mounted" : "check its address and prefix in the config")
                )
            );
        }

        HashSet<SnapshotId> ids = [.. entries.Select(static e => e.Id)];
        for (int moment = 1; ; moment++)
        {
            SnapshotId id = await FreeIdAsync(ids, cancel);
            lockUntil = primary.LockUntil(id, entries);
            try
            {
                return await SnapshotAsync(id, wanted, (previous, losses), pin, (holder, held), isLast: moment == Moments, cancel);
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.MomentLost && moment < Moments && !cancel.IsCancellationRequested)
            {
                ids.Add(id);
                Abandoned(id);
                progress.Clear();
                progress.Warn("", $"{e.Message} All databases are dumped again from a new moment ({moment + 1} of {Moments}).", e.Code);
            }
        }
    }

    // One snapshot of one moment, or, unless it is the last attempt, MomentLost as soon as a database turns out to have lost it.
    private async Task<Manifest> SnapshotAsync(
        SnapshotId id,
        IReadOnlyList<DatabaseConfig> wanted,
        (Manifest? Previous, LossSearch Losses) earlier,
        string? pin,
        (string Name, IStoreLock Lock) holder,
        bool isLast,
        CancellationToken cancel
    )
    {
        Task<IReadOnlyList<Recipient>> checking = cipher.CheckAsync(cancel); // while the sessions are opened
        await using SourceCluster cluster = await OpenAsync(id, wanted, checking, cancel);
        IReadOnlyList<Recipient> recipients = await checking;
        findings.RemoveAll(static f => f.Code == ErrorCode.ClockOff); // of a moment that was given up
        findings.AddRange(ClockReading.Judge(cluster.Clocks));
        progress.Done(
            "",
            $"{Words.Count(cluster.Databases.Count, "database")} of Postgres {cluster.Facts.Version} at "
                + $"one moment, within {cluster.Skew.TotalMilliseconds:0.0} ms"
        );
        bool finished = false;
        try
        {
            await PutTextAsync(id, SnapshotLayout.InProgress, holder.Name + "\n", cancel);
            Manifest manifest = await TakeAsync(id, cluster, recipients, earlier.Previous, isLast, cancel);
            manifest = manifest with { LeftOut = [.. config.Databases.Except(wanted).Select(static d => d.Name)] };
            (manifest, IReadOnlyList<Finding> lost) = await earlier.Losses.CompareAsync(manifest, cancel);
            string guide = RestoreGuide.Write(manifest);
            manifest = manifest.WithDigests(guide);
            await FinishAsync(id, manifest, guide, pin, holder.Lock, cancel);
            findings.AddRange(lost);
            finished = true;
            return manifest;
        }
        finally
        {
            if (!finished)
            {
                await cluster.TerminateBackendsAsync();
                await RemoveUnfinishedAsync(id);
            }
        }
    }

    // What is ignored is said once, at the end.
    private Catalog Catalog => opened ??= new Catalog(store, clock) { PassedOver = findings.Add };

    private async Task<SourceCluster> OpenAsync(
        SnapshotId id,
        IReadOnlyList<DatabaseConfig> wanted,
        Task<IReadOnlyList<Recipient>> checking,
        CancellationToken cancel
    )
    {
        Task<SourceCluster> opening = SourceCluster.OpenAsync(
            config.Source,
            wanted,
            $"olympus-pgbackup {id}",
            alone: true,
            config.Dump.LockTimeout,
            config.Dump.Jobs,
            clock,
            cancel
        );
        await Task.WhenAll(checking, opening)
            .ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        if (!checking.IsCompletedSuccessfully && opening.IsCompletedSuccessfully)
        {
            await (await opening).DisposeAsync();
        }

        await checking; // a recipient that cannot be used is reported first: no dump has started
        return await opening;
    }

    private List<DatabaseConfig> Select(IReadOnlyCollection<string>? only)
    {
        if (only is null || only.Count == 0)
        {
            return [.. config.Databases];
        }

        List<string> unknown = [.. only.Where(name => config.Databases.All(d => d.Name != name))];
        return unknown.Count == 0
            ? [.. config.Databases.Where(d => only.Contains(d.Name))]
            : throw new PgBackupException(
                ErrorCode.Usage,
                $"the config has no database {string.Join(", ", unknown.Select(static n => $"\"{n}\""))}.",
                $"It has {string.Join(", ", config.Databases.Select(static d => d.Name))}."
            );
    }

    private async Task<SnapshotId> FreeIdAsync(HashSet<SnapshotId> taken, CancellationToken cancel)
    {
        while (true)
        {
            var id = SnapshotId.At(clock.GetUtcNow());
            if (!taken.Contains(id))
            {
                return id;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), clock, cancel);
        }
    }

    private async Task<Manifest> TakeAsync(
        SnapshotId id,
        SourceCluster cluster,
        IReadOnlyList<Recipient> recipients,
        Manifest? previous,
        bool isLast,
        CancellationToken cancel
    )
    {
        PostgresTools decoder = await DecoderAsync(cluster.Tools, cancel);
        List<string> notes = [.. cluster.Databases.SelectMany(static d => d.Notes)];
        string compression = Compression(cluster.Tools, notes);
        if (cluster.Dumps < config.Dump.Jobs)
        {
            notes.Add(
                $"dumped {cluster.Dumps} at a time, and not {config.Dump.Jobs} (dump.jobs): the server had no more connections left "
                    + $"for this role"
            );
        }

        if (!cluster.Facts.ReadsPasswords)
        {
            notes.Add(
                $"globals: without the passwords of roles, which {cluster.Facts.Role} may not read (it needs superuser, or "
                    + $"pg_read_all_data)"
            );
        }

        foreach (PartFailure failure in cluster.Failures)
        {
            progress.Failed(failure.Part, PgBackupException.CodeOf(failure.Code) ?? ErrorCode.Unexpected);
        }

        var writer = new PartWriter(id, config.Dump, store, lockUntil, cipher, clock);
        var dump = new SnapshotDump(cluster, writer, decoder, compression, progress)
        {
            EndsWhenMomentIsLost = !isLast,
            Stored = part => PartStored(id, part),
        };
        IReadOnlyList<Part> parts = await dump.RunAsync(previous, cancel);
        List<Part> stored = [.. parts.OrderBy(static p => p.Kind == PartKind.Globals ? 0 : 1).ThenBy(p => Order(p.Database))];
        IReadOnlyList<PartFailure> failures = dump.Failures;
        if (stored.All(static p => p.Kind != PartKind.Database))
        {
            throw new PgBackupException(
                ErrorCode.BackupFailed,
                "no database could be dumped; nothing was stored.\n"
                    + string.Join("\n", failures.Select(static f => $"  {f.Part} ({f.Code}): {f.Message}"))
            );
        }

        return new Manifest
        {
            Format = Manifest.CurrentFormat,
            Id = id.ToString(),
            Cluster = config.Cluster,
            Tool = ProductVersion.Text,
            ServerVersion = cluster.Facts.Version,
            DumpVersion = cluster.Tools.Version,
            DumpSettings = DumpSettings.Fixed,
            Source = cluster.Server.Description,
            Started = cluster.Moment,
            Finished = clock.GetUtcNow(),
            SkewMs = Math.Round(cluster.Skew.TotalMilliseconds, 3),
            Encryption = cipher.Kind,
            Recipients = recipients,
            Parts = stored,
            Failures = [.. failures.OrderBy(f => Order(f.Part))],
            Notes = notes,
            ServerDatabases = cluster.ServerDatabases,
            BootstrapSuperuser = cluster.Facts.Bootstrap,
        };
    }

    private int Order(string? database) => config.Databases.Select(static d => d.Name).ToList().IndexOf(database ?? "");

    // Reading back needs no server: the tools of this host do it, if they are of the same version, without a container between.
    private async Task<PostgresTools> DecoderAsync(PostgresTools dumping, CancellationToken cancel) =>
        dumping.Host is not HostTools && await PostgresTools.OnHostAsync(clock, cancel, dumping.Major) is [PostgresTools same, ..]
            ? same
            : dumping;

    private string Compression(PostgresTools tools, List<string> notes)
    {
        string wanted = config.Dump.Compression ?? (tools.Major >= 16 ? "zstd:1" : "6");
        if (tools.Major >= 16 || int.TryParse(wanted, CultureInfo.InvariantCulture, out _))
        {
            return wanted;
        }

        // Before 16, pg_dump knows only the levels of gzip.
        string level =
            wanted == "none" ? "0"
            : wanted.StartsWith("gzip:", StringComparison.Ordinal)
                ? wanted["gzip:".Length..].Replace("level=", "", StringComparison.Ordinal)
            : "6";
        notes.Add($"compressed with gzip level {level}: pg_dump {tools.Version} does not know {wanted}");
        return level;
    }

    private async Task FinishAsync(SnapshotId id, Manifest manifest, string guide, string? pin, IStoreLock held, CancellationToken cancel)
    {
        await PutTextAsync(id, SnapshotLayout.Sums, manifest.Sums, cancel);
        await PutTextAsync(id, SnapshotLayout.Guide, guide, cancel);
        CatalogEntry stored = await Catalog.ReadEntryAsync(id, cancel);
        IReadOnlyList<string> missing = stored.Missing(manifest);
        if (missing.Count > 0)
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"objects that were stored in {store.Name} ({store.Location}) a moment ago are not there any more: "
                    + $"{string.Join(", ", missing)}.",
                "Something else removes or moves files in the store while the backup runs (a synchronisation, an unmount): keep it "
                    + "out of there."
            );
        }

        if (!manifest.IsComplete)
        {
            await PutTextAsync(id, SnapshotLayout.Incomplete, manifest.Gaps, cancel);
        }

        if (manifest.HasLoss)
        {
            await PutTextAsync(id, SnapshotLayout.Loss, manifest.LossText, cancel);
        }

        if (pin is not null)
        {
            await PutTextAsync(id, SnapshotLayout.Pinned, pin + "\n", cancel);
        }

        byte[] json = manifest.ToJson();
        await PutTextAsync(id, SnapshotLayout.ManifestSum, Encoding.UTF8.GetString(ManifestSum.Of(json)), cancel);
        held.RequireHeld();
        await PutTextAsync(id, SnapshotLayout.Manifest, Encoding.UTF8.GetString(json), cancel);
        await TidyAsync(
            $"the mark {SnapshotLayout.InProgress} of {id}",
            c => store.DeleteAsync(SnapshotLayout.Key(id, SnapshotLayout.InProgress), c)
        );
    }

    private async Task PutTextAsync(SnapshotId id, string name, string text, CancellationToken cancel)
    {
        using var content = new MemoryStream(Encoding.UTF8.GetBytes(text));
        // Marks come and go with what they mark.
        bool mark = name is SnapshotLayout.InProgress or SnapshotLayout.Pinned;
        await store.PutAsync(SnapshotLayout.Key(id, name), content, mark ? null : lockUntil, cancel);
    }

    private Task RemoveUnfinishedAsync(SnapshotId id) =>
        TidyAsync(
            $"the unfinished {id}",
            async cancel =>
            {
                CatalogEntry entry = await Catalog.ReadEntryAsync(id, cancel);
                if (!entry.HasManifest)
                {
                    await Catalog.RemoveAsync(entry, cancel);
                }
            }
        );

    private async Task TidyAsync(string what, Func<CancellationToken, Task> remove)
    {
        using var limit = new CancellationTokenSource(TidyingTime, clock);
        try
        {
            await remove(limit.Token);
        }
        catch (Exception e) when (e is PgBackupException or OperationCanceledException)
        {
            string why = e is PgBackupException ? e.Message : $"not done within {TidyingTime.TotalSeconds:0} s";
            progress.Warn("", $"{what} could not be removed ({why}); the next run does it");
        }
    }
}
