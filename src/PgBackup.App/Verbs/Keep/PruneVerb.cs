using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Host;
using PgBackup.Installations;
using PgBackup.Operations.Prune;

namespace PgBackup.App.Verbs.Keep;

/// <summary><c>prune</c>: removes what the rules of a store no longer keep, and shows why.</summary>
internal static class PruneVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        Option<string?> storeName = VerbOptions.Store("Only this store (default: all of the config)");
        var dryRun = new Option<bool>("--dry-run", "-n")
        {
            Description = "Only show the plan: what would go, what stays, why and until when",
        };
        var command = new VerbCommand("prune", "Removes what each store's rules no longer keep")
        {
            Examples = """
                olympus-pgbackup prune --dry-run
                olympus-pgbackup prune --store offsite
                olympus-pgbackup prune --dry-run --json | jq '.[].plan.decisions[] | select(.is_kept | not) | .snapshot.id'
                """,
            ExitCodes = """
                0  done
                1  a store cannot be used, not everything could be removed, or nothing may be removed (PGB-0069)
                2  wrong usage or config
                """,
        };
        command.Add(storeName);
        command.Add(dryRun);
        command.SetAction(
            async (parsed, cancel) =>
            {
                Installation installation = options.ReadStores(parsed, cancel);
                bool only = parsed.GetValue(dryRun);
                StoresPruneReport report = await ProgressDisplay.ShowAsync(
                    installation.Clock,
                    progress => installation.Prune(parsed.GetValue(storeName), progress).RunAsync(only, cancel)
                );
                if (parsed.GetValue(options.Json))
                {
                    Terminal.Line(JsonSerializer.Serialize(report.Reports, AppJson.Readable.IReadOnlyListPruneReport));
                }
                else
                {
                    foreach (PruneReport one in report.Reports)
                    {
                        Show(one, only);
                    }
                }

                return report.Errors.Select(static e => Terminal.Fail(e.Error)).Append(report.Succeeded ? 0 : 1).Max();
            }
        );
        return command;
    }

    private static void Show(PruneReport report, bool dryRun)
    {
        Terminal.Line($"{report.Store} ({report.Location}) keeps {report.Plan.Rules}:");
        if (report.Plan.Decisions.Count > 0)
        {
            Terminal.Table(
                ["SNAPSHOT", "STORED", "", "UNTIL", "WHY"],
                [
                    .. report.Plan.Decisions.Select(static d =>
                        (IReadOnlyList<string>)
                            [
                                d.Snapshot.Id.ToString(),
                                ByteSize.Text(d.Snapshot.Bytes),
                                d.IsKept ? "stays" : "GOES",
                                d.KeptUntil?.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) ?? "",
                                d.Why,
                            ]
                    ),
                ],
                1
            );
        }

        int going = report.Plan.Removed.Count();
        string what =
            dryRun ? (going == 0 ? "nothing would go" : $"{going} would go, and free {ByteSize.Text(report.Plan.BytesFreed)}")
            : going == 0 ? "nothing had to go"
            : $"{report.Removed.Count} removed, {ByteSize.Text(report.Plan.BytesFreed)} freed";
        string swept = report.Swept > 0 ? $"; {Words.Count(report.Swept, "rest")} of interrupted runs swept" : "";
        Terminal.Line($"{what}; {report.Plan.Kept.Count()} {(dryRun ? "would stay" : "stay")}{swept}\n");
        FindingText.Message(report.Findings);
    }
}
