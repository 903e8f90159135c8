using PgBackup.App.Render;
using PgBackup.Host;
using PgBackup.Operations.Check;
using PgBackup.Records;

namespace PgBackup.App.Verbs.Look;

/// <summary>What a check says to people.</summary>
internal static class CheckText
{
    /// <summary>Prints the report.</summary>
    public static void Show(CheckReport report, CheckDepth depth, bool severalStores)
    {
        foreach (SnapshotCheck result in report.Snapshots)
        {
            Show(result, depth, severalStores);
        }

        foreach (StoreProblem problem in report.StoreProblems)
        {
            Terminal.Line($"{problem.Store}: {problem.Object}: {problem.Problem}{(problem.Mended is { } mended ? $"; {mended}" : "")}");
        }

        foreach (StoreGap gap in report.Gaps)
        {
            Terminal.Line(Describe(gap));
        }

        foreach (StoreGap gap in report.OnlyInReplicas)
        {
            Terminal.Line(DescribeOnlyInReplicas(gap));
        }

        FindingText.Line(report.Findings);

        if (report.Snapshots.Count == 0 && report.Gaps.Count == 0)
        {
            Terminal.Line("There are no snapshots to check.");
        }
        else if (report.Snapshots.Any(static s => s.Problems.Any(IsRepairable)))
        {
            Terminal.Line("--repair copies the good ones over the damaged.");
        }
    }

    private static void Show(SnapshotCheck result, CheckDepth depth, bool severalStores)
    {
        string name = severalStores ? $"{result.Id} in {result.Store}" : result.Id;
        string incomplete = result.IsComplete ? "" : " (an incomplete snapshot)";
        Terminal.Line(
            result.Problems.Count == 0 ? $"{name} ok: {Done(result, depth)}{incomplete}"
            : result.IsOfNewerVersion ? $"{name} NOT CHECKED (PGB-0064):"
            : $"{name} DAMAGED:"
        );
        foreach (ObjectProblem problem in result.Problems)
        {
            string copies = result.IsOfNewerVersion && problem.RepairedFrom is null ? "" : Copies(problem, depth, severalStores);
            Terminal.Line($"  {problem.Object}: {problem.Problem}{copies}");
        }

        foreach (Finding finding in result.Findings)
        {
            Terminal.Line($"  {FindingText.Of(finding)}");
        }
    }

    private static string Done(SnapshotCheck result, CheckDepth depth) =>
        result.Decoded ? $"{ByteSize.Text(result.BytesRead)} read, decrypted and decoded, equal to the proof"
        : depth != CheckDepth.Present ? $"{ByteSize.Text(result.BytesRead)} read, digests right (not decrypted: no usable private key here)"
        : "present, sizes right (--read-data reads every byte)";

    // What became of a damaged object, or where a good one is.
    private static string Copies(ObjectProblem problem, CheckDepth depth, bool severalStores)
    {
        if (problem.RepairedFrom is { } from)
        {
            return $"; copied again from {from}";
        }

        if (problem.Mended is { } mended)
        {
            return $"; {mended}";
        }

        if (problem.GoodCopies.Count > 0)
        {
            string copy = depth == CheckDepth.Present ? "one of the right size (not read)" : "a good copy";
            return $"; {copy} is in {string.Join(", ", problem.GoodCopies)}";
        }

        return severalStores ? "; no other store has a good copy" : "";
    }

    private static string Describe(StoreGap gap)
    {
        string copies = gap.Missing.Count == 1 ? "the next run copies it" : "the next run copies them";
        return gap.Problem is { } problem
            ? $"{gap.Store} could not be checked: {problem.Line}"
            : $"{Lacks(gap)}; {(WasTried(gap) ? Filled(gap) : copies)}";
    }

    private static string DescribeOnlyInReplicas(StoreGap gap)
    {
        string copies = WasTried(gap)
            ? Filled(gap)
            : "runs copy only from the first store, --repair copies from any (this alone is not a failure)";
        return $"{Lacks(gap)}; only replicas have {(gap.Missing.Count == 1 ? "it" : "them")}; {copies}";
    }

    private static bool WasTried(StoreGap gap) => gap.Filled.Count + gap.NotFilled.Count > 0;

    private static bool IsRepairable(ObjectProblem problem) =>
        problem.GoodCopies.Count > 0 && problem.RepairedFrom is null && problem.Mended is null;

    private static string Lacks(StoreGap gap) =>
        $"{gap.Store} lacks {Words.Count(gap.Missing.Count, "snapshot")} that its rules would keep, the newest {gap.Missing[^1]}";

    private static string Filled(StoreGap gap)
    {
        string copied = gap.Filled.Count == gap.Missing.Count ? "copied" : $"{gap.Filled.Count} copied";
        string filled =
            gap.Filled.Count == 0
                ? "none copied"
                : $"{copied} now, from {string.Join(", ", gap.Filled.Select(static f => f.From).Distinct())}";
        return filled + string.Concat(gap.NotFilled.Select(static p => $"\n  NOT REPAIRED: {p.Line}"));
    }
}
