using System.CommandLine;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Encryption;
using PgBackup.Installations;
using PgBackup.Operations;
using PgBackup.Operations.Drill;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.App.Verbs.Restore;

/// <summary><c>drill</c>: a rehearsed restore, with evidence.</summary>
internal static class DrillVerb
{
    // Almost a year of weekly drills.
    private const int MostListed = 50;

    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var own = new DrillOptions();
        var command = new VerbCommand(
            "drill",
            "Rehearses a restore into a scratch server: compares, asks questions, measures times, and reports to every store"
        )
        {
            Examples = """
                olympus-pgbackup drill --identity key.txt
                olympus-pgbackup drill 20260301T030000Z --store local --keep
                olympus-pgbackup drill --list
                olympus-pgbackup drill --show 20260301T050000Z
                """,
            ExitCodes = """
                0  restored, equal, every check passed, no application key wrong, within drill.rto and drill.rpo
                1  the drill failed; the report says why
                2  wrong usage or config
                """,
        };
        own.AddTo(command);
        command.SetAction((parsed, cancel) => RunAsync(options, own, parsed, cancel));
        return command;
    }

    private static async Task<int> RunAsync(GlobalOptions options, DrillOptions own, ParseResult parsed, CancellationToken cancel)
    {
        Installation installation = options.ReadStores(parsed, cancel);
        DrillArguments given = own.Read(parsed);
        BackupStore from = given.Store is { } name ? installation.Store(name) : installation.Stores()[^1];
        bool json = parsed.GetValue(options.Json);
        if (given.List || given.Show)
        {
            own.RequireAlone(parsed, given);
        }

        if (given.List)
        {
            await ListAsync(from.Store, json, cancel);
            return 0;
        }

        if (given.Show)
        {
            await ShowAsync(installation, given, json, cancel);
            return 0;
        }

        Identity? key = own.Identity.Read(parsed) ?? installation.DrillIdentity;
        var request = new DrillRequest
        {
            Snapshot = SnapshotRef.Parse(given.Snapshot),
            From = from,
            Keep = given.Keep,
        };
        DrillOperation? drill = null;
        DrillReport report = await ProgressDisplay.ShowAsync(
            installation.Clock,
            progress =>
            {
                drill = installation.Drill(key, progress);
                return drill.RunAsync(request, cancel);
            }
        );
        if (json)
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.DrillReport));
        }
        else
        {
            DrillText.Show(report);
        }

        if (drill!.Kept is { } kept)
        {
            Terminal.Message(kept);
        }

        return report.Passed
            ? 0
            : Terminal.Fail(
                new PgBackupException(
                    ErrorCode.DrillFailed,
                    "the drill failed: "
                        + string.Join("; ", report.Failures.Select(static f => $"{PgBackupException.CodeTextOf(f.Code)}: {f.Fact}")),
                    $"The whole report is in the stores: {SnapshotLayout.Drills}/{SnapshotId.At(report.Started)}.md."
                )
            );
    }

    private static async Task ShowAsync(Installation installation, DrillArguments given, bool json, CancellationToken cancel)
    {
        SnapshotId? time = given.ShowTime is not { } typed
            ? null
            : SnapshotId.TryParse(typed)
                ?? throw new PgBackupException(
                    ErrorCode.Usage,
                    $"--show \"{typed}\" is not the time of a drill.",
                    "Write one as `olympus-pgbackup drill --list` shows it: 20260301T050000Z."
                );
        DrillReports reports = installation.DrillReports(given.Store, ProgressDisplay.Plain);
        Terminal.Line(
            json
                ? JsonSerializer.Serialize(await reports.ReadAsync(time, cancel), AppJson.Readable.DrillReport)
                : (await reports.ReadTextAsync(time, cancel)).TrimEnd('\n')
        );
    }

    private static async Task ListAsync(IObjectStore store, bool json, CancellationToken cancel)
    {
        IReadOnlyList<DrillReport> drills = await DrillRecord.ListAsync(store, MostListed, cancel);
        if (json)
        {
            Terminal.Line(JsonSerializer.Serialize(drills, AppJson.Readable.IReadOnlyListDrillReport));
        }
        else
        {
            DrillText.ShowList(drills, store);
        }
    }
}
