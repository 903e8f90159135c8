using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Installations;
using PgBackup.Notifications;
using PgBackup.Operations;
using PgBackup.Operations.Keys;
using PgBackup.Snapshots;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>keys</c>: whose private keys decrypt the backups, and are they still there?</summary>
internal static class KeysVerb
{
    /// <summary>The verb, with <c>list</c> and <c>test</c> below it.</summary>
    public static Command Command(GlobalOptions options, Aftermath aftermath)
    {
        VerbCommand command = List(
            options,
            "keys",
            "Shows whose private keys decrypt the snapshots, until when, and when each was tested last"
        );
        var notify = new Option<bool>("--notify")
        {
            Description = "Remind those whom `notify:` of the config names to test the private keys",
        };
        command.Add(notify);
        command.SetAction(
            (parsed, cancel) =>
                parsed.GetValue(notify) ? RemindAsync(options, aftermath, parsed, cancel) : ListAsync(options, parsed, cancel)
        );
        foreach (Command below in (Command[])[List(options, "list", "The same as keys alone"), Test(options)])
        {
            below.Validators.Add(result =>
            {
                if (result.GetResult(notify) is { Implicit: false })
                {
                    result.AddError($"`keys {below.Name}` has no --notify.");
                }
            });
            command.Add(below);
        }

        return command;
    }

    private static VerbCommand List(GlobalOptions options, string name, string description)
    {
        var command = new VerbCommand(name, description)
        {
            Examples = """
                olympus-pgbackup keys
                olympus-pgbackup keys test --identity escrow.key
                olympus-pgbackup keys --json | jq '.keys[] | [.name, .last_tested]'
                """,
            ExitCodes = """
                0  done, even if there are warnings
                1  no store can be read, or the recipients are not known
                2  wrong usage or config, or there are no keys
                """,
        };
        command.SetAction((parsed, cancel) => ListAsync(options, parsed, cancel));
        return command;
    }

    private static Command Test(GlobalOptions options)
    {
        Argument<string> id = VerbOptions.Snapshot();
        Option<string?> storeName = VerbOptions.Store("The store to read from (default: the last of the config, off the host)");
        IdentityOptions identity = new();
        var command = new VerbCommand(
            "test",
            "Decrypts the canary and one real part with a private key, and records in every store that this key works"
        )
        {
            Examples = """
                olympus-pgbackup keys test              with the config's identity, or gpg's own keyring; gpg-agent may ask for a passphrase
                olympus-pgbackup keys test --identity escrow.key --passphrase-file escrow.txt
                olympus-pgbackup keys test 20260301T030000Z --store local --identity key.txt
                """,
            ExitCodes = """
                0  decrypted, equal to what was dumped, and recorded
                1  not decrypted: the message names the keys that can
                2  wrong usage or config, or there are no keys
                """,
        };
        command.Add(id);
        command.Add(storeName);
        identity.AddTo(command);
        command.SetAction(
            async (parsed, cancel) =>
            {
                Installation installation = options.ReadStores(parsed, cancel);
                BackupStore from = parsed.GetValue(storeName) is { } name ? installation.Store(name) : installation.Stores()[^1];
                Identity? key = identity.Read(parsed) ?? installation.DrillIdentity;
                Terminal.LendToPinentry();
                KeyTestReport report = await installation
                    .Keys(ProgressDisplay.Plain)
                    .TestAsync(
                        SnapshotRef.Parse(parsed.GetValue(id)!),
                        from.Store,
                        manifest => installation.CipherFor(manifest, key),
                        cancel
                    );
                if (parsed.GetValue(options.Json))
                {
                    Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.KeyTestReport));
                }
                else
                {
                    Show(report);
                }

                return 0;
            }
        );
        return command;
    }

    private static async Task<int> RemindAsync(GlobalOptions options, Aftermath aftermath, ParseResult parsed, CancellationToken cancel)
    {
        Installation installation = options.ReadStores(parsed, cancel);
        if (installation.Config.Notify.All(static c => c.IsDeadMansSwitch))
        {
            throw new PgBackupException(ErrorCode.Usage, "the config names nobody to remind.", "Write `notify:` (docs/notices.md).");
        }

        KeysReport report = await installation.Keys(ProgressDisplay.Plain).ListAsync(installation.Cipher(), cancel);
        NotifyOperation operation = installation.Notify();
        await aftermath.HandOverAsync(operation, NotifySettings.Of(installation.Config), await operation.RemindAsync(report), cancel);
        if (parsed.GetValue(options.Json))
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.KeysReport));
        }

        return 0;
    }

    private static async Task<int> ListAsync(GlobalOptions options, ParseResult parsed, CancellationToken cancel)
    {
        Installation installation = options.ReadStores(parsed, cancel);
        KeysReport report = await installation.Keys(ProgressDisplay.Plain).ListAsync(installation.Cipher(), cancel);
        if (parsed.GetValue(options.Json))
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.KeysReport));
            return 0;
        }

        DateTimeOffset now = installation.Clock.GetUtcNow();
        Terminal.Table(
            ["KEY", "NAME", "EXPIRES", "LAST TESTED", "BY", "DECRYPTS"],
            [.. report.Keys.Select(k => Row(k, report.Snapshot, now))]
        );
        FindingText.Line(report.Findings);

        return 0;
    }

    private static IReadOnlyList<string> Row(KeyState key, string? newest, DateTimeOffset now) =>
        [
            KeyFindings.Short(key.Fingerprint),
            key.Name == key.Fingerprint ? "" : KeyFindings.Short(key.Name),
            key.Expires is { } at ? Day(at) : "never",
            key.LastTested is { } last ? $"{Day(last)} ({Terminal.Age(now - last)} ago)" : "never",
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
        key.Snapshots == 1
            ? $"only {key.LastSnapshot}"
            : string.Create(CultureInfo.InvariantCulture, $"{key.Snapshots} snapshots, the last {key.LastSnapshot}");

    private static void Show(KeyTestReport report)
    {
        string canary = report.Canary ? "the canary and " : "";
        Terminal.Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{report.Snapshot} in {report.Store} ({report.Location}): {canary}{report.Part} decrypted, "
                    + $"{ByteSize.Text(report.Bytes)}, equal to what was "
                    + $"dumped{(report.Canary ? "" : " (this store has no canary for these recipients yet; the next run writes one)")}"
            )
        );
        foreach (KeyTest test in report.Tests)
        {
            string name = test.Name == test.Fingerprint ? "" : $" ({KeyFindings.Short(test.Name)})";
            Terminal.Line(
                $"tested: the private key of {KeyFindings.Short(test.Fingerprint)}{name}, recorded in "
                    + $"{string.Join(", ", report.RecordedIn)}"
            );
        }

        FindingText.Line(report.Findings);
    }

    private static string Day(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
