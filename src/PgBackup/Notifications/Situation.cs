using PgBackup.Operations.Status;
using PgBackup.Snapshots;

namespace PgBackup.Notifications;

/// <summary>How the backups stand, for a notice: the status, and what only this host knows (that a job failed).</summary>
public sealed record Situation
{
    /// <summary>The most findings of a notice.</summary>
    public const int MostFindings = 20;

    /// <summary>Green, yellow or red. That no store can be read is red: it is the very case to tell about.</summary>
    public required StatusLevel Level { get; init; }

    /// <summary>What is wrong or worth knowing, the gravest first.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>The status was read. Else what was wrong before may still be.</summary>
    public bool IsKnown { get; init; } = true;

    /// <summary>What is wrong, each by a name that stays the same from night to night.</summary>
    public IReadOnlyList<string> Errors => Keys(Severity.Error);

    /// <summary>The same of what somebody should look at.</summary>
    public IReadOnlyList<string> Warnings => Keys(Severity.Warning);

    /// <summary>The situation of a status.</summary>
    /// <param name="status">The status; null where it was not read.</param>
    /// <param name="jobs">What failed on this host.</param>
    public static Situation Of(StatusReport? status, IEnumerable<Finding> jobs)
    {
        Finding[] own = [.. jobs];
        string[] told = [.. own.Select(KeyOf)];
        Finding[] findings = [.. own, .. (status?.Findings ?? []).Where(f => !told.Contains(KeyOf(f)))];
        return new Situation
        {
            IsKnown = status is not null,
            Level = status?.Level == StatusLevel.Unknown ? StatusLevel.Red : StatusLevels.Of(findings),
            Findings = [.. findings.OrderByDescending(static f => f.Severity)],
        };
    }

    // A snapshot's id is another one each night, and a run that fails every night is one thing that is wrong.
    internal static string KeyOf(Finding finding)
    {
        bool sameEachNight =
            SnapshotId.TryParse(finding.Subject) is null && finding.Code is not (ErrorCode.LastRunFailed or ErrorCode.LastDrillFailed);
        return sameEachNight
            ? $"{PgBackupException.CodeTextOf(finding.Code)} {finding.Subject}"
            : PgBackupException.CodeTextOf(finding.Code);
    }

    private List<string> Keys(Severity severity) => [.. Findings.Where(f => f.Severity == severity).Select(KeyOf).Distinct()];
}
