using System.CommandLine;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Installations;
using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Records;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>check</c>: is what the manifests promise really there?</summary>
internal static class CheckVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var own = new CheckOptions();
        var command = new VerbCommand(
            "check",
            "Checks in every store that the objects of a snapshot exist, are whole, and (with an identity) can be decoded"
        )
        {
            Examples = """
                olympus-pgbackup check                                   presence and sizes of the newest snapshot, in every store
                olympus-pgbackup check --all --read-data --store offsite every byte of every snapshot of one store
                olympus-pgbackup check --all --read-data --repair        and repair from good copies in other stores
                olympus-pgbackup check latest --identity ~/key.txt       decrypts and decodes it, down to the proof
                """,
            ExitCodes = """
                0  everything that was checked is right
                1  something is damaged, missing or was repaired, a store lacks snapshots, or the identity does not decrypt it
                2  wrong usage or config
                """,
        };
        own.AddTo(command);
        command.SetAction((parsed, cancel) => RunAsync(options, own, parsed, cancel));
        return command;
    }

    private static async Task<int> RunAsync(GlobalOptions options, CheckOptions own, ParseResult parsed, CancellationToken cancel)
    {
        CheckArguments given = own.Read(parsed);
        Installation installation = options.ReadStores(parsed, cancel);
        Identity? key = own.Identity.Read(parsed);
        IReadOnlyList<BackupStore> stores = installation.Stores(given.Store);
        CheckReport report = await CheckAsync(installation, stores, given, key, cancel);
        if (parsed.GetValue(options.Json))
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.CheckReport));
        }
        else
        {
            CheckText.Show(report, given.DepthWith(key), stores.Count > 1);
        }

        return report.IsRight ? 0 : 1;
    }

    private static async Task<CheckReport> CheckAsync(
        Installation installation,
        IReadOnlyList<BackupStore> stores,
        CheckArguments given,
        Identity? key,
        CancellationToken cancel
    )
    {
        CheckDepth depth = given.DepthWith(key);
        using CheckJournal? journal =
            depth == CheckDepth.Present ? null : CheckJournal.Open(JournalFile(installation.Config), given.Resume);
        if (given.Resume && journal is { Remembered: > 0 })
        {
            Terminal.Message($"resuming: {journal.Remembered} objects were already found right");
        }

        await using DecodingTools tools = installation.ToolsToDecode(given.ToolsImage);
        return await ProgressDisplay.ShowAsync(
            installation.Clock,
            async progress =>
            {
                StoresCheck check = installation.Check(stores, key, tools, journal, given.Repair, progress);
                CheckReport report = await check.RunAsync(given.Snapshot, depth, cancel);
                journal?.Finish();
                return report;
            }
        );
    }

    private static string JournalFile(BackupConfig config) => Path.Combine(StateFolder.Find(), $"check-{config.Cluster}");
}
