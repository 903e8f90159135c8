using System.Globalization;
using PgBackup.Archives;
using PgBackup.Postgres;
using PgBackup.Records;

namespace PgBackup.Operations.Restore;

/// <summary>A restore of which everything was checked, and nothing done yet.</summary>
public sealed class PreparedRestore : IAsyncDisposable
{
    private readonly RestoreRequest request;
    private readonly VerifiedSnapshot snapshot;
    private readonly OpenTarget target;
    private readonly IReadOnlyList<DatabaseRestore> restores;
    private readonly GlobalsRestore? globals;
    private Recorder? recorder;
    private Func<Recorder, Record>? begin;
    private readonly TimeProvider clock;
    private readonly double verified;

    internal PreparedRestore(
        RestorePlan plan,
        RestoreRequest request,
        VerifiedSnapshot snapshot,
        OpenTarget target,
        IReadOnlyList<DatabaseRestore> restores,
        GlobalsRestore? globals,
        double verified
    )
    {
        Plan = plan;
        this.request = request;
        this.snapshot = snapshot;
        this.target = target;
        this.restores = restores;
        this.globals = globals;
        clock = target.Clock;
        this.verified = verified;
    }

    /// <summary>What is going to be done.</summary>
    public RestorePlan Plan { get; }

    /// <summary>The roles, tablespaces and settings of all roles that it restores.</summary>
    internal GlobalNames Globals => globals?.Names ?? GlobalNames.None;

    /// <summary>
    /// Carries the plan out; once. A database that was made and could not be filled stays for inspection; the report says how to remove it.
    /// Databases that were restored beside others take their places all together, or none of them does.
    /// </summary>
    /// <exception cref="PgBackupException">
    /// Only roles were changed (<see cref="ErrorCode.GlobalsFailed"/>). Failures of single databases, and of the swap, are in the report
    /// instead. A cancellation leaves databases half filled, which <see cref="ErrorCode.Cancelled"/> then names.
    /// </exception>
    public Task<RestoreReport> RunAsync(Progress progress, CancellationToken cancel) =>
        recorder.RecordAsync(
            by => begin!(by) with { Snapshot = Plan.Snapshot },
            () => RestoreAsync(progress, cancel),
            RestoreRecord.End,
            cancel
        );

    private async Task<RestoreReport> RestoreAsync(Progress progress, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        List<Finding> findings = [.. Plan.Findings];
        if (globals is not null)
        {
            findings.AddRange(await globals.RunAsync(target.Server, target.Session, cancel));
            progress.Done("globals", string.Create(CultureInfo.InvariantCulture, $"restored and equal ({Seconds(start):0.0} s)"));
        }

        double globalsSeconds = globals is null ? 0 : Seconds(start);
        DatabaseRestoreReport[] reports = await RestoreAllAsync(progress, cancel);
        RestoreSwapFailure? swapFailed = null;
        DatabaseRestore[] swaps = [.. restores.Where(static r => r.Step.Action == RestoreStep.Swap)];
        if (swaps.Length > 0)
        {
            if (cancel.IsCancellationRequested)
            {
                throw Cancelled([], null);
            }

            (reports, swapFailed) = await SwapAsync(swaps, reports, progress);
        }

        findings.AddRange(restores.SelectMany(static r => r.Findings));
        return new RestoreReport
        {
            Snapshot = Plan.Snapshot,
            Target = Plan.Target,
            Plan = Plan,
            VerifySeconds = verified,
            GlobalsSeconds = globalsSeconds,
            TotalSeconds = Math.Round(verified + Seconds(start), 3),
            Databases = reports,
            SwapFailed = swapFailed,
            Findings = [.. findings.Distinct()],
        };
    }

    /// <summary>Has it recorded that the plan is carried out.</summary>
    internal void RecordBy(Recorder? by, Func<Recorder, Record> beginning) => (recorder, begin) = (by, beginning);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await target.DisposeAsync();
        await snapshot.DisposeAsync();
    }

    // From here on nothing is cancelled: it takes seconds, and is carried out wholly or not at all.
    private async Task<(DatabaseRestoreReport[] Reports, RestoreSwapFailure? Failure)> SwapAsync(
        DatabaseRestore[] swaps,
        DatabaseRestoreReport[] reports,
        Progress progress
    )
    {
        string[] bad = [.. reports.Where(static r => r.Problems.Count > 0).Select(static r => r.RestoredAs)];
        string[] drop = [.. swaps.Where(static s => s.Made).Select(static s => $"DROP DATABASE {Sql.Name(s.Name)};")];
        if (bad.Length > 0)
        {
            foreach (DatabaseRestore good in swaps.Where(s => !bad.Contains(s.Name)))
            {
                good.Findings.AddRange((await good.CloseAsync()).Select(l => Finding.Warning(ErrorCode.RestoreNoted, good.Name, l)));
            }

            return (
                reports,
                new RestoreSwapFailure
                {
                    Code = PgBackupException.CodeTextOf(ErrorCode.SwapFailed),
                    Message =
                        $"nothing was exchanged, since not all is equal to the snapshot ({string.Join(", ", bad)}): the databases are "
                        + $"unchanged, under their names.",
                    Finish = [],
                    Drop = drop,
                }
            );
        }

        long start = clock.GetTimestamp();
        try
        {
            await new DatabaseSwap(target.Server, swaps, clock).RunAsync();
        }
        catch (PgBackupException e)
        {
            return (
                reports,
                new RestoreSwapFailure
                {
                    Code = e.CodeText,
                    Message = e.Message,
                    Finish = ["BEGIN;", .. swaps.SelectMany(static s => s.Step.Renames()), "COMMIT;"],
                    Drop = drop,
                }
            );
        }

        progress.Done(
            "swap",
            string.Create(
                CultureInfo.InvariantCulture,
                $"{Words.Count(swaps.Length, "database")} exchanged at one moment ({Seconds(start):0.0} s)"
            )
        );
        var steps = swaps.ToDictionary(static s => s.Name, static s => s.Step);
        return (
            [
                .. reports.Select(r =>
                    steps.TryGetValue(r.RestoredAs, out RestoreStep? step)
                        ? r with
                        {
                            RestoredAs = step.Name,
                            KeptAs = step.KeptAs,
                            Undo = step.Undo(),
                            DropKept = $"DROP DATABASE {Sql.Name(step.KeptAs!)};",
                        }
                        : r
                ),
            ],
            null
        );
    }

    private IEnumerable<string> CopiesMade() => restores.Where(static r => r.Step.Copy is not null && r.Made).Select(static r => r.Name);

    private async Task<DatabaseRestoreReport[]> RestoreAllAsync(Progress progress, CancellationToken cancel)
    {
        var workers = new Workers(Math.Max(request.Jobs, Math.Max(1, request.DatabasesAtOnce)));
        List<string> unfinished = [];
        try
        {
            return await Task.WhenAll(
                restores
                    .OrderByDescending(static r => r.Part.PlainSize)
                    .Select(restore =>
                    {
                        PartProgress display = progress.Add($"restore {restore.Name}", restore.Part.Proof.Bytes);
                        Task<int> turn = workers.TakeAsync(restore.Part.PlainSize < request.JobsFromBytes ? 1 : request.Jobs, cancel);
                        return Task.Run(() => InTurnAsync(restore, display, turn));
                    })
            );

            async Task<DatabaseRestoreReport> InTurnAsync(DatabaseRestore restore, PartProgress display, Task<int> turn)
            {
                int jobs = await turn;
                int held = jobs;
                lock (unfinished)
                {
                    unfinished.Add(restore.Name);
                }

                try
                {
                    DatabaseRestoreReport report = await RunAsync(restore, jobs, CompareByOne, display, cancel);
                    display.State = report.Problems.Count == 0 ? PartState.Done : PartState.Failed;
                    Say(progress, restore.Name, report);
                    lock (unfinished)
                    {
                        unfinished.Remove(restore.Name);
                    }

                    return report;
                }
                finally
                {
                    workers.Return(held);
                }

                void CompareByOne()
                {
                    workers.Return(held - 1);
                    held = 1;
                }
            }
        }
        catch (Exception e) when (cancel.IsCancellationRequested && (unfinished.Count > 0 || CopiesMade().Any()))
        {
            throw Cancelled(unfinished, e);
        }
    }

    private static void Say(Progress progress, string name, DatabaseRestoreReport report)
    {
        if (report.Code is { } code)
        {
            progress.Failed(name, code);
            return;
        }

        progress.Done(
            name,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{report.Rows:N0} rows in {report.Tables} tables restored in {report.RestoreSeconds:0.0} "
                    + $"s{(report.Jobs > 1 ? $" by {report.Jobs} jobs" : "")}, equal to the original (compared in "
                    + $"{report.CompareSeconds:0.0} s)"
            )
        );
    }

    private PgBackupException Cancelled(List<string> unfinished, Exception? inner)
    {
        string[] copies = [.. CopiesMade().Except(unfinished)];
        return new PgBackupException(
            ErrorCode.Cancelled,
            string.Join(
                ' ',
                (string[])
                    [
                        "the tools were ended;",
                        .. unfinished.Count > 0 ? [$"not restored to the end: {string.Join(", ", unfinished)}."] : Array.Empty<string>(),
                        .. copies.Length > 0
                            ? [$"restored, and not exchanged with the present ones: {string.Join(", ", copies)}."]
                            : Array.Empty<string>(),
                    ]
            ),
            $"Before the next try, for each that is there: "
                + $"{string.Join(" ", unfinished.Concat(copies).Select(static n => $"DROP DATABASE {Sql.Name(n)};"))}",
            inner
        );
    }

    // One database that cannot be restored at all must not take the report of the others with it.
    private async Task<DatabaseRestoreReport> RunAsync(
        DatabaseRestore restore,
        int jobs,
        Action restored,
        PartProgress display,
        CancellationToken cancel
    )
    {
        long start = clock.GetTimestamp();
        try
        {
            return await restore.RunAsync(jobs, request.JobsInMemoryOnly, restored, snapshot.Cipher, clock, display, cancel);
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
                Code = e.Code,
                Problems =
                [
                    e.Message,
                    .. e.Remedy is null ? Array.Empty<string>() : ["what to do: " + e.Remedy],
                    .. await restore.CloseAsync(),
                ],
            };
        }
    }

    private double Seconds(long start) => Math.Round(clock.GetElapsedTime(start).TotalSeconds, 3);
}
