using System.Globalization;
using System.Text;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Tools;

namespace PgBackup.Operations;

/// <summary>
/// Takes one snapshot: lock, check recipients and store, fix the moment of all databases, then dump, prove, encrypt and store them at
/// the same time; sums, guide, and last the manifest.
/// </summary>
public sealed class BackupOperation(BackupConfig config, BackupStore primary, ICipher cipher, TimeProvider clock, Progress progress)
{
    // For tidying up after the snapshot is written, or will not be: the next run does what a store that hangs keeps this one from.
    private static readonly TimeSpan TidyingTime = TimeSpan.FromSeconds(60);

    private readonly IObjectStore store = primary.Store;
    private readonly Catalog catalog = new(primary.Store);
    private DateTimeOffset? lockUntil;

    /// <summary>Is told of each part as soon as the primary store has it.</summary>
    public Action<SnapshotId, Part> PartStored { get; init; } = static (_, _) => { };

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
        DateTimeOffset started = clock.GetUtcNow();
        string holder = string.Create(
            CultureInfo.InvariantCulture, $"process {Environment.ProcessId} on {Environment.MachineName}, since {started:yyyy-MM-dd HH:mm:ss} UTC");
        await using IStoreLock held = await store.LockAsync(holder, cancel);
        await store.CheckWritableAsync(cancel);
        PrivateFolder.Sweep();
        IReadOnlyList<CatalogEntry> entries = await catalog.ListAsync(cancel);
        Manifest? previous = await catalog.RequireClusterAsync(config.Cluster, entries, cancel);
        Manifest? complete = await CompleteAsync(previous, entries, cancel);
        foreach (SnapshotId left in await catalog.RemoveLeftoversAsync(entries, static _ => false, cancel))
        {
            progress.Log($"removed what a killed run left of {left}");
        }

        if (held.Note is { } taken)
        {
            progress.Log(taken);
        }

        SnapshotId id = await FreeIdAsync([.. entries.Select(static e => e.Id)], cancel);
        lockUntil = primary.LockUntil(id, entries);
        Task<IReadOnlyList<Recipient>> checking = cipher.CheckAsync(cancel); // while the sessions are opened
        await using SourceCluster cluster = await OpenAsync(id, wanted, checking, cancel);
        IReadOnlyList<Recipient> recipients = await checking;
        progress.Log($"{cluster.Databases.Count} database{(cluster.Databases.Count == 1 ? "" : "s")} of Postgres {cluster.Facts.Version} at one moment, within {cluster.Skew.TotalMilliseconds:0.0} ms");
        bool finished = false;
        try
        {
            await PutTextAsync(id, SnapshotLayout.InProgress, holder + "\n", cancel);
            Manifest manifest = await TakeAsync(id, cluster, recipients, previous, started, cancel);
            manifest = manifest with { LeftOut = [.. config.Databases.Except(wanted).Select(static d => d.Name)] };
            manifest = manifest with { Warnings = SnapshotWarnings.Of(complete, manifest) };
            await FinishAsync(id, manifest, pin, held, cancel);
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

    // What warnings compare with; a run never fails for want of it.
    private async Task<Manifest?> CompleteAsync(Manifest? newest, IReadOnlyList<CatalogEntry> entries, CancellationToken cancel)
    {
        if (newest is null or { IsComplete: true })
        {
            return newest;
        }

        try
        {
            return (await catalog.BeforeAsync(SnapshotId.At(clock.GetUtcNow()), entries, cancel))?.Manifest;
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            progress.Log($"the last complete snapshot cannot be read, and is not compared with: {e.Message}");
            return null;
        }
    }

    private async Task<SourceCluster> OpenAsync(SnapshotId id, IReadOnlyList<DatabaseConfig> wanted, Task<IReadOnlyList<Recipient>> checking, CancellationToken cancel)
    {
        Task<SourceCluster> opening = SourceCluster.OpenAsync(config.Source, wanted, $"olympus-pgbackup {id}", alone: true, clock, cancel);
        await Task.WhenAll(checking, opening).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        if (!checking.IsCompletedSuccessfully && opening.IsCompletedSuccessfully)
        {
            await (await opening).DisposeAsync();
        }

        await checking; // a recipient that cannot be used is told first: no dump has started
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
                $"It has {string.Join(", ", config.Databases.Select(static d => d.Name))}.");
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
        SnapshotId id, SourceCluster cluster, IReadOnlyList<Recipient> recipients, Manifest? previous, DateTimeOffset started, CancellationToken cancel)
    {
        PostgresTools decoder = await DecoderAsync(cluster.Tools, cancel);
        List<string> notes = [.. cluster.Databases.SelectMany(static d => d.Notes)];
        string compression = Compression(cluster.Tools, notes);
        if (!cluster.Facts.ReadsPasswords)
        {
            notes.Add($"globals: without the passwords of roles, which {cluster.Facts.Role} may not read (it needs superuser, or pg_read_all_data)");
        }

        var failures = new List<PartFailure>(cluster.Failures);
        foreach (PartFailure failure in cluster.Failures)
        {
            progress.Log($"{failure.Part}: FAILED ({failure.Code}), see below");
        }

        using var slots = new SemaphoreSlim(config.Dump.Jobs);
        List<Task<Part?>> work = [];
        PartProgress globals = progress.Add("globals", 0);
        foreach (SourceDatabase database in cluster.Databases)
        {
            long expected = previous?.Databases.FirstOrDefault(p => p.Database == database.Name)?.Proof.Bytes ?? database.Bytes * 2 / 3;
            PartProgress display = progress.Add(database.Name, expected);
            // Semaphores serve in order: the largest starts first.
            Task turn = slots.WaitAsync(cancel);
            work.Add(Task.Run(() => GuardAsync(database.Name, display, failures, turn, slots, () => StoreDatabaseAsync(id, database, decoder, compression, display, cancel), cancel), CancellationToken.None));
        }

        work.Add(Task.Run(() => GuardAsync("globals", globals, failures, Task.CompletedTask, null, () => StoreGlobalsAsync(id, cluster, globals, cancel), cancel), CancellationToken.None));
        Part?[] parts = await Task.WhenAll(work);
        cancel.ThrowIfCancellationRequested();
        List<Part> stored = [.. parts.OfType<Part>().OrderBy(static p => p.Kind == Part.GlobalsKind ? 0 : 1).ThenBy(p => Order(p.Database))];
        if (stored.All(static p => p.Kind != Part.DatabaseKind))
        {
            throw new PgBackupException(
                ErrorCode.BackupFailed,
                $"no database could be dumped; nothing was stored.\n{string.Join("\n", failures.Select(static f => $"  {f.Part} ({f.Code}): {f.Message}"))}");
        }

        return new Manifest
        {
            Format = Manifest.CurrentFormat,
            Id = id.ToString(),
            Cluster = config.Cluster,
            Tool = ProductVersion.Text,
            ServerVersion = cluster.Facts.Version,
            DumpVersion = cluster.Tools.Version,
            Source = cluster.Server.Description,
            Started = started,
            Finished = clock.GetUtcNow(),
            SkewMs = Math.Round(cluster.Skew.TotalMilliseconds, 3),
            Encryption = cipher.Kind,
            Recipients = recipients,
            Parts = stored,
            Failures = [.. failures.OrderBy(f => Order(f.Part))],
            Notes = notes,
            ServerDatabases = cluster.ServerDatabases,
        };
    }

    private int Order(string? database) => config.Databases.Select(static d => d.Name).ToList().IndexOf(database ?? "");

    private async Task<Part?> GuardAsync(
        string name, PartProgress display, List<PartFailure> failures, Task turn, SemaphoreSlim? slots, Func<Task<Part>> make, CancellationToken cancel)
    {
        await turn;
        try
        {
            Part part = await make();
            display.State = "done";
            progress.Log(string.Create(
                CultureInfo.InvariantCulture,
                $"{name}: {(part.Kind == Part.GlobalsKind ? $"{part.Proof.Schema.Count} statements" : $"{part.Proof.Tables.Count} tables, {part.Proof.Rows:N0} rows")}, {ByteSize.Text(part.Size)} stored in {part.Seconds:0.0} s"));
            return part;
        }
        catch (PgBackupException e)
        {
            display.State = "failed";
            lock (failures)
            {
                string? remedy = e.Remedy ?? DumpAdvice.For(e.Message);
                failures.Add(new PartFailure { Part = name, Code = e.CodeText, Message = remedy is null ? e.Message : $"{e.Message}\n  what to do: {remedy}" });
            }

            if (!cancel.IsCancellationRequested)
            {
                progress.Log($"{name}: FAILED ({e.CodeText}), see below");
            }

            return null;
        }
        finally
        {
            slots?.Release();
        }
    }

    private async Task<Part> StoreDatabaseAsync(
        SnapshotId id, SourceDatabase database, PostgresTools decoder, string compression, PartProgress display, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        display.State = "dumping";
        // The decoder stands ready before the dump starts; each stream owns the one before it.
        ArchiveDecoder decoding = await ArchiveDecoder.StartAsync(decoder, keepExcerpts: false, cancel);
        display.Follow(() => decoding.Script.BytesRead);
        var request = new DumpRequest
        {
            Database = database.Name,
            SnapshotName = database.SnapshotName,
            Encoding = database.Encoding,
            Compression = compression,
            LockTimeout = config.Dump.LockTimeout,
        };
        var dump = new DeferredTool(c => database.Server.DumpAsync(request, c), cancel);
        await using var proving = new ProvingStream(dump, decoding);
        string name = SnapshotLayout.DatabaseName(id, database.Name, cipher.Extension);
        await using var stored = new HashingStream(cipher.Encrypt(proving, cancel));
        long size = await store.PutAsync(SnapshotLayout.Key(id, name), stored, lockUntil, cancel);
        return Stored(id, new Part
        {
            Kind = Part.DatabaseKind,
            Database = database.Name,
            Object = name,
            Size = size,
            Sha256 = stored.Sha256,
            PlainSize = proving.BytesRead,
            PlainSha256 = proving.Sha256!,
            Compression = compression,
            Encoding = database.Encoding,
            Proof = proving.Proof!,
            Seconds = Seconds(start),
            Warnings = dump.Errors,
        });
    }

    private async Task<Part> StoreGlobalsAsync(SnapshotId id, SourceCluster cluster, PartProgress display, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        display.State = "dumping";
        var dump = new DeferredTool(c => cluster.Server.DumpGlobalsAsync(cluster.Facts.ReadsPasswords, config.Dump.LockTimeout, c), cancel);
        var reading = new ScriptStream(dump, cluster.Tools.Major);
        await using var plain = new HashingStream(reading);
        string name = SnapshotLayout.GlobalsName(id, cipher.Extension);
        await using var stored = new HashingStream(cipher.Encrypt(plain, cancel));
        long size = await store.PutAsync(SnapshotLayout.Key(id, name), stored, lockUntil, cancel);
        return Stored(id, new Part
        {
            Kind = Part.GlobalsKind,
            Object = name,
            Size = size,
            Sha256 = stored.Sha256,
            PlainSize = plain.BytesRead,
            PlainSha256 = plain.Sha256,
            Proof = reading.Proof!,
            Seconds = Seconds(start),
            Warnings = dump.Errors,
        });
    }

    // Reading back needs no server: the tools of this host do it, if they are of the same version, without a container between.
    private static async Task<PostgresTools> DecoderAsync(PostgresTools dumping, CancellationToken cancel) =>
        dumping.Host is not HostTools && await PostgresTools.OnHostAsync(cancel, dumping.Major) is [PostgresTools same, ..] ? same : dumping;

    private string Compression(PostgresTools tools, List<string> notes)
    {
        string wanted = config.Dump.Compression ?? (tools.Major >= 16 ? "zstd:1" : "6");
        if (tools.Major >= 16 || int.TryParse(wanted, CultureInfo.InvariantCulture, out _))
        {
            return wanted;
        }

        // Before 16, pg_dump knows only the levels of gzip.
        string level = wanted == "none" ? "0"
            : wanted.StartsWith("gzip:", StringComparison.Ordinal) ? wanted["gzip:".Length..].Replace("level=", "", StringComparison.Ordinal)
            : "6";
        notes.Add($"compressed with gzip level {level}: pg_dump {tools.Version} does not know {wanted}");
        return level;
    }

    private Part Stored(SnapshotId id, Part part)
    {
        PartStored(id, part);
        return part;
    }

    private double Seconds(long start) => Math.Round(clock.GetElapsedTime(start).TotalSeconds, 3);

    private async Task FinishAsync(SnapshotId id, Manifest manifest, string? pin, IStoreLock held, CancellationToken cancel)
    {
        await PutTextAsync(id, SnapshotLayout.Sums, manifest.Sums, cancel);
        await PutTextAsync(id, SnapshotLayout.Guide, RestoreGuide.Write(manifest), cancel);
        CatalogEntry stored = await catalog.ReadEntryAsync(id, cancel);
        List<string> missing = [.. manifest.Parts.Where(p => stored.Objects.GetValueOrDefault(p.Object, -1) != p.Size).Select(static p => p.Object)];
        if (missing.Count > 0)
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"objects that were stored in {store.Name} ({store.Location}) a moment ago are not there any more: {string.Join(", ", missing)}.",
                "Something else removes or moves files in the store while the backup runs (a synchronisation, an unmount): keep it out of there.");
        }

        if (!manifest.IsComplete)
        {
            IEnumerable<string> lines = [.. manifest.Failures.Select(static f => $"failed: {f.Part} ({f.Code})"), .. manifest.LeftOut.Select(static d => $"left out: {d}")];
            await PutTextAsync(id, SnapshotLayout.Incomplete, string.Join('\n', lines) + "\n", cancel);
        }

        if (pin is not null)
        {
            await PutTextAsync(id, SnapshotLayout.Pinned, pin + "\n", cancel);
        }

        held.RequireHeld();
        await PutTextAsync(id, SnapshotLayout.Manifest, Encoding.UTF8.GetString(manifest.ToJson()), cancel);
        await TidyAsync($"the mark {SnapshotLayout.InProgress} of {id}", c => store.DeleteAsync(SnapshotLayout.Key(id, SnapshotLayout.InProgress), c));
    }

    private async Task PutTextAsync(SnapshotId id, string name, string text, CancellationToken cancel)
    {
        using var content = new MemoryStream(Encoding.UTF8.GetBytes(text));
        // Marks come and go with what they mark.
        bool mark = name is SnapshotLayout.InProgress or SnapshotLayout.Pinned;
        await store.PutAsync(SnapshotLayout.Key(id, name), content, mark ? null : lockUntil, cancel);
    }

    private Task RemoveUnfinishedAsync(SnapshotId id) => TidyAsync($"the unfinished {id}", async cancel =>
    {
        CatalogEntry entry = await catalog.ReadEntryAsync(id, cancel);
        if (!entry.HasManifest)
        {
            await catalog.RemoveAsync(entry, cancel);
        }
    });

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
            progress.Log($"{what} could not be removed ({why}); the next run does it");
        }
    }
}
