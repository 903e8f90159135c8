using System.Globalization;
using PgBackup.App.Render;
using PgBackup.Host;
using PgBackup.Operations.Restore;

namespace PgBackup.App.Restore;

/// <summary>What a restore says before and after.</summary>
internal static class RestoreText
{
    /// <summary>Prints what is going to be done.</summary>
    public static void Show(RestorePlan plan)
    {
        Terminal.Message(
            $"plan: {plan.Snapshot}, taken {Terminal.Age(TimeSpan.FromSeconds(plan.AgeSeconds))} ago, from the store {plan.Store}, "
                + $"into {plan.Target}"
        );
        if (plan.Globals)
        {
            Terminal.Message("  roles: made, or set to the snapshot's attributes, passwords and memberships");
        }

        foreach (RestoreStep step in plan.Databases)
        {
            Terminal.Message($"  {step.Database}: {Describe(step)}");
            if (step.Action is RestoreStep.Swap or RestoreStep.Drop)
            {
                Terminal.Message($"    {Newest(step)}");
            }
        }

        foreach (Finding finding in plan.Findings)
        {
            Terminal.Message($"  {FindingText.Of(finding)}");
        }
    }

    /// <summary>Whether what is replaced has something that the snapshot has not, as far as is known.</summary>
    public static string Newest(RestoreStep step)
    {
        string last = step.NewestRow is { } at
            ? $"{at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} UTC ({step.NewestRowIn})"
            : "";
        return step.NewerBySeconds is { } seconds
                ? $"NEWER: it has rows of {last}, {Terminal.Age(TimeSpan.FromSeconds(seconds))} after the snapshot; they "
                    + $"{(step.Action == RestoreStep.Drop ? "are LOST" : $"stay in {step.KeptAs} only")}"
            : step.NewestRowUntold is { } why ? $"it is not known whether it has newer rows than the snapshot: {why}"
            : step.NewestRow is null ? "no row in it says when it was written"
            : $"its newest row is of {last}, before the snapshot";
    }

    /// <summary>What is at the target under a name.</summary>
    public static string Describe(SurveyedDatabase database) =>
        !database.IsThere ? "not there"
        : database.Objects is not { } objects ? "there, and does not let us in"
        : objects == 0 ? "there, and empty"
        : string.Create(
            CultureInfo.InvariantCulture,
            $"there: {objects:N0} "
                + $"objects{(database.Bytes is { } bytes ? $", {ByteSize.Text(bytes)}" : "")}"
                + $"{(database.Sessions > 0 ? $", {database.Sessions} sessions" : "")}"
        );

    private static string Describe(RestoreStep step)
    {
        string objects = step.Objects is { } n
            ? string.Create(CultureInfo.InvariantCulture, $"{n:N0} objects")
            : "which does not let us in";
        string there =
            $"{step.Name}, {objects}"
            + $"{(step.Bytes is { } bytes ? $", {ByteSize.Text(bytes)}" : "")}"
            + $"{(step.Sessions > 0 ? $", {step.Sessions} sessions, which are ended" : "")}";
        return step.Action switch
        {
            RestoreStep.Swap =>
                $"restored beside ({there}) as {step.Copy}; when all are equal to the snapshot, it becomes {step.Name}, and the "
                    + $"present one is kept as {step.KeptAs}",
            RestoreStep.Drop => $"DROPS ({there}), and makes it again",
            RestoreStep.Fill => $"fills {step.Name}, which is there and empty",
            _ => $"makes {step.Name}, which is not there",
        };
    }

    /// <summary>Prints the report.</summary>
    public static void Show(RestoreReport report)
    {
        FindingText.Message(report.Findings.Except(report.Plan.Findings));

        Terminal.Table(
            ["DATABASE", "RESTORED AS", "TABLES", "ROWS", "RESTORE", "COMPARE", "VERDICT"],
            [
                .. report.Databases.Select(static d =>
                    (IReadOnlyList<string>)
                        [
                            d.Database,
                            d.RestoredAs,
                            d.Tables.ToString(CultureInfo.InvariantCulture),
                            d.Rows.ToString("N0", CultureInfo.InvariantCulture),
                            Terminal.Span(d.RestoreSeconds),
                            Terminal.Span(d.CompareSeconds),
                            d.Verdict.Word(),
                        ]
                ),
            ],
            2,
            3,
            4,
            5
        );
        foreach (DatabaseRestoreReport database in report.Databases.Where(static d => d.Problems.Count > 0))
        {
            Terminal.Line($"\n{database.RestoredAs}: {PgBackupException.CodeTextOf(database.Code!.Value)}");
            foreach (string problem in database.Problems)
            {
                Terminal.Line($"  {problem}");
            }
        }

        if (report.SwapFailed is { } failure)
        {
            Terminal.Line($"\nswap: {failure.Code}\n  {failure.Message}");
            Statements("To exchange them by hand (connect to another database; nobody may be connected to these):", failure.Finish);
            Statements("To drop what was restored beside:", failure.Drop);
        }

        foreach (DatabaseRestoreReport database in report.Databases.Where(static d => d.KeptAs is not null))
        {
            Terminal.Line($"\n{database.RestoredAs}: what was there before is kept as {database.KeptAs}");
            Statements("To put it back:", database.Undo!);
            Statements("To drop it:", [database.DropKept!]);
        }

        string verdict =
            !report.Succeeded ? "restore FAILED"
            : report.Databases.All(static d => d.SchemaCompared) ? "restored and proven equal"
            : "restored, rows proven equal (the schema was not compared: another version of Postgres)";
        Terminal.Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{report.Snapshot} {verdict}: {Words.Count(report.Databases.Count, "database")} into "
                    + $"{report.Target} in {Terminal.Span(report.TotalSeconds)} (checked before: "
                    + $"{Terminal.Span(report.VerifySeconds)}, roles: {Terminal.Span(report.GlobalsSeconds)})"
            )
        );
    }

    /// <summary>Prints statements below a heading.</summary>
    public static void Statements(string heading, IReadOnlyList<string> statements)
    {
        if (statements.Count > 0)
        {
            Terminal.Line($"  {heading}");
            foreach (string statement in statements)
            {
                Terminal.Line($"    {statement}");
            }
        }
    }
}
