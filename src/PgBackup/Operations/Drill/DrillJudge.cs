using System.Globalization;
using PgBackup.Operations.Restore;

namespace PgBackup.Operations.Drill;

/// <summary>Says what is wrong with a drill, from what it found; looks nothing up.</summary>
internal static class DrillJudge
{
    /// <summary>A finding for each thing that is wrong: databases, questions, application keys, the time, the age of the data.</summary>
    public static IEnumerable<Finding> Failures(DrillReport report) =>
        [
            .. report.Databases.Where(static d => d.Verdict == RestoreVerdict.Failed).Select(Differs),
            .. report.Questions.Where(static c => !c.Passed).Select(Answered),
            .. report
                .ApplicationKeys.Where(static k => !k.Passed)
                .Select(static k =>
                    Finding.Error(
                        ErrorCode.ApplicationKeyWrong,
                        k.Database,
                        $"{k.Database}: the application key of {k.Service} ({k.Table}) failed its test",
                        k.Detail
                    )
                ),
            .. report.RestoreSeconds > report.RtoSeconds ? [TooSlow(report)] : Array.Empty<Finding>(),
            .. report.DataAgeSeconds > report.RpoSeconds ? [TooOld(report)] : Array.Empty<Finding>(),
        ];

    /// <summary>Every database of the snapshot was restored and is equal, and whatever was asked of them was right. Slowness and age are no
    /// faults of the snapshot.</summary>
    /// <param name="report">The drill.</param>
    /// <param name="databases">How many databases the snapshot has.</param>
    public static bool Proves(DrillReport report, int databases) =>
        report.Databases.Count == databases
        && report.Databases.All(static d => d.Verdict != RestoreVerdict.Failed)
        && report.Questions.All(static c => c.Passed)
        && report.ApplicationKeys.All(static k => k.Passed);

    private static Finding Differs(DrillDatabase database)
    {
        // The first may only announce the others.
        string[] first = [.. database.Problems.Take(database.Problems is [[.., ':'], ..] ? 2 : 1)];
        return Finding.Error(
            database.Code ?? ErrorCode.ProofDiffers,
            database.Name,
            $"{database.Name} does not equal the snapshot",
            first.Length > 0 ? string.Join(' ', first) : "no reason was given"
        );
    }

    private static Finding Answered(DrillQuestion check) =>
        Finding.Error(
            ErrorCode.AnswerWrong,
            check.Database,
            $"{check.Database}: wrong answer to \"{check.Name}\"",
            check.Problem ?? $"{check.Answer ?? "nothing"} came, {check.Expected} was expected"
        );

    private static Finding TooSlow(DrillReport report) =>
        Finding.Error(
            ErrorCode.RtoExceeded,
            report.Snapshot,
            string.Create(
                CultureInfo.InvariantCulture,
                $"the restore took {report.RestoreSeconds:0} s, and may take {report.RtoSeconds:0} s (drill.rto)"
            )
        );

    private static Finding TooOld(DrillReport report) =>
        Finding.Error(
            ErrorCode.RpoExceeded,
            report.Store,
            string.Create(
                CultureInfo.InvariantCulture,
                $"the newest complete snapshot in {report.Store} is {report.DataAgeSeconds / 3600:0.0} h old, and may be "
                    + $"{report.RpoSeconds / 3600:0.0} h (drill.rpo)"
            )
        );
}
