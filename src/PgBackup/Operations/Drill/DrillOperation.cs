using System.Globalization;
using PgBackup.Applications;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Losses;
using PgBackup.Operations.Keys;
using PgBackup.Operations.Restore;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Drill;

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
    DrillConfig config,
    IReadOnlyList<BackupStore> stores,
    string cluster,
    Func<Manifest, ICipher> cipherFor,
    TimeProvider clock,
    Progress progress
)
{
    /// <summary>Records it; null to leave no record.</summary>
    public Recorder? Recorder { get; init; }

    /// <summary>How to reach what was left running on demand, and how to remove it; null when nothing was.</summary>
    public string? Kept { get; private set; }

    /// <summary>
    /// Carries it out. What fails from the restore on is in the report, which is written all the same; whatever happens, the scratch
    /// server is removed, and what a killed drill left is removed by the next one.
    /// </summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.Usage"/>; there is nothing to rehearse: <see cref="ErrorCode.SnapshotMissing"/>,
    /// <see cref="ErrorCode.StoreUnavailable"/>, of which the
    /// stores that can be written to have a report. A report that no store takes is a failure in the report that is returned.
    /// </exception>
    public Task<DrillReport> RunAsync(DrillRequest request, CancellationToken cancel) =>
        Recorder.RecordAsync(
            r => r.Begin(RecordKind.Drill, "drill") with { Snapshot = request.Snapshot.ToString(), Store = request.From.Store.Name },
            () => RehearseAsync(request, cancel),
            static (begun, report) =>
                begun with
                {
                    Result = report.Passed ? RecordResult.Ok : RecordResult.Failed,
                    Snapshot = report.Snapshot,
                    Summary = string.Create(
                        CultureInfo.InvariantCulture,
                        $"drill {(report.Passed ? "passed" : "FAILED")}: {Words.Count(report.Databases.Count, "database")}, restored in "
                            + $"{report.RestoreSeconds:0.0} s"
                    ),
                    Findings = report.Findings,
                },
            cancel
        );

    private async Task<DrillReport> RehearseAsync(DrillRequest request, CancellationToken cancel)
    {
        if (request.Keep && config.Scratch == "host")
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                "--keep keeps a container, and drill.scratch is host.",
                "Leave out --keep, or write scratch: podman; `restore` restores into a server that stays."
            );
        }

        OlympusPack.RequireNames(config.SkipChecks);
        var keys = new SecretTests(config);
        Announce(keys.Problems);
        DateTimeOffset started = clock.GetUtcNow();
        var phases = new DrillPhases(clock);
        IObjectStore from = request.From.Store;
        (SnapshotId id, Manifest manifest) = await FindAsync(request, started, phases, cancel);
        (DateTimeOffset? newest, Finding? problem) = request.Snapshot.IsLatest ? (manifest.Started, null) : await NewestAsync(from, cancel);
        phases.End("find the snapshot");

        Task<DrillLosses> reading = ReadLossesAsync(from, id, manifest, cancel);
        var run = new DrillRun(config, keys, request, phases, clock, progress, reading);
        try
        {
            await run.RunAsync(id, manifest, new RestoreOperation(from, cipherFor, clock, progress), cancel);
        }
        finally
        {
            Kept = run.Kept;
        }

        DrillLosses losses = await reading;

        var tested = TestedKeys.None;
        if (manifest.Recipients.Count > 0)
        {
            tested = await LookAtKeysAsync(run.Restored is not null, id, manifest, from, cancel);
            phases.End("keys");
        }

        DrillReport report = Blank(request, started, phases) with
        {
            Snapshot = id.ToString(),
            ServerVersion = manifest.ServerVersion,
            Target = run.Target,
            Encryption = manifest.Encryption,
            Recipients = manifest.Recipients,
            DecryptedBy = [.. tested.Now.Select(static t => t.Fingerprint)],
            KeysTested = tested.Last,
            RestoreSeconds = run.RestoreSeconds,
            DataAgeSeconds = Math.Round((started - (newest ?? manifest.Started)).TotalSeconds),
            Databases = [.. (run.Restored?.Databases ?? []).Select(Of)],
            Questions = run.Questions,
            ApplicationKeys = run.ApplicationKeys,
        };
        report = report with
        {
            Findings =
            [
                .. problem is null ? Array.Empty<Finding>() : [problem],
                .. losses.Findings,
                .. run.Findings,
                .. DrillJudge.Failures(report),
                .. tested.Findings,
                .. (await Keys.RecordAsync(tested.Now, cancel)).Problems,
            ],
        };
        bool proven = manifest.IsComplete && !losses.IsRed && DrillJudge.Proves(report, manifest.Databases.Count());
        report = await DrillRecord.WriteAsync(report, proven, stores.Select(static s => s.Store), clock, progress, cancel);
        return report;
    }

    private Task<DrillLosses> ReadLossesAsync(IObjectStore from, SnapshotId id, Manifest manifest, CancellationToken cancel)
    {
        var survey = new LossSurvey([.. stores.Select(static s => s.Store)], clock);
        return DrillLosses.ReadAsync(survey, new Catalog(from, clock), id, manifest, cancel);
    }

    private void Announce(IEnumerable<string> unusable)
    {
        foreach (string problem in unusable)
        {
            progress.Warn("", $"{problem} (drill.application_keys): the drill continues, and will fail.", ErrorCode.ApplicationKeyWrong);
        }
    }

    private KeysOperation Keys => new([.. stores.Select(static s => s.Store)], clock);

    private async Task<TestedKeys> LookAtKeysAsync(
        bool restored,
        SnapshotId id,
        Manifest manifest,
        IObjectStore from,
        CancellationToken cancel
    )
    {
        await using ICipher cipher = cipherFor(manifest);
        (IReadOnlyList<KeyTest> now, IReadOnlyDictionary<string, DateTimeOffset> last, IReadOnlyList<Finding> found) =
            await Keys.AfterDrillAsync(restored, id, manifest, from, cipher, cancel);
        return new TestedKeys(now, last, found);
    }

    private async Task<(DateTimeOffset?, Finding? Problem)> NewestAsync(IObjectStore store, CancellationToken cancel)
    {
        try
        {
            return ((await new Catalog(store, clock).LatestAsync(cancel)).Manifest.Started, null);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.SnapshotMissing)
        {
            return (null, Finding.Of(Severity.Error, store.Name, e));
        }
    }

    // A store that cannot even be asked is what a drill is there to find out: the others get a report of it.
    private async Task<(SnapshotId Id, Manifest Manifest)> FindAsync(
        DrillRequest request,
        DateTimeOffset started,
        DrillPhases phases,
        CancellationToken cancel
    )
    {
        try
        {
            var catalog = new Catalog(request.From.Store, clock) { PassedOver = progress.Say };
            return await catalog.FindAsync(request.Snapshot, cancel);
        }
        catch (PgBackupException e) when (e.Code is not (ErrorCode.Usage or ErrorCode.Cancelled) && !cancel.IsCancellationRequested)
        {
            phases.End("find the snapshot");
            DrillReport report = Blank(request, started, phases) with
            {
                Findings = [Finding.Of(Severity.Error, request.Snapshot.ToString(), e)],
            };
            await DrillRecord.WriteAsync(report, proven: false, stores.Select(static s => s.Store), clock, progress, cancel);
            throw;
        }
    }

    // What is known of a drill before anything was found.
    private DrillReport Blank(DrillRequest request, DateTimeOffset started, DrillPhases phases) =>
        new()
        {
            Format = DrillReport.CurrentFormat,
            Cluster = cluster,
            Snapshot = request.Snapshot.ToString(),
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
            Phases = phases.All,
            RestoreSeconds = 0,
            RtoSeconds = config.Rto.TotalSeconds,
            DataAgeSeconds = 0,
            RpoSeconds = config.Rpo.TotalSeconds,
            RedeploySeconds = config.Redeploy.TotalSeconds,
            Databases = [],
            Questions = [],
        };

    private static DrillDatabase Of(DatabaseRestoreReport database) =>
        new()
        {
            Name = database.Database,
            Tables = database.Tables,
            Rows = database.Rows,
            RestoreSeconds = database.RestoreSeconds,
            CompareSeconds = database.CompareSeconds,
            Verdict = database.Verdict,
            Code = database.Code,
            Problems = [.. database.Problems.Take(20)],
        };

    private sealed record TestedKeys(
        IReadOnlyList<KeyTest> Now,
        IReadOnlyDictionary<string, DateTimeOffset> Last,
        IReadOnlyList<Finding> Findings
    )
    {
        public static TestedKeys None { get; } = new([], new Dictionary<string, DateTimeOffset>(), []);
    }
}
