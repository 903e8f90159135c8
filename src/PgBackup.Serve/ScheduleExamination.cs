using System.Globalization;
using PgBackup.Configuration;
using PgBackup.Operations.Doctor;
using PgBackup.Serve.Scheduling;

namespace PgBackup.Serve;

/// <summary>What <c>doctor</c> says of the schedule: the engine cannot read times of cron.</summary>
public static class ScheduleExamination
{
    /// <summary>Adds it to what a doctor found.</summary>
    /// <param name="report">What was found.</param>
    /// <param name="config">The config.</param>
    /// <param name="problemOf">Why the command line of a job is wrong; null where it is not.</param>
    /// <param name="clock">The time.</param>
    public static DoctorReport AddTo(
        DoctorReport report,
        BackupConfig config,
        Func<IReadOnlyList<string>, string?> problemOf,
        TimeProvider clock
    )
    {
        if (config.Schedule is not { } schedule)
        {
            return report;
        }

        try
        {
            DateTimeOffset now = clock.GetUtcNow();
            JobPlan plan = ScheduleCheck.PlanOf(config, problemOf, now);
            return With(report, $"the schedule: {Times(plan, schedule.Zone, now)}", null);
        }
        catch (PgBackupException e)
        {
            return With(report, "the schedule", Finding.Of(Severity.Error, "schedule", e));
        }
    }

    /// <summary>When each job is next.</summary>
    internal static string Times(JobPlan plan, TimeZoneInfo zone, DateTimeOffset now) =>
        string.Join(", ", plan.Jobs.Select(j => $"{j.Kind.Word()} next {NextOf(j, zone, now)}"));

    private static string NextOf(PlannedJob job, TimeZoneInfo zone, DateTimeOffset now) =>
        job.Cron.NextAfter(now) is { } next
            ? TimeZoneInfo.ConvertTime(next, zone).ToString("yyyy-MM-dd HH:mm zzz", CultureInfo.InvariantCulture)
            : "never";

    private static DoctorReport With(DoctorReport report, string what, Finding? finding) =>
        report with
        {
            Looked =
            [
                .. report.Looked,
                new LookedAt
                {
                    Area = DoctorArea.Files,
                    What = what,
                    Findings = finding is null ? 0 : 1,
                    Severity = finding?.Severity ?? Severity.Ok,
                },
            ],
            Findings = finding is null ? report.Findings : [.. report.Findings, finding],
        };
}
