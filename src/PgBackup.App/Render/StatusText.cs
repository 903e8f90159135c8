using System.Globalization;
using PgBackup.Operations.Status;

namespace PgBackup.App.Render;

/// <summary>A status as a screen for people.</summary>
internal static class StatusText
{
    /// <summary>Prints it.</summary>
    public static void Show(StatusReport report)
    {
        string time = report.Time.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
        Terminal.Line($"{Sign(report.Level)} {report.Cluster}: {Verdict(report)}, {time} UTC");
        Terminal.Line();
        int width = Terminal.Columns;
        int words = report.Answers.Max(static a => a.Question.Text().Length);
        foreach (StatusAnswer answer in report.Answers)
        {
            string start = $"{Sign(answer.Level)} {answer.Question.Text().PadRight(words)}  ";
            string[] lines = [.. Wrapped(Terminal.InOneLine(answer.Text), width - start.Length)];
            Terminal.Line(start + lines[0]);
            foreach (string line in lines.Skip(1))
            {
                Terminal.Line(new string(' ', start.Length) + line);
            }
        }

        if (report.Figures.Neon is { } neon)
        {
            Terminal.Line();
            foreach (string line in Wrapped(Terminal.InOneLine($"Neon: {NeonSpan.Of(neon)}"), width))
            {
                Terminal.Line(line);
            }
        }

        if (report.Events.Count > 0)
        {
            Terminal.Line();
            Terminal.Line("What happened last:");
            Terminal.Table(
                ["TIME (UTC)", "WHAT", "RESULT", ""],
                [
                    .. report.Events.Select(static e =>
                        (IReadOnlyList<string>)
                            [e.Time.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture), e.Kind, e.Result, e.Text]
                    ),
                ]
            );
        }

        if (report.Findings.Count > 0)
        {
            Terminal.Line();
            FindingText.Line(report.Findings);
        }
    }

    /// <summary>The level as a word with a sign, all of one width: it says the same without colours.</summary>
    public static string Sign(StatusLevel level) =>
        level switch
        {
            StatusLevel.Green => "[+] GREEN  ",
            StatusLevel.Yellow => "[!] YELLOW ",
            StatusLevel.Red => "[X] RED    ",
            _ => "[?] UNKNOWN",
        };

    /// <summary>The whole in a sentence.</summary>
    public static string Verdict(StatusReport report)
    {
        int errors = report.Findings.Count(static f => f.Severity == Severity.Error);
        int warnings = report.Findings.Count(static f => f.Severity == Severity.Warning);
        string more = warnings == 0 ? "" : $"{(errors > 0 ? " and " : "")}{Words.Count(warnings, "warning")}";
        return report.Level switch
        {
            StatusLevel.Green => "all is well",
            StatusLevel.Unknown => "no store could be read",
            _ => (errors == 0 ? "" : Words.Count(errors, "problem")) + more,
        };
    }

    private static IEnumerable<string> Wrapped(string text, int width)
    {
        while (text.Length > width)
        {
            int end = text.LastIndexOf(' ', width);
            end = end <= 0 ? width : end;
            yield return text[..end];
            text = text[end..].TrimStart();
        }

        yield return text;
    }
}
