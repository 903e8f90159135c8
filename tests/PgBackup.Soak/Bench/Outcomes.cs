using System.Text.RegularExpressions;

namespace PgBackup.Soak.Bench;

/// <summary>What no call of the program may ever say.</summary>
internal static partial class Outcomes
{
    /// <summary>The first sign that the program met something it does not know; null without one.</summary>
    public static string? Unforeseen(Outcome outcome, bool mayBeKilled = false)
    {
        if (outcome.All.Contains("PGB-0001", StringComparison.Ordinal))
        {
            return Line(outcome, "PGB-0001");
        }

        if (StackTrace().IsMatch(outcome.All))
        {
            return "a stack trace: " + Line(outcome, "   at ");
        }

        return outcome.ExitCode is >= 0 and <= 3 || (mayBeKilled && outcome.ExitCode is 137 or 143 or 130)
            ? null
            : $"exit code {outcome.ExitCode}: {Tail(outcome)}";
    }

    /// <summary>The last lines, on one.</summary>
    public static string Tail(Outcome outcome)
    {
        string text = string.Join(
            " | ",
            outcome.All.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).TakeLast(25)
        );
        return text.Length > 3000 ? text[..3000] + "..." : text;
    }

    private static string Line(Outcome outcome, string part)
    {
        string[] lines = outcome.All.Split('\n');
        int first = Math.Max(0, Array.FindIndex(lines, l => l.Contains(part, StringComparison.Ordinal)));
        return string.Join(" | ", lines.Skip(first).Take(4));
    }

    [GeneratedRegex(@"^   at [\w.<>`]+\(|Unhandled exception", RegexOptions.Multiline)]
    private static partial Regex StackTrace();
}
