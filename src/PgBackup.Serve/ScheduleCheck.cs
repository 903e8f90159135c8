using PgBackup.Configuration;
using PgBackup.Serve.Scheduling;

namespace PgBackup.Serve;

/// <summary>A plan whose jobs can be started.</summary>
internal static class ScheduleCheck
{
    /// <summary>The plan of a config.</summary>
    /// <param name="config">The config.</param>
    /// <param name="problemOf">Why the command line of a job is wrong; null where it is not.</param>
    /// <param name="now">The time.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ConfigInvalid"/>: nothing is scheduled, a time is no time of cron, or the
    /// arguments of a job are no arguments of its verb.</exception>
    public static JobPlan PlanOf(BackupConfig config, Func<IReadOnlyList<string>, string?> problemOf, DateTimeOffset now)
    {
        var plan = JobPlan.Of(config, Environment.MachineName, now);
        foreach (PlannedJob job in plan.Jobs)
        {
            if (problemOf(job.Arguments) is { } problem)
            {
                throw new PgBackupException(
                    ErrorCode.ConfigInvalid,
                    $"{config.File}: schedule.{job.Kind.Word()}: {string.Join(' ', job.Arguments)}: {problem}",
                    $"`olympus-pgbackup {job.Kind.Word()} --help` shows what can be written."
                );
            }
        }

        return plan;
    }
}
