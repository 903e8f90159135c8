using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Operations.Keys;
using PgBackup.Storage;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>keys</c>: whose private keys decrypt the backups, and are they still there?</summary>
internal static class KeysVerb
{
    private const string ListExamples =
        """
        olympus-pgbackup keys
        olympus-pgbackup keys test --identity escrow.key
        olympus-pgbackup keys --json | jq '.keys[] | [.name, .last_tested]'
        """;

    private const string ListExitCodes =
        """
        0  done, whatever there is to worry about
        1  no store can be read, or the recipients are not known
        2  wrong usage or config, or there are no keys
        """;

    /// <summary>The verb, with <c>list</c> and <c>test</c> below it.</summary>
    public static Command Command(GlobalOptions options)
    {
        var command = new Command("keys", "Whose private keys decrypt the snapshots, until when, and when each was tested last") { List(options), Test(options) };
        command.SetAction((parsed, cancel) => ListAsync(options, parsed, cancel));
        return ExamplesHelpAction.Describe(command, ListExamples, ListExitCodes);
    }

    private static Command List(GlobalOptions options)
    {
        var command = new Command("list", "The same as keys alone");
        command.SetAction((parsed, cancel) => ListAsync(options, parsed, cancel));
        return ExamplesHelpAction.Describe(command, ListExamples, ListExitCodes);
    }

    private static Command Test(GlobalOptions options)
    {
        var id = new Argument<string>("ID") { HelpName = "ID", Description = "A snapshot's id, or latest", DefaultValueFactory = static _ => "latest" };
        id.CompletionSources.Add(static _ => Completions.Snapshots());
        var storeName = new Option<string?>("--store") { Description = "The store to read from (default: the last of the config, off the host)", HelpName = "NAME" };
        IdentityOptions identity = new();
        var command = new Command("test", "Decrypts the canary and one real part with a private key, and records in every store that this key is there") { id, storeName };
        identity.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            BackupConfig config = Composition.Config(parsed.GetValue(options.Config), cancel);
            IReadOnlyList<IObjectStore> stores = [.. Composition.Stores(config).Select(static s => s.Store)];
            IObjectStore from = parsed.GetValue(storeName) is { } name ? Composition.Store(config, name) : stores[^1];
            Identity? key = identity.Read(parsed) ?? Composition.DrillIdentity(config);
            Terminal.LendToPinentry();
            KeyTestReport report = await new KeysOperation(stores, TimeProvider.System).TestAsync(
                parsed.GetValue(id)!, from, manifest => Composition.CipherFor(manifest, config, key), cancel);
            if (parsed.GetValue(options.Json))
            {
                Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.KeyTestReport));
            }
            else
            {
                Show(report);
            }

            return 0;
        });
        return ExamplesHelpAction.Describe(
            command,
            """
            olympus-pgbackup keys test                                 with the config's identity, or gpg's own keyring; gpg-agent may ask for a passphrase
            olympus-pgbackup keys test --identity escrow.key --passphrase-file escrow.txt
            olympus-pgbackup keys test 20260301T030000Z --store local --identity key.txt
            """,
            """
            0  decrypted, equal to what was dumped, and recorded
            1  not decrypted: the message names the keys that would do
            2  wrong usage or config, or there are no keys
            """);
    }

    private static async Task<int> ListAsync(GlobalOptions options, ParseResult parsed, CancellationToken cancel)
    {
        BackupConfig config = Composition.Config(parsed.GetValue(options.Config), cancel);
        var keys = new KeysOperation([.. Composition.Stores(config).Select(static s => s.Store)], TimeProvider.System);
        KeysReport report = await keys.ListAsync(Composition.Cipher(config), cancel);
        if (parsed.GetValue(options.Json))
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.KeysReport));
            return 0;
        }

        Terminal.Table(["KEY", "NAME", "EXPIRES", "LAST TESTED", "BY", "DECRYPTS"], [.. report.Keys.Select(k => Row(k, report.Snapshot))]);
        foreach (string warning in report.Warnings)
        {
            Terminal.Line($"note: {warning}");
        }

        return 0;
    }

    private static IReadOnlyList<string> Row(KeyState key, string? newest) =>
    [
        KeyWarnings.Short(key.Fingerprint),
        key.Name == key.Fingerprint ? "" : KeyWarnings.Short(key.Name),
        key.Expires is { } at ? Day(at) : "never",
        key.LastTested is { } last ? $"{Day(last)} ({Terminal.Age(TimeProvider.System.GetUtcNow() - last)} ago)" : "never",
        key.LastTest is { } test ? $"{test.How} on {test.Host}" : "",
        (key.InConfig, key.InSnapshot) switch
        {
            (not true, false) => Older(key),
            (false, true) => $"{newest}, not the next one",
            (true, false) => "the next one",
            (true, true) => $"{newest} and the next one",
            (null, true) => newest ?? "",
        },
    ];

    private static string Older(KeyState key) =>
        key.Snapshots == 1 ? $"only {key.LastSnapshot}" : string.Create(CultureInfo.InvariantCulture, $"{key.Snapshots} snapshots, the last {key.LastSnapshot}");

    private static void Show(KeyTestReport report)
    {
        string canary = report.Canary ? "the canary and " : "";
        Terminal.Line(string.Create(
            CultureInfo.InvariantCulture,
            $"{report.Snapshot} in {report.Store} ({report.Location}): {canary}{report.Part} decrypted, {ByteSize.Text(report.Bytes)}, equal to what was dumped{(report.Canary ? "" : " (this store has no canary for these recipients yet; the next run writes one)")}"));
        foreach (KeyTest test in report.Tests)
        {
            string name = test.Name == test.Fingerprint ? "" : $" ({KeyWarnings.Short(test.Name)})";
            Terminal.Line($"tested: the private key of {KeyWarnings.Short(test.Fingerprint)}{name}, recorded in {string.Join(", ", report.RecordedIn)}");
        }

        foreach (string warning in report.Warnings)
        {
            Terminal.Line($"note: {warning}");
        }
    }

    private static string Day(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
