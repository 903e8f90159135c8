using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Host;
using PgBackup.Operations;
using PgBackup.Operations.Prune;

namespace PgBackup.App.Verbs.Keep;

/// <summary><c>prune</c>: removes what the rules of a store no longer keep, and shows why.</summary>
internal static class PruneVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var storeName = new Option<string?>("--store") { Description = "Only this store (default: all of the config)", HelpName = "NAME" };
        var dryRun = new Option<bool>("--dry-run", "-n") { Description = "Only show the plan: what would go, what stays, why and until when" };
        var command = new Command("prune", "Removes what each store's rules no longer keep") { storeName, dryRun };
        command.SetAction(async (parsed, cancel) =>
        {
            BackupConfig config = Composition.Config(parsed.GetValue(options.Config), cancel);
            List<PruneReport> reports = [];
            List<PgBackupException> errors = [];
            foreach (BackupStore store in Composition.Stores(config, parsed.GetValue(storeName)))
            {
                try
                {
                    PruneReport report = await ProgressDisplay.ShowAsync(
                        progress => new PruneOperation(store, TimeProvider.System, progress).RunAsync(parsed.GetValue(dryRun), unattended: false, cancel));
                    reports.Add(report);
                    if (!parsed.GetValue(options.Json))
                    {
                        Show(report, parsed.GetValue(dryRun));
                    }
                }
                catch (PgBackupException e)
                {
                    errors.Add(e); // the other stores are pruned all the same
                }
            }

            if (parsed.GetValue(options.Json))
            {
                Terminal.Line(JsonSerializer.Serialize(reports, AppJson.Readable.ListPruneReport));
            }

            return errors.Select(Terminal.Fail).Append(reports.Any(static r => r.Problems.Count > 0) ? 1 : 0).Max();
        });
        return ExamplesHelpAction.Describe(
            command,
            """
            olympus-pgbackup prune --dry-run
            olympus-pgbackup prune --store offsite
            olympus-pgbackup prune --dry-run --json | jq '.[].plan.decisions[] | select(.is_kept | not) | .snapshot.id'
            """,
            """
            0  done
            1  a store cannot be used, not everything could be removed, or something about it forbids removing anything (PGB-0069)
            2  wrong usage or config
            """);
    }

    private static void Show(PruneReport report, bool dryRun)
    {
        Terminal.Line($"{report.Store} ({report.Location}) keeps {report.Plan.Rules}:");
        if (report.Plan.Decisions.Count > 0)
        {
            Terminal.Table(
                ["SNAPSHOT", "STORED", "", "UNTIL", "WHY"],
                [.. report.Plan.Decisions.Select(static d => (IReadOnlyList<string>)
                [
                    d.Snapshot.Id.ToString(), ByteSize.Text(d.Snapshot.Bytes), d.IsKept ? "stays" : "GOES",
                    d.KeptUntil?.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) ?? "", d.Why,
                ])],
                1);
        }

        int going = report.Plan.Removed.Count();
        string what = dryRun ? (going == 0 ? "nothing would go" : $"{going} would go, and free {ByteSize.Text(report.Plan.BytesFreed)}")
            : going == 0 ? "nothing had to go" : $"{report.Removed.Count} removed, {ByteSize.Text(report.Plan.BytesFreed)} freed";
        Terminal.Line($"{what}; {report.Plan.Kept.Count()} {(dryRun ? "would stay" : "stay")}{(report.Swept > 0 ? $"; {report.Swept} rest{(report.Swept == 1 ? "" : "s")} of interrupted runs swept" : "")}\n");
        foreach (string problem in report.Problems)
        {
            Terminal.Message($"FAILED: {report.Store}: {problem}");
        }

        foreach (string note in report.Notes)
        {
            Terminal.Message($"note: {note}");
        }
    }
}
