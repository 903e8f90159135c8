using System.CommandLine;
using System.Text.Json;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Operations;
using PgBackup.Postgres;
using PgBackup.Storage;

namespace PgBackup.App.Verbs;

/// <summary><c>check</c>: is what the manifests promise really there?</summary>
internal static class CheckVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var id = new Argument<string?>("ID") { HelpName = "ID", Description = "A snapshot's id, or latest (the default)", Arity = ArgumentArity.ZeroOrOne };
        id.CompletionSources.Add(static _ => Completions.Snapshots());
        var all = new Option<bool>("--all") { Description = "Every snapshot of the store" };
        var storeName = new Option<string?>("--store") { Description = "The store to check (default: the first)", HelpName = "NAME" };
        var readData = new Option<bool>("--read-data") { Description = "Read every stored byte and compare its digest; with an identity also decrypt and decode" };
        IdentityOptions identity = new();
        var command = new Command("check", "Are the objects of a snapshot there, whole, and (with an identity) decodable?") { id, all, storeName, readData };
        identity.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            if (parsed.GetValue(all) && parsed.GetValue(id) is not null)
            {
                throw new PgBackupException(ErrorCode.Usage, "an ID and --all exclude each other.", "Write one of them.");
            }

            BackupConfig config = Composition.Config(parsed.GetValue(options.Config));
            IObjectStore store = Composition.Store(config, parsed.GetValue(storeName));
            string? snapshot = parsed.GetValue(all) ? null : parsed.GetValue(id) ?? "latest";
            Identity? key = identity.Read(parsed);
            bool decode = key is not null || (parsed.GetValue(readData) && Composition.ConfiguredIdentity(config) is not null);
            IReadOnlyList<SnapshotCheck> results = await CheckAsync(config, store, snapshot, parsed.GetValue(readData), decode, key, cancel);
            if (parsed.GetValue(options.Json))
            {
                Terminal.Line(JsonSerializer.Serialize(results, AppJson.Readable.IReadOnlyListSnapshotCheck));
            }
            else
            {
                Show(results, parsed.GetValue(readData));
            }

            return results.All(static r => r.Problems.Count == 0) ? 0 : 1;
        });
        return ExamplesHelpAction.Describe(
            command,
            """
            olympus-pgbackup check                                   presence and sizes of the newest snapshot
            olympus-pgbackup check --all --read-data                 every byte of every snapshot
            olympus-pgbackup check latest --identity ~/key.txt       decrypts and decodes it, down to the proof
            """,
            """
            0  everything that was looked at is right
            1  something is damaged or missing
            2  wrong usage or config
            """);
    }

    /// <summary>Runs the check, with a display; the demo does the same.</summary>
    public static async Task<IReadOnlyList<SnapshotCheck>> CheckAsync(
        BackupConfig config, IObjectStore store, string? snapshot, bool readData, bool decode, Identity? key, CancellationToken cancel)
    {
        FoundTools? tools = null;
        try
        {
            return await ProgressDisplay.ShowAsync(progress => new CheckOperation(
                store,
                decode ? manifest => Composition.CipherFor(manifest, config, key) : null,
                async (major, c) => (tools ??= await Composition.ToolsToReadAsync(config, major, c)).Tools,
                progress).RunAsync(snapshot, readData, cancel));
        }
        finally
        {
            if (tools is not null)
            {
                await tools.DisposeAsync();
            }
        }
    }

    /// <summary>Prints what was found.</summary>
    public static void Show(IReadOnlyList<SnapshotCheck> results, bool readData)
    {
        foreach (SnapshotCheck result in results)
        {
            string how = result.Decoded ? $"{ByteSize.Text(result.BytesRead)} read, decrypted and decoded, equal to the proof"
                : readData ? $"{ByteSize.Text(result.BytesRead)} read, digests right"
                : "present, sizes right (--read-data reads every byte)";
            string incomplete = result.IsComplete || result.Problems.Count > 0 ? "" : " (an incomplete snapshot)";
            Terminal.Line(result.Problems.Count == 0 ? $"{result.Id} ok: {how}{incomplete}" : $"{result.Id} DAMAGED:");
            foreach (string problem in result.Problems)
            {
                Terminal.Line($"  {problem}");
            }
        }

        if (results.Count == 0)
        {
            Terminal.Line("There are no snapshots to check.");
        }
    }
}
