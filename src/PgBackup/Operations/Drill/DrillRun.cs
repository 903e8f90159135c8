using PgBackup.Archives;
using PgBackup.Configuration;
using PgBackup.Host;
using PgBackup.Operations.Restore;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Drill;

/// <summary>One rehearsal of one snapshot: its state from the start of the scratch server to its removal.</summary>
/// <param name="config">How.</param>
/// <param name="keys">Of the applications.</param>
/// <param name="request">What to rehearse.</param>
/// <param name="phases">Are ended here.</param>
/// <param name="clock">The time.</param>
/// <param name="progress">For a display.</param>
/// <param name="losses">What an earlier snapshot had; it is read meanwhile.</param>
internal sealed class DrillRun(
    DrillConfig config,
    SecretTests keys,
    DrillRequest request,
    DrillPhases phases,
    TimeProvider clock,
    Progress progress,
    Task<DrillLosses> losses
)
{
    // Smaller archives are restored within a second.
    private const long WorthwhileForJobs = 16 << 20;

    private readonly List<Finding> findings = [];
    private DrillServer? scratch;
    private GlobalNames? made;

    /// <summary>The server that was restored into, for the report.</summary>
    public string Target { get; private set; } = "no server";

    /// <summary>What was restored; null where the restore did not finish.</summary>
    public RestoreReport? Restored { get; private set; }

    /// <summary>All phases up to the last comparison, in seconds.</summary>
    public double RestoreSeconds { get; private set; }

    /// <summary>The questions that were asked.</summary>
    public IReadOnlyList<DrillQuestion> Questions { get; private set; } = [];

    /// <summary>Whether the applications' own keys decrypt what they stored encrypted.</summary>
    public IReadOnlyList<SecretTest> ApplicationKeys { get; private set; } = [];

    /// <summary>Why it was not restored, and what is worth knowing.</summary>
    public IReadOnlyList<Finding> Findings => findings;

    /// <summary>How to reach what was left running on demand, and how to remove it; null when nothing was.</summary>
    public string? Kept { get; private set; }

    /// <summary>Starts the server, restores into it, compares, asks, and removes it again, whatever happens.</summary>
    /// <param name="id">The snapshot.</param>
    /// <param name="manifest">Its manifest.</param>
    /// <param name="operation">Restores.</param>
    /// <param name="cancel">Stops, and removes everything.</param>
    /// <exception cref="OperationCanceledException">It was stopped. What fails otherwise is in <see cref="Findings"/>.</exception>
    public async Task RunAsync(SnapshotId id, Manifest manifest, RestoreOperation operation, CancellationToken cancel)
    {
        using var starting = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var fetching = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task<DrillServer>? start = null;
        try
        {
            PrivateFolder.Sweep(clock);
            start = DrillServer.StartAsync(config, manifest, request.Keep, clock, starting.Token);
            await RestoreAsync(id, manifest, operation, start, fetching, cancel);
            cancel.ThrowIfCancellationRequested();
            EndRestore();
            await AskAsync(manifest, cancel);
        }
        finally
        {
            bool reached = scratch is { Ready.IsCompletedSuccessfully: true };
            scratch ??= await AbandonAsync(start, starting);
            if (scratch is not null)
            {
                // Nobody would know of a server that a stopped drill leaves.
                Kept = await scratch.EndAsync(request.Keep && reached && !cancel.IsCancellationRequested, made, findings);
                phases.End("remove the scratch server");
            }
        }
    }

    // Every stored byte is fetched, checked and decrypted while the server starts; whichever of the two fails ends the other.
    private async Task RestoreAsync(
        SnapshotId id,
        Manifest manifest,
        RestoreOperation operation,
        Task<DrillServer> start,
        CancellationTokenSource fetching,
        CancellationToken cancel
    )
    {
        Task ready = ReadyAsync(start);
        _ = ready.ContinueWith(
            _ => fetching.Cancel(),
            CancellationToken.None,
            TaskContinuationOptions.NotOnRanToCompletion,
            TaskScheduler.Default
        );
        try
        {
            RestoreRequest wanted = Wanted(id, manifest);
            await using VerifiedSnapshot snapshot = await operation.VerifyAsync(wanted, fetching.Token);
            phases.End("fetch, verify and decrypt every part, while the scratch server starts");
            scratch = await start;
            Target = scratch.Description;
            phases.End("start the scratch server");
            await using PreparedRestore prepared = await operation.PlanAsync(wanted, snapshot, scratch.Target, fetching.Token);
            phases.End("wait until it takes connections, and read the schemas meanwhile");
            // Known before the restore, and told even if it fails: they may be why.
            findings.AddRange(prepared.Plan.Findings);
            foreach (Finding finding in findings.Where(static f => f.Code == ErrorCode.TargetFallsShort))
            {
                progress.Say(finding);
            }

            made = prepared.Globals;
            Restored = await prepared.RunAsync(progress, cancel);
            findings.AddRange(Restored.Findings.Except(prepared.Plan.Findings));
            if (Restored.Databases.Where(static d => d.Jobs > 1).ToList() is { Count: > 0 } fast)
            {
                int jobs = fast.Max(static d => d.Jobs);
                string names = string.Join(", ", fast.Select(static d => d.Database));
                findings.Add(
                    Finding.Note(
                        ErrorCode.RestoredByJobs,
                        names,
                        $"{names}: restored by {jobs} jobs of pg_restore, as `restore --jobs {jobs}` does; without, it takes longer"
                    )
                );
            }
        }
        catch (Exception e)
            when ((ready.Exception?.InnerException ?? e) is PgBackupException { Code: not ErrorCode.Cancelled } reason
                && !cancel.IsCancellationRequested
            )
        {
            // What to do is worded for a restore, whose options a drill does not have.
            findings.Add(Finding.Error(reason.Code, id.ToString(), reason.Message));
        }
    }

    private RestoreRequest Wanted(SnapshotId id, Manifest manifest)
    {
        int workers = Math.Clamp(Environment.ProcessorCount, 1, 8);
        return new RestoreRequest
        {
            Snapshot = SnapshotRef.Of(id),
            Globals = manifest.Globals is not null,
            DatabasesAtOnce = workers,
            // Plaintext is put aside only in memory, and where the whole server is thrown away.
            Jobs = config.Target is null ? workers : 1,
            JobsFromBytes = WorthwhileForJobs,
            JobsInMemoryOnly = true,
        };
    }

    // The restore's own clock says how its time was spent.
    private void EndRestore()
    {
        if (Restored is null)
        {
            phases.End("restore (failed)");
        }
        else
        {
            phases.End("restore the roles", Restored.GlobalsSeconds, "restore and compare the databases");
        }

        RestoreSeconds = Math.Round(phases.Seconds, 3);
    }

    private async Task AskAsync(Manifest manifest, CancellationToken cancel)
    {
        if (Restored is null || scratch is null)
        {
            return;
        }

        IReadOnlyList<(string, string)> whole =
        [
            .. Restored.Databases.Where(static d => d.Problems.Count == 0).Select(static d => (d.Database, d.RestoredAs)),
        ];
        var questions = new DrillQuestions(scratch.Server, manifest, config) { Losses = await losses };
        Questions = await questions.RunAsync(whole, cancel);
        ApplicationKeys = await keys.TestAsync(scratch.Server, whole, cancel);
        phases.End("checks");
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
}
