using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using PgBackup.Configuration;

namespace PgBackup.Serve.Scheduling;

/// <summary>What is done when, of a config without errors. Pure.</summary>
internal sealed record JobPlan
{
    /// <summary>The jobs.</summary>
    public required IReadOnlyList<PlannedJob> Jobs { get; init; }

    /// <summary>The plan of a config.</summary>
    /// <param name="config">The config.</param>
    /// <param name="host">This host: each waits for another part of the jitter.</param>
    /// <param name="now">The time.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ConfigInvalid"/>: nothing is scheduled, or a time is no time of
    /// cron.</exception>
    public static JobPlan Of(BackupConfig config, string host, DateTimeOffset now)
    {
        ScheduleConfig schedule =
            config.Schedule
            ?? throw new PgBackupException(
                ErrorCode.ConfigInvalid,
                $"{config.File} has no schedule: there is nothing to serve.",
                "Write for instance schedule: { run: \"0 3 * * *\", time_zone: Europe/Berlin }."
            );
        List<PlannedJob> jobs = [];
        List<string> errors = [];
        foreach (ScheduledJob job in schedule.Jobs)
        {
            CronTime? cron = CronTime.TryParse(job.Cron, schedule.Zone, now, out string problem);
            if (cron?.ShortestInterval(now) <= schedule.Jitter)
            {
                string what = string.Create(CultureInfo.InvariantCulture, $"line {job.Line}: schedule.{job.Kind.Word()}");
                errors.Add($"\n  {what}: it comes more often than jitter lets it start. Write a shorter jitter.");
                continue;
            }

            if (cron is not null)
            {
                jobs.Add(
                    new PlannedJob
                    {
                        Kind = job.Kind,
                        Cron = cron,
                        Arguments = job.Arguments,
                        Jitter = schedule.Jitter,
                        Seed = $"{config.Cluster}/{host}/{job.Kind.Word()}",
                    }
                );
                continue;
            }

            string place = string.Create(CultureInfo.InvariantCulture, $"line {job.Line}: schedule.{job.Kind.Word()}");
            errors.Add(
                $"\n  {place}: \"{Foreign.Line(job.Cron)}\" is no time of cron: {problem}. "
                    + "Write minute, hour, day of the month, month and day of the week, for instance \"0 3 * * *\"."
            );
        }

        return errors.Count == 0
            ? new JobPlan { Jobs = jobs }
            : throw new PgBackupException(
                ErrorCode.ConfigInvalid,
                $"{config.File} has {Words.Count(errors.Count, "error")}:{string.Concat(errors)}",
                "docs/serve.md has examples."
            );
    }
}

/// <summary>One job.</summary>
internal sealed record PlannedJob
{
    /// <summary>What is done.</summary>
    public required JobKind Kind { get; init; }

    /// <summary>When.</summary>
    public required CronTime Cron { get; init; }

    /// <summary>The verb and its arguments, without the config.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>How much later it may start.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>What the part of the jitter is made of, beside the time.</summary>
    public string Seed { get; init; } = "";

    /// <summary>When it starts, of a time at which it is due: the same on this host each time it is asked, so that a restart changes
    /// nothing.</summary>
    public DateTimeOffset StartOf(DateTimeOffset due)
    {
        byte[] text = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Seed}/{due.ToUnixTimeSeconds()}"));
        double part = BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(text)) / (double)uint.MaxValue;
        return due + Jitter * part;
    }

    /// <summary>What works in the stores excludes each other; so does what only looks.</summary>
    public bool Writes => Kind is JobKind.Run or JobKind.Prune;
}
