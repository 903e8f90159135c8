using System.Globalization;
using PgBackup.Configuration;
using PgBackup.Host;
using PgBackup.Installations;
using PgBackup.Notifications;
using PgBackup.Operations.Status;
using PgBackup.Serve.Http;
using PgBackup.Serve.Scheduling;
using PgBackup.Tools;

namespace PgBackup.Serve;

/// <summary>
/// The service: does the jobs of the schedule, each as a process of its own, answers monitors, and tells systemd and whom the config names.
/// It keeps nothing that it needs: what was done is in the stores.
/// </summary>
/// <param name="settings">What it gets from the program.</param>
/// <param name="clock">The time.</param>
public sealed class Service(ServeSettings settings, TimeProvider clock) : IAsyncDisposable
{
    private const string ReloadJob = "reload";

    // A dead store, or a database that was forgotten, is told within the hour though no job is due.
    private static readonly TimeSpan NotifyEvery = TimeSpan.FromHours(1);

    private static readonly TimeSpan BinaryEvery = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan NoticeTime = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan TrialTime = TimeSpan.FromSeconds(20);

    private readonly DateTimeOffset started = clock.GetUtcNow();
    private readonly BinaryWatch? watch = settings.Program is { } file ? new BinaryWatch(file) : null;
    private readonly ServiceManager manager = new(clock);
    private readonly Lock gate = new();
    private readonly List<Task> beside = [];
    private ServedConfig served = null!;
    private Installation installation = null!;
    private JobBoard? opened;
    private JobProgram program = null!;
    private StatusCache status = null!;
    private DateTimeOffset notified;
    private DateTimeOffset looked;
    private Task trial = Task.CompletedTask;
    private volatile bool reloadWanted;
    private volatile bool isReplaced;

    /// <summary>Serves until it is told to end.</summary>
    /// <param name="stop">Tells it.</param>
    /// <returns>The exit code.</returns>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ConfigInvalid"/>, <see cref="ErrorCode.AlreadyServing"/>,
    /// <see cref="ErrorCode.AddressTaken"/>.</exception>
    public async Task<int> RunAsync(CancellationToken stop)
    {
        served = ServedConfig.Open(settings.ConfigFile, StateFolder.Find(), stop);
        JobPlan plan = PlanOf(served.Config);
        using FileStream only = ServeLock.Take(served.Config.Cluster);
        Open(plan);
        // Whoever asks for a reading of the stores gets one; the time of the first notice is in an hour.
        (notified, looked) = (started, started);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        await using var wake = new QuartzClock(() => Look(end), clock);
        ServeConfig serve = served.Config.Serve;
        WebServer? web = serve.Listen is { } listen
            ? await WebServer.StartAsync(listen, () => HealthText.Of(served.Config.Cluster, status.Last), MetricsAsync)
            : null;
        try
        {
            await wake.StartAsync(plan, ZoneOf(served.Config));
            Say(Standing(plan, serve));
            manager.Ready(Standing(plan, serve));
            // What was wrong with the config before the start is mended, or it would not have started.
            Beside(() => TellAsync(new Occasion { Job = ReloadJob }));
            await ServeAsync(wake, end.Token);
            if (!isReplaced)
            {
                // The same process goes on as another program: systemd would end it after a while.
                manager.Stopping();
            }
        }
        finally
        {
            await wake.DisposeAsync();
            if (opened is { IsIdle: false })
            {
                Say("told to end: asking the job at work to end too");
            }

            await (opened?.StopAsync() ?? Task.CompletedTask);
            await (web?.DisposeAsync() ?? ValueTask.CompletedTask);
            await SettleAsync();
        }

        return isReplaced && !stop.IsCancellationRequested ? Become(only) : 0;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref opened, null) is { } open)
        {
            await open.DisposeAsync();
        }
    }

    /// <summary>The config is read again soon.</summary>
    public void Reload() => reloadWanted = true;

    private JobBoard Board => opened ?? throw new ObjectDisposedException(nameof(Service));

    private void Open(JobPlan plan)
    {
        installation = settings.Install(served.Config);
        status = new StatusCache(c => installation.Status().ReadAsync(c), clock, Say);
        program = new JobProgram(Again, () => served.FileForJobs(), clock, Say)
        {
            Died = (arguments, death) => Beside(() => TellOfDeathAsync(arguments, death)),
        };
        opened = new JobBoard(plan, new RecordedHistory(() => installation.Log(null), clock), program, clock, Say)
        {
            Ended = _ => status.Outdate(),
            Unknown = _ =>
            {
                // No store answers: that is told now, and not with the next reading.
                status.Outdate();
                lock (gate)
                {
                    notified = DateTimeOffset.MinValue;
                }
            },
        };
    }

    // While another file lies in its place, jobs are done by the program that runs: nobody has tried the other one.
    private ToolCommand Again(IReadOnlyList<string> arguments) =>
        watch is { IsAnother: true }
            ? new ToolCommand(string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/exe"), arguments)
            : settings.Again(arguments);

    private JobPlan PlanOf(BackupConfig config) => ScheduleCheck.PlanOf(config, settings.ProblemOf, clock.GetUtcNow());

    // Waits, and does what takes time where a wake asked for it.
    private async Task ServeAsync(QuartzClock wake, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(TimeSpan.FromSeconds(1), clock, end);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            if (reloadWanted || served.HasChanged)
            {
                // An editor may be at work at this moment.
                await Task.Delay(TimeSpan.FromSeconds(reloadWanted ? 0 : 1), clock, CancellationToken.None);
                reloadWanted = false;
                try
                {
                    await ReloadAsync(wake, end);
                }
                catch (Exception) when (end.IsCancellationRequested)
                {
                    return;
                }
            }
        }
    }

    // Called every few seconds, and whenever a job is due; takes no time.
    private void Look(CancellationTokenSource end)
    {
        Board.Look();
        status.Look();
        // Several triggers may fire at the same time.
        lock (gate)
        {
            DateTimeOffset now = clock.GetUtcNow();
            manager.Alive();
            if (now - notified >= NotifyEvery || now < notified)
            {
                notified = now;
                if (installation.Config.Notify.Count > 0)
                {
                    Beside(NotifyAsync);
                }
            }

            if (trial.IsCompleted && (now - looked >= BinaryEvery || now < looked))
            {
                looked = now;
                trial = StartBeside(() => LookAtBinaryAsync(end));
            }
        }
    }

    private async Task ReloadAsync(QuartzClock wake, CancellationToken cancel)
    {
        manager.Reloading();
        BackupConfig before = served.Config;
        JobPlan? plan = null;
        if (served.TryReload(c => plan = Acceptable(c, before), cancel) && plan is not null)
        {
            installation = settings.Install(served.Config);
            Board.Use(plan);
            await wake.UseAsync(plan, ZoneOf(served.Config));
            status.Outdate();
            Say($"{settings.ConfigFile} was read again: {Times(plan)}");
            Beside(() => TellAsync(new Occasion { Job = ReloadJob }));
        }
        else if (served.Problem is { } problem)
        {
            Say($"FAILED: {settings.ConfigFile} was changed, and is wrong; what was read before stays in use: {problem.Message}");
            Finding finding = Finding.Error(
                ErrorCode.ReloadFailed,
                "serve",
                "the config was changed, and is wrong: `serve` keeps the one before",
                FailureText.Of(problem),
                problem.Remedy ?? "Mend it; `olympus-pgbackup doctor` says whether it is right"
            );
            Beside(() => TellAsync(new Occasion { Job = ReloadJob, Failure = finding }));
        }

        manager.Ready(Times(PlanOf(served.Config)));
    }

    // What cannot be changed while it runs.
    private JobPlan Acceptable(BackupConfig config, BackupConfig before)
    {
        if (config.Cluster != before.Cluster || !Equals(config.Serve.Listen, before.Serve.Listen))
        {
            throw new PgBackupException(
                ErrorCode.ConfigInvalid,
                "the name of the cluster, and the address to listen on, cannot be changed while it serves.",
                "Restart the service."
            );
        }

        return PlanOf(config);
    }

    private Task NotifyAsync() =>
        program.RunAsync(["status", "--notify", "--config", served.FileForJobs()], showsOutput: false, CancellationToken.None);

    private async Task TellOfDeathAsync(IReadOnlyList<string> arguments, Finding death)
    {
        string verb = arguments[0];
        // As the verb itself names its jobs: a good one settles it. What is no job there is told, and not remembered.
        string? job = verb switch
        {
            "check" => string.Join(' ', arguments),
            "run" or "drill" or "prune" => verb,
            _ => null,
        };
        Say($"FAILED: {death.Text}");
        await TellAsync(
            new Occasion
            {
                Job = job,
                Failure = death,
                IsRun = verb == "run",
            }
        );
    }

    private async Task TellAsync(Occasion occasion)
    {
        if (installation.Config.Notify.Count == 0)
        {
            return;
        }

        using var limit = new CancellationTokenSource(NoticeTime, clock);
        NotifyOperation operation = installation.Notify();
        StatusReport? report = null;
        try
        {
            report = await installation.Status().ReadAsync(limit.Token);
        }
        catch (Exception e)
        {
            Say($"WARNING: how the backups stand cannot be found out: {e.GetType().Name}: {e.Message}");
        }

        IReadOnlyList<Delivery> deliveries = await operation.DecideAsync(occasion, report, CancellationToken.None);
        NotifyReport told = await operation.DeliverAsync(deliveries, NoticeTime, limit.Token);
        foreach (Finding problem in told.Problems)
        {
            Say($"WARNING: {problem.Text}");
        }
    }

    private async Task LookAtBinaryAsync(CancellationTokenSource end)
    {
        if (watch is null || !watch.WasReplaced() || watch.IsRefused || !Board.IsIdle)
        {
            return;
        }

        if (await VersionAsync(watch.File) is not { } version)
        {
            watch.Refuse();
            Finding refused = Finding.Error(
                ErrorCode.JobFailed,
                "serve",
                $"{watch.File} was replaced by a program that does not start, or cannot serve",
                "the one before goes on until it is restarted",
                "Install a working one"
            );
            Say($"FAILED: {refused.Text}");
            await TellAsync(new Occasion { Failure = refused });
            return;
        }

        if (!Board.IsIdle)
        {
            return; // a job has begun meanwhile: the next look finds the same
        }

        Say($"{watch.File} was replaced by {version}: starting that instead");
        isReplaced = true;
        await end.CancelAsync();
    }

    // Null for what does not start.
    private async Task<string?> VersionAsync(string file)
    {
        try
        {
            using var limit = new CancellationTokenSource(TrialTime, clock);
            // A program that cannot serve, an older version of this one for instance, is none to become.
            ToolResult help = await ToolProcess.TryReadAsync(new ToolCommand(file, "serve", "--help"), limit.Token);
            ToolResult version = await ToolProcess.TryReadAsync(new ToolCommand(file, "--version"), limit.Token);
            bool serves = help.ExitCode == 0 && help.Output.Contains("/healthz", StringComparison.Ordinal);
            return serves && version.ExitCode == 0 ? version.Output.Trim() : null;
        }
        catch (Exception e) when (e is PgBackupException or OperationCanceledException)
        {
            return null;
        }
    }

    // Returns only if it fails: systemd starts it again then.
    private int Become(FileStream only)
    {
        only.Dispose();
        Say($"FAILED: {watch!.File} cannot be started: {ProcessImage.Become(watch.File, settings.Started)}");
        return 1;
    }

    private Task<byte[]> MetricsAsync() =>
        StatusMetrics.TextAsync(
            served.Config.Cluster,
            status.Last,
            new ServiceFigures
            {
                Started = started,
                ReloadFailed = served.Problem is not null,
                Jobs = Board.States,
            }
        );

    private void Beside(Func<Task> work) => _ = StartBeside(work);

    private Task StartBeside(Func<Task> work)
    {
        lock (gate)
        {
            beside.RemoveAll(static t => t.IsCompleted);
            beside.Add(Task.Run(() => GuardedAsync(work)));
            return beside[^1];
        }
    }

    private async Task GuardedAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e)
        {
            Say($"WARNING: {e.GetType().Name}: {e.Message}");
        }
    }

    private async Task SettleAsync()
    {
        Task[] left;
        lock (gate)
        {
            left = [.. beside];
        }

        await Task.WhenAny(Task.WhenAll(left), Task.Delay(TimeSpan.FromSeconds(3), clock, CancellationToken.None));
    }

    private string Standing(JobPlan plan, ServeConfig serve) =>
        $"serving {served.Config.Cluster}: {Times(plan)}; "
        + (serve.Listen is { } listen ? $"http://{listen}/healthz and /metrics" : "no web server");

    private string Times(JobPlan plan) => ScheduleExamination.Times(plan, ZoneOf(served.Config), clock.GetUtcNow());

    private static TimeZoneInfo ZoneOf(BackupConfig config) => config.Schedule?.Zone ?? TimeZoneInfo.Utc;

    private void Say(string line) => settings.Say(line);
}
