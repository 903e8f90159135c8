using System.Globalization;
using Quartz;
using Quartz.Extensibility;

namespace PgBackup.Serve.Scheduling;

/// <summary>
/// Wakes the service by Quartz: at each time of the plan, and every few seconds beside it. It decides nothing: who is woken looks what is
/// due, so that a trigger that fires late, twice or not at all changes nothing.
/// </summary>
/// <param name="wake">What is called.</param>
/// <param name="clock">The time.</param>
internal sealed class QuartzClock(Action wake, TimeProvider clock) : IAsyncDisposable
{
    private static readonly TimeSpan Pulse = TimeSpan.FromSeconds(5);

    private IScheduler? scheduler;

    /// <summary>Starts it.</summary>
    /// <param name="plan">The times.</param>
    /// <param name="zone">Their zone.</param>
    public async Task StartAsync(JobPlan plan, TimeZoneInfo zone)
    {
        scheduler = await QuartzSchedulerBuilder
            .Create(q =>
            {
                q.UseInMemoryStore();
                q.UseTimeProvider(clock);
                q.UseJobFactory(new Factory(wake));
            })
            .BuildScheduler();
        await scheduler.Start();
        IJobDetail pulse = JobBuilder.Create<WakeJob>().WithIdentity("pulse").Build();
        ITrigger each = TriggerBuilder
            .Create()
            .WithIdentity("pulse")
            .StartNow()
            .WithSimpleSchedule(static s => s.WithInterval(Pulse).RepeatForever())
            .Build();
        await scheduler.ScheduleJob(pulse, each);
        await UseAsync(plan, zone);
    }

    /// <summary>Goes on with other times.</summary>
    public async Task UseAsync(JobPlan plan, TimeZoneInfo zone)
    {
        if (scheduler is null)
        {
            return;
        }

        foreach (int old in Enumerable.Range(0, Enum.GetValues<Configuration.JobKind>().Length))
        {
            await scheduler.DeleteJob(new JobKey(Name(old)));
        }

        foreach ((int index, PlannedJob job) in plan.Jobs.Index())
        {
            CronExpression cron = CronExpression.Parse(job.Cron.Text, CronFormat.Unix).WithTimeZone(zone);
            ITrigger trigger = TriggerBuilder
                .Create()
                .WithIdentity(Name(index))
                .WithSchedule(CronScheduleBuilder.Create(cron).WithMisfireInstruction(CronTriggerMisfireInstruction.DoNothing))
                .Build();
            await scheduler.ScheduleJob(JobBuilder.Create<WakeJob>().WithIdentity(Name(index)).Build(), trigger);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (scheduler is { } running)
        {
            scheduler = null;
            await running.Shutdown(waitForJobsToComplete: false);
        }
    }

    private static string Name(int index) => string.Create(CultureInfo.InvariantCulture, $"job {index}");

    // Jobs of Quartz are made by reflection otherwise, which native code does not have.
    private sealed class Factory(Action wake) : IJobFactory
    {
        public ValueTask<JobScope> CreateJob(
            TriggerFiredBundle bundle,
            IScheduler scheduler,
            CancellationToken cancellationToken = default
        ) => new(new JobScope(new WakeJob(wake), null));

        public ValueTask ReturnJob(JobScope scope, CancellationToken cancellationToken = default) => default;
    }

    private sealed class WakeJob(Action wake) : IJob
    {
        public ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken)
        {
            wake();
            return default;
        }
    }
}
