using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Encryption;
using PgBackup.Installations;
using PgBackup.Operations.Restore;
using PgBackup.Operations.Restore.Tables;
using PgBackup.Storage;

namespace PgBackup.App.Restore;

/// <summary><c>restore --table</c>: single tables, beside what is there.</summary>
internal static class RestoreTables
{
    /// <summary>Prepares, shows the plan, restores, prints the report; returns the exit code.</summary>
    public static async Task<int> RunAsync(
        Installation installation,
        IObjectStore store,
        TableRestoreRequest request,
        RestoreTarget target,
        Identity? identity,
        bool json,
        CancellationToken cancel
    )
    {
        if (request.Schema is { } schema && !RestoreNames.IsSchema(schema))
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                $"--into-schema \"{schema}\" is not a valid name for a new schema.",
                "Write one of 1 to 63 bytes in one line that does not begin with pg_."
            );
        }

        await using PreparedTableRestore prepared = await ProgressDisplay.ShowAsync(
            installation.Clock,
            progress => installation.RestoreTables(store, identity, progress).PrepareAsync(request, target, cancel)
        );
        Show(prepared.Plan);
        TableRestoreReport report = await ProgressDisplay.ShowAsync(installation.Clock, progress => prepared.RunAsync(progress, cancel));
        if (json)
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.TableRestoreReport));
        }
        else
        {
            Show(report);
        }

        return report.Succeeded ? 0 : 1;
    }

    private static void Show(TableRestorePlan plan)
    {
        Terminal.Message(
            $"plan: {plan.Snapshot}, taken {Terminal.Age(TimeSpan.FromSeconds(plan.AgeSeconds))} ago, from the store {plan.Store}, "
                + $"into {plan.Target}"
        );
        Terminal.Message($"  tables of {plan.Database}: {string.Join(", ", plan.Tables)}");
        Terminal.Message(
            plan.Schema is { } schema
                ? $"  restored and compared in {plan.Beside}, which is dropped again; from there into the new schema {schema} of "
                    + $"{plan.Into}; nothing that is there is touched"
            : plan.MakesDatabase ? $"  makes the database {plan.Into}, which is not there"
            : $"  fills the database {plan.Into}, which is there and empty"
        );
        FindingText.Message(plan.Findings);
        Terminal.Message("  they will belong to the role that restores, and nobody else may read them");
        if (plan.Defined.Count > 0)
        {
            Terminal.Message($"  note: without their rows, since the others need their definition: {string.Join(", ", plan.Defined)}");
        }

        if (plan.Left.Count > 0)
        {
            Terminal.Message($"  note: not brought: {string.Join("; ", plan.Left)}");
        }
    }

    private static void Show(TableRestoreReport report)
    {
        FindingText.Message(report.Findings);

        Terminal.Table(
            ["TABLE", "RESTORED AS", "ROWS", "VERDICT"],
            [
                .. report.Tables.Select(t =>
                    (IReadOnlyList<string>)
                        [t.Table, t.RestoredAs, t.Rows.ToString("N0", CultureInfo.InvariantCulture), report.Succeeded ? "equal" : "FAILED"]
                ),
            ],
            2
        );
        if (report.Code is { } code)
        {
            Terminal.Line($"\n{code}");
            foreach (string problem in report.Problems)
            {
                Terminal.Line($"  {problem}");
            }
        }
        else
        {
            Terminal.Line();
            RestoreText.Statements("To take it away again:", [report.Drop]);
        }

        Terminal.Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{report.Plan.Snapshot} {(report.Succeeded ? "tables restored and proven equal" : "restore of tables FAILED")}: "
                    + $"{Words.Count(report.Plan.Tables.Count, "table")} of {report.Plan.Database} into "
                    + $"{report.Plan.Into}{(report.Plan.Schema is { } s ? $", schema {s}," : "")} at {report.Plan.Target} in "
                    + $"{Terminal.Span(report.TotalSeconds)} (checked before: {Terminal.Span(report.VerifySeconds)})"
            )
        );
    }
}
