using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Operations;
using PgBackup.Operations.Drill;
using PgBackup.Snapshots;

namespace PgBackup.App.Verbs.Restore;

/// <summary><c>drill</c>: a rehearsed restore, with evidence.</summary>
internal static class DrillVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var id = new Argument<string>("ID") { HelpName = "ID", Description = "A snapshot's id, or latest", DefaultValueFactory = static _ => "latest" };
        id.CompletionSources.Add(static _ => Completions.Snapshots());
        var storeName = new Option<string?>("--store") { Description = "The store to restore from (default: the last of the config, off the host)", HelpName = "NAME" };
        var keep = new Option<bool>("--keep") { Description = "Leave the scratch server running, and say how to reach and remove it" };
        var list = new Option<bool>("--list") { Description = "Only list the drills that were held" };
        IdentityOptions identity = new();
        var command = new Command("drill", "Rehearses a restore into a scratch server: compared, questioned, timed, with a report in every store") { id, storeName, keep, list };
        identity.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            BackupConfig config = Composition.Config(parsed.GetValue(options.Config), cancel);
            IReadOnlyList<BackupStore> stores = Composition.Stores(config);
            BackupStore from = parsed.GetValue(storeName) is { } name ? Composition.Stores(config, name)[0] : stores[^1];
            bool json = parsed.GetValue(options.Json);
            if (parsed.GetValue(list))
            {
                ShowList(await DrillOperation.ListAsync(from.Store, 50, cancel), from, json);
                return 0;
            }

            Identity? key = identity.Read(parsed) ?? Composition.DrillIdentity(config);
            DrillOperation? drill = null;
            DrillReport report = await ProgressDisplay.ShowAsync(progress =>
            {
                drill = new DrillOperation(config.Drill, stores, config.Cluster, manifest => Composition.CipherFor(manifest, config, key), TimeProvider.System, progress);
                return drill.RunAsync(new DrillRequest { Snapshot = parsed.GetValue(id)!, From = from, Keep = parsed.GetValue(keep) }, cancel);
            });
            if (json)
            {
                Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.DrillReport));
            }
            else
            {
                Show(report);
            }

            if (drill!.Kept is { } kept)
            {
                Terminal.Message(kept);
            }

            return report.Passed ? 0 : Terminal.Fail(new PgBackupException(
                ErrorCode.DrillFailed, $"the drill failed: {string.Join("; ", report.Failures)}", $"The whole report is in the stores: {SnapshotLayout.Drills}/{SnapshotId.At(report.Started)}.md."));
        });
        return ExamplesHelpAction.Describe(
            command,
            """
            olympus-pgbackup drill --identity key.txt
            olympus-pgbackup drill 20260301T030000Z --store local --keep
            olympus-pgbackup drill --list
            """,
            """
            0  restored, equal, every check passed, no application key wrong, within drill.rto and drill.rpo
            1  not so; the report says what
            2  wrong usage or config
            """);
    }

    private static void Show(DrillReport report)
    {
        foreach (string note in report.Notes)
        {
            Terminal.Message($"note: {note}");
        }

        if (report.Databases.Count == 0)
        {
            Terminal.Line($"The drill FAILED: {report.Snapshot} from {report.Store} ({report.Location}) was not restored.");
            return;
        }

        Terminal.Table(
            ["DATABASE", "TABLES", "ROWS", "RESTORE", "COMPARE", "VERDICT"],
            [.. report.Databases.Select(static d => (IReadOnlyList<string>)
            [
                d.Name, d.Tables.ToString(CultureInfo.InvariantCulture), d.Rows.ToString("N0", CultureInfo.InvariantCulture), Terminal.Span(d.RestoreSeconds), Terminal.Span(d.CompareSeconds), d.Verdict,
            ])],
            1, 2, 3, 4);
        Terminal.Line();
        Terminal.Table(
            ["CHECK", "DATABASE", "ANSWER", "EXPECTED", ""],
            [.. report.Checks.Select(static c => (IReadOnlyList<string>)[c.Name, c.Database, c.Answer ?? c.Problem ?? "nothing", c.Expected ?? "", c.Expected is null ? "" : c.Passed ? "ok" : "FAILED"])]);
        Terminal.Line();
        if (report.ApplicationKeys.Count > 0)
        {
            Terminal.Table(
                ["APPLICATION KEY", "DATABASE", "TABLE", "VALUES", "VERDICT", ""],
                [.. report.ApplicationKeys.Select(static k => (IReadOnlyList<string>)[k.Service, k.Database, k.Table, k.Values?.ToString("N0", CultureInfo.InvariantCulture) ?? "", k.Verdict, k.Detail])],
                3);
            Terminal.Line();
        }

        Terminal.Table(["PHASE", "TIME"], [.. report.Phases.Select(static p => (IReadOnlyList<string>)[p.Name, Terminal.Span(p.Seconds)])], 1);
        Terminal.Line(string.Create(
            CultureInfo.InvariantCulture,
            $"\nThe drill {(report.Passed ? "passed" : "FAILED")}: {report.Snapshot} from {report.Store} ({report.Location}) restored in {Terminal.Span(report.RestoreSeconds)} (RTO {Terminal.Span(report.RtoSeconds)}), with the rest deployed {Terminal.Span(report.RecoverySeconds)}; newest data {Terminal.Age(TimeSpan.FromSeconds(report.DataAgeSeconds))} old (RPO {Terminal.Age(TimeSpan.FromSeconds(report.RpoSeconds))})."));
        string[] untested = [.. report.ApplicationKeys.Where(static k => k.Verdict is DrillKey.NotTested or DrillKey.NotTestable).Select(static k => $"{k.Database} ({k.Table})")];
        if (report.ApplicationKeys.Count == 0 || untested.Length > 0)
        {
            Terminal.Line($"Not tested: whether the applications' own keys decrypt what they stored encrypted{(untested.Length > 0 ? " in " + string.Join(", ", untested) : "")}.");
        }
    }

    private static void ShowList(IReadOnlyList<DrillReport> drills, BackupStore store, bool json)
    {
        if (json)
        {
            Terminal.Line(JsonSerializer.Serialize(drills, AppJson.Readable.IReadOnlyListDrillReport));
            return;
        }

        if (drills.Count == 0)
        {
            Terminal.Line($"No drill was held yet, as far as {store.Store.Name} ({store.Store.Location}) knows. `olympus-pgbackup drill` holds one.");
            return;
        }

        Terminal.Table(
            ["DRILL", "SNAPSHOT", "STORE", "RESTORE", "RTO", "RESULT"],
            [.. drills.Select(static d => (IReadOnlyList<string>)
            [
                d.Started.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture), d.Snapshot, d.Store, d.Databases.Count > 0 ? Terminal.Span(d.RestoreSeconds) : "none", Terminal.Span(d.RtoSeconds),
                d.Passed ? "passed" : "FAILED: " + d.Failures[0],
            ])],
            3, 4);
    }
}
