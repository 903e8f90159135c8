namespace PgBackup.App.Render;

/// <summary>Findings as lines for people. Every verb prints them alike.</summary>
internal static class FindingText
{
    /// <summary>Prints each beside the result, on stderr.</summary>
    public static void Message(IEnumerable<Finding> findings)
    {
        foreach (Finding finding in findings)
        {
            Terminal.Message(Of(finding));
        }
    }

    /// <summary>Prints each as part of the result, on stdout.</summary>
    public static void Line(IEnumerable<Finding> findings)
    {
        foreach (Finding finding in findings)
        {
            Terminal.Line(Of(finding));
        }
    }

    /// <summary>A finding: how much it matters, its code, what, why, and what to do. Where it quotes several lines, those after
    /// the first are indented: no line of a store can look like one of ours.</summary>
    public static string Of(Finding finding) =>
        Terminal.Continued(
            finding.Severity switch
            {
                Severity.Error => $"FAILED: {finding.Line}",
                Severity.Warning => $"WARNING: {finding.Line}",
                _ => $"note: {finding.Line}",
            }
        );

    /// <summary>A step in a line.</summary>
    public static string Of(RunEvent step) => step.Finding is { } finding ? Of(finding) : step.Text;
}
