using PgBackup.App.Render;
using PgBackup.Operations.Doctor;

namespace PgBackup.App.Verbs.Look;

/// <summary>What a doctor says to people: a checklist.</summary>
internal static class DoctorText
{
    /// <summary>Prints the report.</summary>
    public static void Show(DoctorReport report)
    {
        int at = 0;
        foreach (IGrouping<DoctorArea, LookedAt> area in report.Looked.GroupBy(static l => l.Area))
        {
            Terminal.Line(area.Key.Word());
            foreach (LookedAt one in area)
            {
                Show(one, [.. report.Findings.Skip(at).Take(one.Findings)]);
                at += one.Findings;
            }
        }

        Terminal.Line(Sum(report));
    }

    // What was found says the contrary of what would be well.
    private static void Show(LookedAt one, IReadOnlyList<Finding> findings)
    {
        if (findings.Count == 0)
        {
            Terminal.Line($"  ok: {Terminal.InOneLine(one.What)}");
        }

        foreach (Finding finding in findings)
        {
            Terminal.Line($"  {FindingText.Of(finding)}");
        }
    }

    private static string Sum(DoctorReport report)
    {
        int Count(Severity severity) => report.Findings.Count(f => f.Severity == severity);
        string found =
            report.Findings.Count == 0
                ? "nothing was found"
                : $"{Words.Count(Count(Severity.Error), "error")}, {Words.Count(Count(Severity.Warning), "warning")}, "
                    + Words.Count(Count(Severity.Note), "note");
        return $"{Words.Count(report.Looked.Count, "thing")} examined in {Terminal.Span(report.Seconds)}: {found}";
    }
}
