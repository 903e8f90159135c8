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
        var readData = new Option<bool>("--read-data") { Description = "Read every stored byte and compare its digest; where a private key is at hand also decrypt and decode (--identity always does)" };
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
            CheckDepth depth = key is not null ? CheckDepth.Decode : parsed.GetValue(readData) ? CheckDepth.ReadData : CheckDepth.Present;
            IReadOnlyList<SnapshotCheck> results = await CheckAsync(config, store, snapshot, depth, key, cancel);
            if (parsed.GetValue(options.Json))
            {
                Terminal.Line(JsonSerializer.Serialize(results, AppJson.Readable.IReadOnlyListSnapshotCheck));
            }
            else
            {
                Show(results, depth);
            }

            return results.Count > 0 && results.All(static r => r.Problems.Count == 0) ? 0 : 1;
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
            1  something is damaged or missing, or the identity does not decrypt it
            2  wrong usage or config
            """);
    }

    private static async Task<IReadOnlyList<SnapshotCheck>> CheckAsync(
        BackupConfig config, IObjectStore store, string? snapshot, CheckDepth depth, Identity? key, CancellationToken cancel)
    {
        FoundTools? tools = null;
        try
        {
            return await ProgressDisplay.ShowAsync(progress => new CheckOperation(
                store,
                manifest => Composition.CipherFor(manifest, config, key),
                async (major, c) => (tools ??= await Composition.ToolsToReadAsync(config, major, c)).Tools,
                progress).RunAsync(snapshot, depth, cancel));
        }
        finally
        {
            if (tools is not null)
            {
                await tools.DisposeAsync();
            }
        }
    }

    private static void Show(IReadOnlyList<SnapshotCheck> results, CheckDepth depth)
    {
        foreach (SnapshotCheck result in results)
        {
            string how = result.Decoded ? $"{ByteSize.Text(result.BytesRead)} read, decrypted and decoded, equal to the proof"
                : depth == CheckDepth.ReadData ? $"{ByteSize.Text(result.BytesRead)} read, digests right (not decrypted: no usable private key here)"
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
