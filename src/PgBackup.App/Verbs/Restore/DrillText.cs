using System.Globalization;
using PgBackup.App.Render;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Restore;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.App.Verbs.Restore;

/// <summary>What a drill says to people.</summary>
internal static class DrillText
{
    /// <summary>Prints the report of a drill.</summary>
    public static void Show(DrillReport report)
    {
        FindingText.Message(report.Notes);

        if (report.Databases.Count == 0)
        {
            Terminal.Line($"The drill FAILED: {report.Snapshot} from {report.Store} ({report.Location}) was not restored.");
            return;
        }

        ShowDatabases(report.Databases);
        ShowChecks(report.Questions);
        ShowKeys(report.ApplicationKeys);
        Terminal.Table(
            ["PHASE", "TIME"],
            [.. report.Phases.Select(static p => (IReadOnlyList<string>)[p.Name, Terminal.Span(p.Seconds)])],
            1
        );
        Terminal.Line($"\n{Summary(report)}");
        string[] untested =
        [
            .. report
                .ApplicationKeys.Where(static k => k.Verdict is SecretVerdict.NotTested or SecretVerdict.NotTestable)
                .Select(static k => $"{k.Database} ({k.Table})"),
        ];
        if (report.ApplicationKeys.Count == 0 || untested.Length > 0)
        {
            Terminal.Line(
                $"Not tested: whether the applications' own keys decrypt what they stored "
                    + $"encrypted{(untested.Length > 0 ? " in " + string.Join(", ", untested) : "")}."
            );
        }
    }

    /// <summary>Prints the drills that a store knows of.</summary>
    public static void ShowList(IReadOnlyList<DrillReport> drills, IObjectStore store)
    {
        if (drills.Count == 0)
        {
            Terminal.Line($"No drill was held yet, as far as {store.Name} ({store.Location}) knows. `olympus-pgbackup drill` holds one.");
            return;
        }

        Terminal.Table(
            ["DRILL", "SNAPSHOT", "STORE", "RESTORE", "RTO", "RESULT"],
            [
                .. drills.Select(static d =>
                    (IReadOnlyList<string>)
                        [
                            SnapshotId.At(d.Started).ToString(),
                            d.Snapshot,
                            d.Store,
                            d.Databases.Count > 0 ? Terminal.Span(d.RestoreSeconds) : "none",
                            Terminal.Span(d.RtoSeconds),
                            d.Passed ? "passed" : FindingText.Of(d.Failures[0]),
                        ]
                ),
            ],
            3,
            4
        );
    }

    private static void ShowDatabases(IReadOnlyList<DrillDatabase> databases)
    {
        Terminal.Table(
            ["DATABASE", "TABLES", "ROWS", "RESTORE", "COMPARE", "VERDICT"],
            [
                .. databases.Select(static d =>
                    (IReadOnlyList<string>)
                        [
                            d.Name,
                            d.Tables.ToString(CultureInfo.InvariantCulture),
                            d.Rows.ToString("N0", CultureInfo.InvariantCulture),
                            Terminal.Span(d.RestoreSeconds),
                            Terminal.Span(d.CompareSeconds),
                            d.Verdict.Word(),
                        ]
                ),
            ],
            1,
            2,
            3,
            4
        );
        Terminal.Line();
    }

    private static void ShowChecks(IReadOnlyList<DrillQuestion> checks)
    {
        Terminal.Table(
            ["CHECK", "DATABASE", "ANSWER", "EXPECTED", ""],
            [
                .. checks.Select(static c =>
                    (IReadOnlyList<string>)
                        [
                            c.Name,
                            c.Database,
                            c.Answer ?? c.Problem ?? "nothing",
                            c.Expected ?? "",
                            c.Expected is null ? ""
                            : c.Passed ? "ok"
                            : "FAILED",
                        ]
                ),
            ]
        );
        Terminal.Line();
    }

    private static void ShowKeys(IReadOnlyList<SecretTest> keys)
    {
        if (keys.Count == 0)
        {
            return;
        }

        Terminal.Table(
            ["APPLICATION KEY", "DATABASE", "TABLE", "VALUES", "VERDICT", ""],
            [
                .. keys.Select(static k =>
                    (IReadOnlyList<string>)
                        [
                            k.Service,
                            k.Database,
                            k.Table,
                            k.Values?.ToString("N0", CultureInfo.InvariantCulture) ?? "",
                            k.Verdict.Word(),
                            k.Detail,
                        ]
                ),
            ],
            3
        );
        Terminal.Line();
    }

    private static string Summary(DrillReport report) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"The drill {(report.Passed ? "passed" : "FAILED")}: {report.Snapshot} from {report.Store} ({report.Location}) "
                + $"restored in {Terminal.Span(report.RestoreSeconds)} (RTO {Terminal.Span(report.RtoSeconds)}), with the rest "
                + $"deployed {Terminal.Span(report.RecoverySeconds)}; newest data "
                + $"{Terminal.Age(TimeSpan.FromSeconds(report.DataAgeSeconds))} old (RPO "
                + $"{Terminal.Age(TimeSpan.FromSeconds(report.RpoSeconds))})."
        );
}
