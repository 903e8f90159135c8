using System.Globalization;
using System.Text;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Tools;

namespace PgBackup.Operations;

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
    /// There is nothing to rehearse: <see cref="ErrorCode.SnapshotMissing"/>, <see cref="ErrorCode.StoreUnavailable"/>; or no report could be
    /// written anywhere.
    /// </exception>
    public async Task<DrillReport> RunAsync(DrillRequest request, CancellationToken cancel)
    {
        DateTimeOffset started = clock.GetUtcNow();
        phaseStart = clock.GetTimestamp();
        IObjectStore from = request.From.Store;
        (SnapshotId id, Manifest manifest) = await new Catalog(from).FindAsync(request.Snapshot, cancel);
        DateTimeOffset newest = request.Snapshot == "latest" ? manifest.Started : (await new Catalog(from).LatestAsync(cancel)).Manifest.Started;
        End("find the snapshot");

        RestoreReport? restore = null;
        IReadOnlyList<DrillCheck> checks = [];
        string target = "no server";
        double restoreSeconds;
        Scratch? scratch = null;
        try
        {
            try
            {
                scratch = await StartAsync(manifest, request.Keep, cancel);
                target = scratch.Description;
                End("start the scratch server");
                var operation = new RestoreOperation(from, cipherFor, clock, progress);
                var wanted = new RestoreRequest { Snapshot = id.ToString(), Globals = manifest.Globals is not null, DatabasesAtOnce = Math.Clamp(Environment.ProcessorCount, 1, 8) };
                restore = await operation.RunAsync(wanted, scratch.Target, cancel);
                notes.AddRange(restore.Notes);
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
            {
                failures.Add($"{e.CodeText}: {e.Message}");
            }

            End(restore);
            restoreSeconds = phases.Sum(static p => p.Seconds);
            if (restore is not null && scratch is not null)
            {
                IReadOnlyList<(string, string)> whole = [.. restore.Databases.Where(static d => d.Problems.Count == 0).Select(static d => (d.Database, d.RestoredAs))];
                checks = await new DrillChecks(scratch.Server, manifest.Started, clock).RunAsync(whole, config.Checks, cancel);
                End("checks");
            }
        }
        finally
        {
            if (scratch is not null)
            {
                await EndAsync(scratch, restore, request.Keep);
                End("remove the scratch server");
            }
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
            Notes = notes,
            Failures = [],
        });
        return await WriteAsync(report, manifest, cancel);
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
        phases.Add(new DrillPhase { Name = "fetch, verify and decrypt", Seconds = Math.Round(restore.VerifySeconds, 3) });
        phases.Add(new DrillPhase { Name = "restore the roles", Seconds = Math.Round(restore.GlobalsSeconds, 3) });
        phases.Add(new DrillPhase { Name = "restore and compare the databases", Seconds = Math.Round(all - restore.VerifySeconds - restore.GlobalsSeconds, 3) });
        phaseStart = now;
    }

    private DrillReport Judge(DrillReport report)
    {
        foreach (DrillDatabase database in report.Databases.Where(static d => d.Verdict == "FAILED"))
        {
            failures.Add($"{database.Name} does not equal the snapshot: {(database.Problems.Count > 0 ? database.Problems[0] : "no reason was given")}");
        }

        foreach (DrillCheck check in report.Checks.Where(static c => !c.Passed))
        {
            failures.Add($"{check.Database}: {check.Name}: {check.Problem ?? $"{check.Answer ?? "nothing"} came, {check.Expected} was expected"}");
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

    private async Task<Scratch> StartAsync(Manifest manifest, bool keep, CancellationToken cancel)
    {
        PrivateFolder.Sweep();
        if (config.Target is { } connection)
        {
            var target = new RestoreTarget { Connection = connection };
            (FoundTools found, PostgresServer server) = await target.OpenAsync(clock, cancel);
            try
            {
                await using PsqlSession session = await server.ConnectAsync(server.MaintenanceDatabase, TimeSpan.FromSeconds(30), clock, cancel);
                HashSet<string> there = [.. (await session.QueryAsync("SELECT datname FROM pg_database", cancel)).Select(static r => r.GetProperty("datname").GetString()!)];
                List<string> inTheWay = [.. manifest.Databases.Select(static p => p.Database!).Where(there.Contains)];
                return inTheWay.Count == 0
                    ? new Scratch { Description = server.Description, Target = target, Server = server, Tools = found }
                    : throw new PgBackupException(
                        ErrorCode.TargetNotEmpty,
                        $"{server.Description} has {string.Join(", ", inTheWay)} already; a drill removes what it has restored, and touches nothing else.",
                        "Name a server in drill.scratch that has none of the databases, or write scratch: podman.");
            }
            catch
            {
                await found.DisposeAsync();
                throw;
            }
        }

        ScratchServer started;
        if (config.Scratch == "host")
        {
            started = await ScratchServer.OnHostAsync(clock, cancel);
        }
        else
        {
            int major = PostgresTools.MajorOf(manifest.ServerVersion);
            string image = config.Image ?? $"docker.io/library/postgres:{major.ToString(CultureInfo.InvariantCulture)}";
            started = await ScratchServer.InContainerAsync(new ContainerEngine(config.Scratch ?? "podman"), image, keep, clock, cancel);
        }

        return new Scratch
        {
            Description = started.Description,
            Server = started.Server,
            Started = started,
            Target = started.Container is { } container
                ? new RestoreTarget { Engine = started.Tools.Container!.EngineProgram, Container = container, Connection = started.Server.Connection }
                : new RestoreTarget { Connection = started.Server.Connection },
        };
    }

    private async Task EndAsync(Scratch scratch, RestoreReport? restore, bool keep)
    {
        if (scratch.Started is { } started)
        {
            if (keep && started.Container is { } container)
            {
                string engine = started.Tools.Container!.EngineProgram;
                Kept = $"The scratch server is still there: {engine} exec -it {container} psql -U postgres\nRemove it: {engine} rm --force --volumes {container}";
                await started.LeaveAsync();
                return;
            }

            await started.DisposeAsync();
            return;
        }

        try
        {
            if (keep || restore is null)
            {
                Kept = keep ? $"The databases are still in {scratch.Description}; drop them when you are done." : null;
                return;
            }

            await using PsqlSession session = await scratch.Server.ConnectAsync(scratch.Server.MaintenanceDatabase, TimeSpan.FromSeconds(30), clock, CancellationToken.None);
            foreach (DatabaseRestoreReport database in restore.Databases)
            {
                await session.ExecuteAsync($"DROP DATABASE IF EXISTS {Sql.Name(database.RestoredAs)}", CancellationToken.None);
            }
        }
        catch (PgBackupException e)
        {
            notes.Add($"not everything could be removed from {scratch.Description}: {e.Message}");
        }
        finally
        {
            await scratch.Tools!.DisposeAsync();
        }
    }

    // The report into every store, and the mark beside the snapshot wherever it lies.
    private async Task<DrillReport> WriteAsync(DrillReport report, Manifest manifest, CancellationToken cancel)
    {
        var id = SnapshotId.TryParse(report.Snapshot)!.Value;
        string name = SnapshotId.At(report.Started).ToString();
        // Slowness and age are no faults of the snapshot.
        bool proven = manifest.IsComplete && report.Databases.Count == manifest.Databases.Count() && report.Databases.All(static d => d.Verdict != "FAILED")
            && report.Checks.All(static c => c.Passed);
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
                CatalogEntry entry = await new Catalog(store).ReadEntryAsync(id, cancel);
                if (proven && entry.HasManifest && !entry.Objects.ContainsKey(SnapshotLayout.InProgress))
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

        return written > 0 || lost is null ? report : throw lost;
    }

    private static async Task PutAsync(IObjectStore store, string key, string text, CancellationToken cancel)
    {
        using var content = new MemoryStream(Encoding.UTF8.GetBytes(text));
        await store.PutAsync(key, content, cancel);
    }

    private sealed record Scratch
    {
        public required string Description { get; init; }

        public required RestoreTarget Target { get; init; }

        public required PostgresServer Server { get; init; }

        public ScratchServer? Started { get; init; }

        public FoundTools? Tools { get; init; }
    }
}
