using System.Globalization;
using PgBackup.Configuration;

namespace PgBackup.Serve.Scheduling;

/// <summary>
/// Which job is due, and starts it. It is asked again and again, and compares the last time at which a job was due with when it was done
/// last: whatever happened in between (a sleep of the host, a clock that was set, a restart), a job that was missed is caught up once, and
/// none is done twice.
/// </summary>
/// <remarks>May be used by several threads. <see cref="Look()"/> takes no time: stores are asked and programs are started beside
/// it.</remarks>
internal sealed class JobBoard : IAsyncDisposable
{
    // Of what nobody knows, a run is begun all the same: it is what must not be missed, and fails loudly if no store answers.
    private static readonly TimeSpan PatienceForRun = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan PatienceForOthers = TimeSpan.FromHours(1);

    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(20);

    // Clocks of hosts differ: beyond this, a time lies in the future.
    private static readonly TimeSpan ClockSlack = TimeSpan.FromMinutes(2);

    // Later than this, it is said why.
    private static readonly TimeSpan Late = TimeSpan.FromMinutes(2);

    private readonly Lock gate = new();
    private readonly IJobHistory history;
    private readonly IJobProgram program;
    private readonly TimeProvider clock;
    private readonly Action<string> say;
    private readonly CancellationTokenSource stop = new();
    private readonly Dictionary<JobKind, Slot> slots = [];
    private JobPlan plan;

    /// <summary>A board.</summary>
    /// <param name="plan">What is done when.</param>
    /// <param name="history">What was done.</param>
    /// <param name="program">Does it.</param>
    /// <param name="clock">The time.</param>
    /// <param name="say">Gets what happens, in a line.</param>
    public JobBoard(JobPlan plan, IJobHistory history, IJobProgram program, TimeProvider clock, Action<string> say)
    {
        this.plan = plan;
        this.history = history;
        this.program = program;
        this.clock = clock;
        this.say = say;
    }

    /// <summary>Called when a job has ended.</summary>
    public Action<JobKind> Ended { get; set; } = static _ => { };

    /// <summary>Called when no store tells whether a job was done, once for each time.</summary>
    public Action<JobKind> Unknown { get; set; } = static _ => { };

    /// <summary>No job is at work.</summary>
    public bool IsIdle
    {
        get
        {
            lock (gate)
            {
                return slots.Values.All(static s => s.Work is null);
            }
        }
    }

    /// <summary>How each job stands.</summary>
    public IReadOnlyList<JobState> States
    {
        get
        {
            lock (gate)
            {
                return [.. plan.Jobs.Select(j => SlotOf(j.Kind).State with { Kind = j.Kind, Next = NextOf(j, SlotOf(j.Kind)) })];
            }
        }
    }

    /// <summary>Goes on with another plan. What is at work goes on.</summary>
    public void Use(JobPlan other)
    {
        lock (gate)
        {
            plan = other;
        }
    }

    /// <summary>Starts what is due.</summary>
    public void Look()
    {
        lock (gate)
        {
            if (stop.IsCancellationRequested)
            {
                return;
            }

            DateTimeOffset now = clock.GetUtcNow();
            foreach (PlannedJob job in plan.Jobs)
            {
                Look(job, SlotOf(job.Kind), now);
            }
        }
    }

    /// <summary>Starts nothing more, asks what is at work to end, and waits for it.</summary>
    public async Task StopAsync()
    {
        await stop.CancelAsync();
        Task[] works;
        lock (gate)
        {
            works = [.. slots.Values.Select(static s => s.Work).OfType<Task>()];
        }

        await Task.WhenAll(works);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        stop.Dispose();
    }

    private void Look(PlannedJob job, Slot slot, DateTimeOffset now)
    {
        // A clock that was set back makes what was done a thing of the future: then the records tell.
        if (slot.DoneDue > now + ClockSlack)
        {
            slot.DoneDue = null;
        }

        if (job.Cron.LastAt(now) is not { } due || slot.DoneDue >= due || now < job.StartOf(due))
        {
            return;
        }

        if (slot.Work is not null)
        {
            if (slot.WorkDue < due && slot.IsStarted)
            {
                slot.DoneDue = due;
                slot.State = slot.State with { Skipped = slot.State.Skipped + 1 };
                say($"{job.Kind.Word()} of {Time(due)} is left out: the one of {Time(slot.WorkDue)} is still at work");
            }

            return;
        }

        if (now < slot.AskAt || plan.Jobs.Any(other => other.Writes == job.Writes && SlotOf(other.Kind).Work is not null))
        {
            return;
        }

        slot.WorkDue = due;
        slot.IsStarted = false;
        slot.Work = Task.Run(() => AttemptAsync(job, slot, due), CancellationToken.None);
    }

    private async Task AttemptAsync(PlannedJob job, Slot slot, DateTimeOffset due)
    {
        try
        {
            Done done = await history.DoneSinceAsync(job, due, stop.Token);
            DateTimeOffset now = clock.GetUtcNow();
            if (done != Done.Unknown)
            {
                lock (gate)
                {
                    slot.UnknownSince = null;
                }
            }

            if (done == Done.Yes || (done == Done.NotYet && job.Kind != JobKind.Run && due < slot.Since))
            {
                Settle(slot, due);
                return;
            }

            if (done == Done.Unknown)
            {
                if (slot.UnknownDue != due)
                {
                    say($"WARNING: {job.Kind.Word()} of {Time(due)} waits: the stores do not tell whether it was done");
                    Unknown(job.Kind);
                }

                lock (gate)
                {
                    // Since when nothing is known, whichever of its times was due then: one that comes each minute waits no longer.
                    slot.UnknownSince ??= now;
                    slot.UnknownDue = due;
                    slot.AskAt = now + AskAgain;
                }

                if (now - slot.UnknownSince.Value < (job.Kind == JobKind.Run ? PatienceForRun : PatienceForOthers))
                {
                    return;
                }
            }

            await RunAsync(job, slot, due, now);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The next start of the service finds out that it was not done.
        }
        catch (Exception e)
        {
            lock (gate)
            {
                slot.DoneDue = null;
                slot.AskAt = clock.GetUtcNow() + AskAgain;
            }

            say($"FAILED: {job.Kind.Word()} of {Time(due)} could not be started: {e.Message}");
        }
        finally
        {
            lock (gate)
            {
                slot.Work = null;
            }

            Look();
        }
    }

    private async Task RunAsync(PlannedJob job, Slot slot, DateTimeOffset due, DateTimeOffset now)
    {
        lock (gate)
        {
            slot.IsStarted = true;
            slot.DoneDue = due;
            slot.State = slot.State with { LastStart = now, Lag = now - due, IsRunning = true, Started = slot.State.Started + 1 };
        }

        string late = now - job.StartOf(due) > Late ? $", {Words.Age(now - due)} late" : "";
        say($"{job.Kind.Word()} of {Time(due)} starts{late}");
        int exitCode = 1;
        try
        {
            exitCode = await program.RunAsync(job, due, stop.Token);
        }
        finally
        {
            lock (gate)
            {
                slot.State = slot.State with
                {
                    IsRunning = false,
                    LastExitCode = exitCode,
                    Failed = slot.State.Failed + (exitCode == 0 ? 0 : 1),
                };
            }
        }

        say(string.Create(CultureInfo.InvariantCulture, $"{job.Kind.Word()} of {Time(due)} ended with {exitCode}"));
        Ended(job.Kind);
    }

    private void Settle(Slot slot, DateTimeOffset due)
    {
        lock (gate)
        {
            slot.DoneDue = due;
        }
    }

    // What is due and has not begun is next, though its time has passed.
    private DateTimeOffset? NextOf(PlannedJob job, Slot slot)
    {
        DateTimeOffset now = clock.GetUtcNow();
        return job.Cron.LastAt(now) is { } due && !(slot.DoneDue >= due) ? job.StartOf(due)
            : job.Cron.NextAfter(now) is { } next ? job.StartOf(next)
            : null;
    }

    private Slot SlotOf(JobKind kind)
    {
        if (!slots.TryGetValue(kind, out Slot? slot))
        {
            slots[kind] = slot = new Slot
            {
                State = new JobState { Kind = kind },
                Since = clock.GetUtcNow(),
            };
        }

        return slot;
    }

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) + " UTC";

    private sealed class Slot
    {
        public required JobState State { get; set; }

        // Since when it is looked at: what was due before, and was never done, is nobody's.
        public required DateTimeOffset Since { get; init; }

        // The last time at which it was due that is settled: done, left out, or nobody's.
        public DateTimeOffset? DoneDue { get; set; }

        public Task? Work { get; set; }

        public DateTimeOffset WorkDue { get; set; }

        public bool IsStarted { get; set; }

        public DateTimeOffset AskAt { get; set; }

        public DateTimeOffset UnknownDue { get; set; }

        public DateTimeOffset? UnknownSince { get; set; }
    }
}
