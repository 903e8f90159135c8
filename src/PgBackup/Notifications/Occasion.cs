using PgBackup.Operations.Status;

namespace PgBackup.Notifications;

/// <summary>What has just ended, and may be a reason to tell somebody.</summary>
public sealed record Occasion
{
    /// <summary>The job, by a name that is the same each time: <c>run</c>, <c>drill</c>, <c>check --all --read-data</c>; null for what is
    /// no job.</summary>
    public string? Job { get; init; }

    /// <summary>Why the job failed; null where it did not. Of what is no job it is told, and not remembered.</summary>
    public Finding? Failure { get; init; }

    /// <summary>The job was good, and so is what these others had found wrong.</summary>
    public Func<string, bool> Settles { get; init; } = static _ => false;

    /// <summary><see cref="NoticeKind.Drill"/> or <see cref="NoticeKind.Confirmed"/>, where one of them happened.</summary>
    public NoticeKind? Happened { get; init; }

    /// <summary>It was the nightly run: a dead man's switch is told.</summary>
    public bool IsRun { get; init; }

    /// <summary>What this host remembers of failed jobs afterwards. One that failed stays so until it is good.</summary>
    /// <param name="memory">What it remembered.</param>
    /// <param name="status">How the backups stand; null where that is not known.</param>
    /// <param name="now">The time.</param>
    internal NoticeMemory Apply(NoticeMemory memory, StatusReport? status, DateTimeOffset now)
    {
        Dictionary<string, FailedJob> failed = new(memory.Failed, StringComparer.Ordinal);
        if (Job is not null && Failure is not null)
        {
            failed[Job] = new FailedJob(Failure, now);
        }
        else if (Job is not null)
        {
            foreach (string good in failed.Keys.Where(j => j == Job || Settles(j)).ToArray())
            {
                failed.Remove(good);
            }
        }

        foreach (
            string settled in failed
                .Where(f => status is not null && f.Value.IsSettled(f.Key, status, now))
                .Select(static f => f.Key)
                .ToArray()
        )
        {
            failed.Remove(settled);
        }

        return memory with
        {
            Failed = failed,
        };
    }
}
