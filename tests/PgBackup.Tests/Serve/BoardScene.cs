using System.Globalization;
using PgBackup.Configuration;
using PgBackup.Serve.Scheduling;

namespace PgBackup.Tests.Serve;

/// <summary>A board whose jobs and records are made up, at a moment of its own.</summary>
internal sealed class BoardScene : IJobHistory, IJobProgram, IAsyncDisposable
{
    private readonly Lock gate = new();
    private readonly List<string> started = [];
    private readonly List<string> said = [];
    private readonly string zone;

    public BoardScene(string now, string zone, params (JobKind Kind, string Cron)[] jobs)
    {
        this.zone = zone;
        Clock = new TestClock(At(now));
        Plan = PlanOf(jobs);
        Board = Open();
    }

    public TestClock Clock { get; }

    public JobPlan Plan { get; }

    public JobBoard Board { get; private set; }

    /// <summary>What the stores tell of what was done: kind and moment. Jobs add to it when they end.</summary>
    public List<(JobKind Kind, DateTimeOffset At)> Records { get; } = [];

    /// <summary>No store can be read.</summary>
    public bool IsDead { get; set; }

    /// <summary>Jobs do not end before this is done.</summary>
    public TaskCompletionSource? Hold { get; set; }

    public int ExitCode { get; set; }

    /// <summary>What was started: <c>run 2026-03-01 03:00</c>, by when it was due.</summary>
    public IReadOnlyList<string> Started
    {
        get
        {
            lock (gate)
            {
                return [.. started];
            }
        }
    }

    public IReadOnlyList<string> Said
    {
        get
        {
            lock (gate)
            {
                return [.. said];
            }
        }
    }

    public static DateTimeOffset At(string time) =>
        DateTimeOffset.Parse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal);

    public JobPlan PlanOf(params (JobKind Kind, string Cron)[] jobs) =>
        new()
        {
            Jobs =
            [
                .. jobs.Select(j => new PlannedJob
                {
                    Kind = j.Kind,
                    Cron = CronTime.TryParse(j.Cron, TimeZoneInfo.FindSystemTimeZoneById(zone), Clock.Now, out string _).ShouldNotBeNull(),
                    Arguments = [j.Kind.Word()],
                }),
            ],
        };

    /// <summary>The service starts again: it remembers nothing.</summary>
    public async Task RestartAsync()
    {
        await Board.DisposeAsync();
        Board = Open();
    }

    /// <summary>The service looks at a moment, and what it starts has ended, or is held.</summary>
    public async Task LookAsync(string time)
    {
        Clock.Now = At(time);
        Board.Look();
        await RestAsync();
    }

    /// <summary>It looks every half minute.</summary>
    public async Task LookThroughAsync(string from, string to)
    {
        for (DateTimeOffset time = At(from); time <= At(to); time += TimeSpan.FromSeconds(30))
        {
            await LookAsync(time.ToString("O", CultureInfo.InvariantCulture));
        }
    }

    public async Task RestAsync()
    {
        for (int i = 0; i < 2000 && !Board.IsIdle && !(Hold is not null && Board.States.Any(static s => s.IsRunning)); i++)
        {
            await Task.Delay(2, TestContext.Current.CancellationToken);
        }
    }

    public Task<Done> DoneSinceAsync(PlannedJob job, DateTimeOffset due, CancellationToken cancel)
    {
        lock (gate)
        {
            return Task.FromResult(
                IsDead ? Done.Unknown
                : Records.Any(r => r.Kind == job.Kind && r.At >= due && r.At <= Clock.Now.AddMinutes(5)) ? Done.Yes
                : Records.Any(r => r.Kind == job.Kind && r.At < due) ? Done.No
                : Done.NotYet
            );
        }
    }

    public async Task<int> RunAsync(PlannedJob job, DateTimeOffset due, CancellationToken stop)
    {
        DateTimeOffset begun = Clock.Now;
        lock (gate)
        {
            started.Add(string.Create(CultureInfo.InvariantCulture, $"{job.Kind.Word()} {due.UtcDateTime:yyyy-MM-dd HH:mm}"));
        }

        if (Hold is { } hold)
        {
            await hold.Task.WaitAsync(stop);
        }

        lock (gate)
        {
            Records.Add((job.Kind, begun));
        }

        return ExitCode;
    }

    public ValueTask DisposeAsync() => Board.DisposeAsync();

    private JobBoard Open() =>
        new(
            Plan,
            this,
            this,
            Clock,
            line =>
            {
                lock (gate)
                {
                    said.Add(line);
                }
            }
        );
}
