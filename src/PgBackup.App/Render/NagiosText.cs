using System.Globalization;
using PgBackup.Operations.Status;

namespace PgBackup.App.Render;

/// <summary>A status as one line of a plug-in of Nagios, with performance data.</summary>
/// <remarks>The form is that of the Monitoring Plugins' guidelines: <c>SERVICE STATUS - text | label=value[unit];warn;crit</c>.</remarks>
internal static class NagiosText
{
    /// <summary>The exit code of what is not known.</summary>
    public const int Unknown = 3;

    /// <summary>The exit code of a level.</summary>
    public static int ExitCode(StatusLevel level) =>
        level switch
        {
            StatusLevel.Green => 0,
            StatusLevel.Yellow => 1,
            StatusLevel.Red => 2,
            _ => Unknown,
        };

    /// <summary>The line.</summary>
    public static string Of(StatusReport report)
    {
        string word = report.Level switch
        {
            StatusLevel.Green => "OK",
            StatusLevel.Yellow => "WARNING",
            StatusLevel.Red => "CRITICAL",
            _ => "UNKNOWN",
        };
        string what = report.Findings.Count == 0 ? StatusText.Verdict(report) : Worst(report.Findings);
        List<string> figures = [];
        if (report.Figures.NewestComplete is { } newest)
        {
            figures.Add(string.Create(CultureInfo.InvariantCulture, $"age={newest.AgeSeconds:0}s;;{report.Figures.MaxAgeSeconds:0};0"));
        }

        if (report.Figures.RestoreSeconds is { } restore)
        {
            figures.Add(string.Create(CultureInfo.InvariantCulture, $"restore={restore:0.0}s;;{report.Figures.RtoSeconds:0};0"));
        }

        foreach (StoreStatus store in report.Stores.Where(static s => s.IsReadable))
        {
            figures.Add(string.Create(CultureInfo.InvariantCulture, $"'bytes_{store.Name}'={store.Bytes}B;;;0"));
        }

        // A bar would begin the figures.
        string text = Terminal.InOneLine($"PGBACKUP {word} - {report.Cluster}: {what}").Replace('|', '/');
        return figures.Count == 0 ? text : $"{text} | {string.Join(' ', figures)}";
    }

    private static string Worst(IReadOnlyList<Finding> findings)
    {
        string more = findings.Count == 1 ? "" : $" (and {findings.Count - 1} more)";
        return $"{PgBackupException.CodeTextOf(findings[0].Code)}: {findings[0].What}{more}";
    }
}
