using System.Globalization;
using System.Text;
using PgBackup.Applications;
using PgBackup.Archives;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Operations.Keys;
using PgBackup.Operations.Restore;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Drill;

/// <summary>What to rehearse.</summary>
public sealed record DrillRequest
{
    /// <summary>A snapshot's id, or <c>latest</c>.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The store it is fetched from.</summary>
    public required BackupStore From { get; init; }

    /// <summary>Leave the scratch server running.</summary>
    public bool Keep { get; init; }
}

/// <summary>
/// Rehearses a restore: a snapshot from a store into a scratch server of its own major version, all databases and roles, compared with
/// the proof, questioned, timed; then everything is removed again. The source is never needed. The report goes into every store.
/// </summary>
/// <param name="config">How.</param>
/// <param name="stores">All stores, for the report and the mark.</param>
/// <param name="cluster">The cluster's name.</param>
/// <param name="cipherFor">The cipher for a snapshot.</param>
/// <param name="clock">The time.</param>
/// <param name="progress">For a display.</param>
public sealed class DrillOperation(
    DrillConfig config, IReadOnlyList<BackupStore> stores, string cluster, Func<Manifest, ICipher> cipherFor, TimeProvider clock, Progress progress)
{
    // Smaller archives are restored within a second.
    private const long WorthwhileForJobs = 16 << 20;

    private readonly List<DrillPhase> phases = [];
    private readonly List<string> notes = [];
    private readonly List<string> failures = [];
    private long phaseStart;

    /// <summary>How to reach what was left running on demand, and how to remove it; null when nothing was.</summary>
    public string? Kept { get; private set; }

    /// <summary>
    /// Carries it out. What fails from the restore on is in the report, which is written all the same; whatever happens, the scratch
    /// server is removed, and what a killed drill left is removed by the next one.
    /// </summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.Usage"/>; there is nothing to rehearse: <see cref="ErrorCode.SnapshotMissing"/>, <see cref="ErrorCode.StoreUnavailable"/>, of which the
    /// stores that can be written to have a report. A report that no store takes is a failure in the report that is returned.
    /// </exception>
    public async Task<DrillReport> RunAsync(DrillRequest request, CancellationToken cancel)
    {
        if (request.Keep && config.Scratch == "host")
        {
            throw new PgBackupException(
                ErrorCode.Usage, "--keep keeps a container, and drill.scratch is host.", "Leave out --keep, or write scratch: podman; `restore` restores into a server that stays.");
        }

        OlympusPack.RequireNames(config.SkipChecks);
        var keys = new DrillKeys(config);
        foreach (string problem in keys.Problems)
        {
            progress.Log($"{problem} (drill.application_keys): the drill goes on, and will have failed.");
        }

        DateTimeOffset started = clock.GetUtcNow();
        phaseStart = clock.GetTimestamp();
        IObjectStore from = request.From.Store;
        (SnapshotId id, Manifest manifest) = await FindAsync(request, started, cancel);
        DateTimeOffset newest = request.Snapshot == "latest" ? manifest.Started : await NewestAsync(from, cancel) ?? manifest.Started;
        End("find the snapshot");

        RestoreReport? restore = null;
        IReadOnlyList<DrillCheck> checks = [];
        IReadOnlyList<DrillKey> applicationKeys = [];
        string target = "no server";
        double restoreSeconds;
        DrillServer? scratch = null;
        GlobalNames? made = null;
        using var starting = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var fetching = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task<DrillServer>? start = null;
        Task? ready = null;
        try
        {
            try
            {
                PrivateFolder.Sweep();
                // It starts while every stored byte is fetched, checked and decrypted; whichever of the two fails ends the other.
                start = DrillServer.StartAsync(config, manifest, request.Keep, clock, starting.Token);
                ready = ReadyAsync(start);
                _ = ready.ContinueWith(_ => fetching.Cancel(), CancellationToken.None, TaskContinuationOptions.NotOnRanToCompletion,
                    TaskScheduler.Default);
                var operation = new RestoreOperation(from, cipherFor, clock, progress);
                int workers = Math.Clamp(Environment.ProcessorCount, 1, 8);
                var wanted = new RestoreRequest
                {
                    Snapshot = id.ToString(),
                    Globals = manifest.Globals is not null,
                    DatabasesAtOnce = workers,
                    // Plaintext is put aside only in memory, and where the whole server is thrown away.
                    Jobs = config.Target is null ? workers : 1,
                    JobsFromBytes = WorthwhileForJobs,
                    JobsInMemoryOnly = true,
                };
                await using PreparedRestore prepared = await operation.PrepareAsync(wanted, StartedAsync, fetching.Token);
                End("read the schemas");
                notes.AddRange(prepared.Plan.Beyond);
                foreach (string beyond in prepared.Plan.Beyond)
                {
                    progress.Log(beyond);
                }

                made = prepared.Globals;
                restore = await prepared.RunAsync(progress, cancel);
                notes.AddRange(restore.Notes);
                if (restore.Databases.Where(static d => d.Jobs > 1).ToList() is { Count: > 0 } fast)
                {
                    notes.Add($"{string.Join(", ", fast.Select(static d => d.Database))}: restored by {fast.Max(static d => d.Jobs)} jobs of pg_restore, as `restore --jobs {fast.Max(static d => d.Jobs)}` does; without, it takes longer");
                }

            }
            catch (Exception e) when ((ready?.Exception?.InnerException ?? e) is PgBackupException { Code: not ErrorCode.Cancelled } reason
                && !cancel.IsCancellationRequested)
            {
                failures.Add($"{reason.CodeText}: {reason.Message}");
            }

            cancel.ThrowIfCancellationRequested();
            End(restore);
            restoreSeconds = phases.Sum(static p => p.Seconds);
            if (restore is not null && scratch is not null)
            {
                IReadOnlyList<(string, string)> whole = [.. restore.Databases.Where(static d => d.Problems.Count == 0).Select(static d => (d.Database, d.RestoredAs))];
                checks = await new DrillChecks(scratch.Server, manifest, config, clock).RunAsync(whole, cancel);
                applicationKeys = await keys.TestAsync(scratch.Server, whole, clock, cancel);
                End("checks");
            }
        }
        finally
        {
            bool reached = scratch is { Ready.IsCompletedSuccessfully: true };
            scratch ??= await AbandonAsync(start, starting);
            if (scratch is not null)
            {
                // Nobody is told of a server that a stopped drill would leave.
                Kept = await scratch.EndAsync(request.Keep && reached && !cancel.IsCancellationRequested, made, notes);
                End("remove the scratch server");
            }
        }

        IReadOnlyList<KeyTest> keyTests = [];
        IReadOnlyDictionary<string, DateTimeOffset> keysTested = new Dictionary<string, DateTimeOffset>();
        if (manifest.Recipients.Count > 0)
        {
            (keyTests, keysTested) = await LookAtKeysAsync(restore is not null, id, manifest, from, cancel);
            End("keys");
        }

        DrillReport report = Judge(new DrillReport
        {
            Format = DrillReport.CurrentFormat,
            Cluster = cluster,
            Snapshot = id.ToString(),
            Store = from.Name,
            Location = from.Location,
            Host = Environment.MachineName,
            Tool = ProductVersion.Text,
            ServerVersion = manifest.ServerVersion,
            Target = target,
            Encryption = manifest.Encryption,
            Recipients = manifest.Recipients,
            DecryptedBy = [.. keyTests.Select(static t => t.Fingerprint)],
            KeysTested = keysTested,
            Started = started,
            Finished = clock.GetUtcNow(),
            Phases = phases,
            RestoreSeconds = Math.Round(restoreSeconds, 3),
            RtoSeconds = config.Rto.TotalSeconds,
            DataAgeSeconds = Math.Round((started - newest).TotalSeconds),
            RpoSeconds = config.Rpo.TotalSeconds,
            RedeploySeconds = config.Redeploy.TotalSeconds,
            Databases = [.. (restore?.Databases ?? []).Select(static d => new DrillDatabase
            {
                Name = d.Database,
                Tables = d.Tables,
                Rows = d.Rows,
                RestoreSeconds = d.RestoreSeconds,
                CompareSeconds = d.CompareSeconds,
                Verdict = d.Problems.Count > 0 ? "FAILED" : d.SchemaCompared ? "equal" : "rows equal",
                Problems = [.. d.Problems.Take(20)],
            })],
            Checks = checks,
            ApplicationKeys = applicationKeys,
            Notes = notes,
            Failures = [],
        });
        report = await WriteAsync(report, manifest, cancel);
        foreach (string problem in (await Keys.RecordAsync(keyTests, cancel)).Problems)
        {
            progress.Log(problem);
        }

        return report;

        async Task<RestoreTarget> StartedAsync(CancellationToken _)
        {
            End("fetch, verify and decrypt every part, while the scratch server starts");
            scratch = await start!;
            target = scratch.Description;
            End("wait for the scratch server");
            return scratch.Target;
        }
    }

    private static async Task ReadyAsync(Task<DrillServer> start) => await (await start).Ready;

    // A server that nobody waits for any more; if it is there already, it has to be removed.
    private static async Task<DrillServer?> AbandonAsync(Task<DrillServer>? start, CancellationTokenSource starting)
    {
        if (start is null)
        {
            return null;
        }

        await starting.CancelAsync();
        try
        {
            return await start;
        }
        catch (Exception e) when (e is PgBackupException or OperationCanceledException)
        {
            return null; // StartAsync leaves nothing
        }
    }

    /// <summary>The drills of a store, newest first.</summary>
    /// <param name="store">The store.</param>
    /// <param name="most">How many at most.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<IReadOnlyList<DrillReport>> ListAsync(IObjectStore store, int most, CancellationToken cancel)
    {
        List<string> keys = [];
        await foreach (StoredObject one in store.ListAsync(SnapshotLayout.Drills, cancel))
        {
            if (one.Key.EndsWith(".json", StringComparison.Ordinal))
            {
                keys.Add(one.Key);
            }
        }

        List<DrillReport> reports = [];
        foreach (string key in keys.OrderDescending(StringComparer.Ordinal).Take(most))
        {
            await using Stream stream = await store.OpenAsync(key, cancel);
            using var json = new MemoryStream();
            await stream.CopyToAsync(json, cancel);
            if (DrillReport.TryRead(json.ToArray()) is { } report)
            {
                reports.Add(report);
            }
        }

        return reports;
    }

    private KeysOperation Keys => new([.. stores.Select(static s => s.Store)], clock);

    private async Task<(IReadOnlyList<KeyTest>, IReadOnlyDictionary<string, DateTimeOffset>)> LookAtKeysAsync(
        bool restored, SnapshotId id, Manifest manifest, IObjectStore from, CancellationToken cancel)
    {
        ICipher cipher = cipherFor(manifest);
        try
        {
            (IReadOnlyList<KeyTest> tests, IReadOnlyDictionary<string, DateTimeOffset> last, IReadOnlyList<string> found) =
                await Keys.AfterDrillAsync(restored, id, manifest, from, cipher, cancel);
            notes.AddRange(found);
            return (tests, last);
        }
        finally
        {
            if (cipher is IAsyncDisposable disposable)
            {
                await disposable.DisposeAsync();
            }
        }
    }

    private async Task<DateTimeOffset?> NewestAsync(IObjectStore store, CancellationToken cancel)
    {
        try
        {
            return (await new Catalog(store).LatestAsync(cancel)).Manifest.Started;
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.SnapshotMissing)
        {
            failures.Add(e.Message);
            return null;
        }
    }

    private void End(string phase)
    {
        long now = clock.GetTimestamp();
        phases.Add(new DrillPhase { Name = phase, Seconds = Math.Round(clock.GetElapsedTime(phaseStart, now).TotalSeconds, 3) });
        phaseStart = now;
    }

    // The restore's own clock tells how its time was spent.
    private void End(RestoreReport? restore)
    {
        if (restore is null)
        {
            End("restore (failed)");
            return;
        }

        long now = clock.GetTimestamp();
        double all = clock.GetElapsedTime(phaseStart, now).TotalSeconds;
        phases.Add(new DrillPhase { Name = "restore the roles", Seconds = Math.Round(restore.GlobalsSeconds, 3) });
        phases.Add(new DrillPhase { Name = "restore and compare the databases", Seconds = Math.Round(all - restore.GlobalsSeconds, 3) });
        phaseStart = now;
    }

    private DrillReport Judge(DrillReport report)
    {
        foreach (DrillDatabase database in report.Databases.Where(static d => d.Verdict == "FAILED"))
        {
            // The first may only announce the others.
            string[] first = [.. database.Problems.Take(database.Problems is [[.., ':'], ..] ? 2 : 1)];
            failures.Add($"{database.Name} does not equal the snapshot: {(first.Length > 0 ? string.Join(' ', first) : "no reason was given")}");
        }

        foreach (DrillCheck check in report.Checks.Where(static c => !c.Passed))
        {
            failures.Add($"{check.Database}: {check.Name}: {check.Problem ?? $"{check.Answer ?? "nothing"} came, {check.Expected} was expected"}");
        }

        foreach (DrillKey key in report.ApplicationKeys.Where(static k => !k.Passed))
        {
            failures.Add($"{key.Database}: the application key of {key.Service} ({key.Table}): {key.Detail}");
        }

        if (report.RestoreSeconds > report.RtoSeconds)
        {
            failures.Add(string.Create(CultureInfo.InvariantCulture, $"the restore took {report.RestoreSeconds:0} s, and may take {report.RtoSeconds:0} s (drill.rto)"));
        }

        if (report.DataAgeSeconds > report.RpoSeconds)
        {
            failures.Add(string.Create(CultureInfo.InvariantCulture, $"the newest complete snapshot in {report.Store} is {report.DataAgeSeconds / 3600:0.0} h old, and may be {report.RpoSeconds / 3600:0.0} h (drill.rpo)"));
        }

        return report with { Failures = failures };
    }

    // The report into every store, and the mark beside the snapshot wherever it lies.
    // A store that cannot even be asked is what a drill is there to find out: the others get a report of it.
    private async Task<(SnapshotId Id, Manifest Manifest)> FindAsync(DrillRequest request, DateTimeOffset started, CancellationToken cancel)
    {
        try
        {
            return await new Catalog(request.From.Store) { PassedOver = line => progress.Log($"note: {line}") }.FindAsync(request.Snapshot,
                cancel);
        }
        catch (PgBackupException e) when (e.Code is not (ErrorCode.Usage or ErrorCode.Cancelled) && !cancel.IsCancellationRequested)
        {
            End("find the snapshot");
            await WriteAsync(
                new DrillReport
                {
                    Format = DrillReport.CurrentFormat,
                    Cluster = cluster,
                    Snapshot = request.Snapshot,
                    Store = request.From.Store.Name,
                    Location = request.From.Store.Location,
                    Host = Environment.MachineName,
                    Tool = ProductVersion.Text,
                    ServerVersion = DrillReport.Unknown,
                    Target = "no server",
                    Encryption = DrillReport.Unknown,
                    Recipients = [],
                    Started = started,
                    Finished = clock.GetUtcNow(),
                    Phases = phases,
                    RestoreSeconds = 0,
                    RtoSeconds = config.Rto.TotalSeconds,
                    DataAgeSeconds = 0,
                    RpoSeconds = config.Rpo.TotalSeconds,
                    RedeploySeconds = config.Redeploy.TotalSeconds,
                    Databases = [],
                    Checks = [],
                    Notes = [],
                    Failures = [$"{e.CodeText}: {e.Message}"],
                },
                null,
                cancel);
            throw;
        }
    }

    private async Task<DrillReport> WriteAsync(DrillReport report, Manifest? manifest, CancellationToken cancel)
    {
        string name = SnapshotId.At(report.Started).ToString();
        // Slowness and age are no faults of the snapshot.
        bool proven = manifest is { IsComplete: true } && report.Databases.Count == manifest.Databases.Count() && report.Databases.All(static d => d.Verdict != "FAILED")
            && report.Checks.All(static c => c.Passed) && report.ApplicationKeys.All(static k => k.Passed);
        int written = 0;
        PgBackupException? lost = null;
        foreach (IObjectStore store in stores.Select(static s => s.Store))
        {
            try
            {
                IReadOnlyList<DrillReport> earlier = await ListAsync(store, 11, cancel);
                await PutAsync(store, $"{SnapshotLayout.Drills}/{name}.md", DrillText.Write(report, earlier), cancel);
                await PutAsync(store, $"{SnapshotLayout.Drills}/{name}.json", Encoding.UTF8.GetString(report.ToJson()), cancel);
                written++;
                if (proven && SnapshotId.TryParse(report.Snapshot) is { } id && await new Catalog(store).ReadEntryAsync(id, cancel) is { HasManifest: true } entry
                    && !entry.Objects.ContainsKey(SnapshotLayout.InProgress))
                {
                    await PutAsync(store, SnapshotLayout.Key(id, SnapshotLayout.Proven), $"restored and found equal in the drill {name}, from {report.Store}\n", cancel);
                }
            }
            catch (PgBackupException e)
            {
                lost ??= e;
                progress.Log($"the report could not be written into {store.Name}: {e.Message}");
            }
        }

        // What was found out is told all the same; without evidence it is no drill that passed.
        return written > 0 || lost is null ? report : report with { Failures = [.. report.Failures, $"the report could not be written into any store ({lost.CodeText}: {lost.Message})"] };
    }

    private static async Task PutAsync(IObjectStore store, string key, string text, CancellationToken cancel)
    {
        using var content = new MemoryStream(Encoding.UTF8.GetBytes(text));
        await store.PutAsync(key, content, cancel);
    }
}
