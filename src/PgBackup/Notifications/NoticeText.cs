using System.Globalization;
using System.Text;
using PgBackup.Operations.Status;

namespace PgBackup.Notifications;

/// <summary>A notice in words.</summary>
internal static class NoticeText
{
    private const int LongestTitle = 200;

    private static readonly string DrillCode = PgBackupException.CodeTextOf(ErrorCode.LastDrillFailed);

    /// <summary>All of it in a line: <c>olympus RED: the last run failed (and 1 more)</c>.</summary>
    /// <param name="kind">Why it is sent.</param>
    /// <param name="cluster">The cluster.</param>
    /// <param name="now">How the backups stand.</param>
    /// <param name="first">The gravest finding as it is shown; null for none.</param>
    public static string Title(NoticeKind kind, string cluster, Situation now, Finding? first)
    {
        Finding[] grave = [.. now.Findings.Where(static f => f.Severity >= Severity.Warning)];
        string more = grave.Length > 1 ? string.Create(CultureInfo.InvariantCulture, $" (and {grave.Length - 1} more)") : "";
        string what = grave.Length == 0 || first is null ? "nothing is wrong" : Short(first.What) + more;
        string level = now.Level.Word().ToUpperInvariant();
        return kind switch
        {
            NoticeKind.Reminder => $"{cluster} still {level}: {what}",
            NoticeKind.Recovered when now.Level == StatusLevel.Green => $"{cluster} recovered: nothing is wrong",
            NoticeKind.Recovered => $"{cluster} recovered, and is {level} now: {what}",
            NoticeKind.Confirmed => $"{cluster} {level}: losses were confirmed",
            NoticeKind.Drill when now.Errors.Any(static e => e.StartsWith(DrillCode, StringComparison.Ordinal)) =>
                $"{cluster}: the drill failed",
            NoticeKind.Drill => $"{cluster}: the drill passed; {level}: {what}",
            NoticeKind.Test => $"{cluster}: a test of this channel",
            NoticeKind.Keys => $"{cluster}: test the private keys",
            NoticeKind.Start => $"{cluster}: a run started",
            _ => $"{cluster} {level}: {what}",
        };
    }

    private static string Short(string text) => text.Length <= LongestTitle ? text : $"{text[..LongestTitle]}...";

    /// <summary>The whole of it, in lines.</summary>
    public static string Body(Notice notice)
    {
        var text = new StringBuilder();
        text.Append(notice.Title).Append("\n\n");
        foreach (Finding finding in notice.Findings)
        {
            string sign = finding.Severity switch
            {
                Severity.Error => "FAILED",
                Severity.Warning => "WARNING",
                _ => "note",
            };
            text.Append(CultureInfo.InvariantCulture, $"{sign}: {PgBackupException.CodeTextOf(finding.Code)}: {finding.Fact}\n");
            if (finding.Fix is { } fix)
            {
                text.Append(CultureInfo.InvariantCulture, $"  what to do: {fix}\n");
            }
        }

        if (notice.FindingsOmitted > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"and {Words.Count(notice.FindingsOmitted, "more finding")}\n");
        }

        string from = notice.Host is null ? "" : $" on {notice.Host}";
        text.Append(CultureInfo.InvariantCulture, $"\n{notice.Time.UtcDateTime:yyyy-MM-dd HH:mm} UTC, olympus-pgbackup{from}. ");
        return text.Append("`olympus-pgbackup status` shows how it stands now.\n").ToString();
    }

    /// <summary>The same for Slack, where three characters begin what is obeyed. Source: docs.slack.dev, "Formatting message
    /// text".</summary>
    public static string Slack(Notice notice) =>
        Body(notice)
            .Replace("&", "&amp;", StringComparison.Ordinal)
            .Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace(">", "&gt;", StringComparison.Ordinal);
}
