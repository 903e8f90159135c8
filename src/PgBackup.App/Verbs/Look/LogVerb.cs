using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Records;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>log</c>: what was done, by whom, and how it ended.</summary>
internal static class LogVerb
{
    // A screen.
    private const int UsuallyShown = 30;

    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var name = new Argument<string?>("NAME")
        {
            HelpName = "NAME",
            Description = "Show one record whole: its name, or its time if no other record has it",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var last = new Option<int>("--last")
        {
            Description = "How many records, the newest first",
            HelpName = "N",
            DefaultValueFactory = static _ => UsuallyShown,
        };
        last.Validators.Add(result =>
        {
            if (
                result.Tokens is [var token]
                && !(int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n > 0)
            )
            {
                result.AddError($"--last \"{token.Value}\" is no number of records: write 1 or more.");
            }
        });
        string[] kinds = [.. RecordKinds.Known.Select(static k => k.Word())];
        var kind = new Option<string?>("--kind")
        {
            Description = $"Only records of this kind: {string.Join(", ", kinds)}",
            HelpName = "KIND",
        };
        kind.AcceptOnlyFromAmong(kinds);
        Option<string?> store = VerbOptions.Store("Only the records in this store (default: those of all stores, each once)");
        var command = new VerbCommand("log", "Shows the records: what was done, when, by whom, and how it ended")
        {
            Examples = """
                olympus-pgbackup log
                olympus-pgbackup log --kind restore --last 5
                olympus-pgbackup log 20260301T030000Z
                olympus-pgbackup log --json | jq '.[].record | select(.result != "ok") | .summary'
                """,
            ExitCodes = """
                0  done, even if some records cannot be read
                1  no store can be read
                2  wrong usage or config, or there is no such record
                """,
        };
        command.Add(name);
        command.Add(last);
        command.Add(kind);
        command.Add(store);
        command.SetAction(
            (parsed, cancel) =>
            {
                RecordLog log = options.ReadStores(parsed, cancel).Log(parsed.GetValue(store));
                RecordKind? only = parsed.GetValue(kind) is { } word ? RecordKinds.Of(word) : null;
                bool json = parsed.GetValue(options.Json);
                if (parsed.GetValue(name) is not { } one)
                {
                    return ListAsync(log, parsed.GetValue(last), only, json, cancel);
                }

                return only is null && parsed.GetResult(last) is not { Implicit: false }
                    ? ShowAsync(log, one, json, cancel)
                    : throw new PgBackupException(
                        ErrorCode.Usage,
                        "NAME shows one record: --kind and --last choose among all.",
                        "Leave one out."
                    );
            }
        );
        return command;
    }

    private static async Task<int> ListAsync(RecordLog log, int last, RecordKind? only, bool json, CancellationToken cancel)
    {
        RecordListing listing = await log.ListAsync(last, only, cancel);
        FindingText.Message(listing.Findings);
        if (json)
        {
            List<LoggedRecord> records = [.. listing.Entries.Select(LoggedRecord.Of)];
            Terminal.Line(JsonSerializer.Serialize(records, AppJson.Readable.ListLoggedRecord));
        }
        else
        {
            LogText.ShowTable(listing.Entries);
        }

        return 0;
    }

    private static async Task<int> ShowAsync(RecordLog log, string name, bool json, CancellationToken cancel)
    {
        RecordListing listing = await log.FindAsync(name, cancel);
        FindingText.Message(listing.Findings);
        if (json)
        {
            Terminal.Line(JsonSerializer.Serialize(LoggedRecord.Of(listing.Entries[0]), AppJson.Readable.LoggedRecord));
        }
        else
        {
            LogText.ShowOne(listing.Entries[0]);
        }

        return 0;
    }
}
