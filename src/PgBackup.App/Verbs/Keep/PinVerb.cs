using System.CommandLine;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Operations;
using PgBackup.Operations.Prune;

namespace PgBackup.App.Verbs.Keep;

/// <summary><c>pin</c> and <c>unpin</c>: keep a snapshot whatever the rules say.</summary>
internal static class PinVerb
{
    private const string ExitCodes =
        """
        0  done, in every store that holds the snapshot
        1  no store holds it, or one cannot be used
        2  wrong usage or config
        """;

    /// <summary>Keep it.</summary>
    public static Command Pin(GlobalOptions options)
    {
        var note = new Option<string>("--note") { Description = "Why", HelpName = "TEXT", DefaultValueFactory = static _ => "pinned" };
        Command command = Make(options, "pin", "Keeps a snapshot, in every store that holds it, until it is unpinned", parsed => parsed.GetValue(note), "is pinned");
        command.Options.Add(note);
        return ExamplesHelpAction.Describe(
            command,
            """
            olympus-pgbackup pin latest --note "before the migration"
            olympus-pgbackup pin 20260301T030000Z
            """,
            ExitCodes);
    }

    /// <summary>Leave it to the rules again.</summary>
    public static Command Unpin(GlobalOptions options) => ExamplesHelpAction.Describe(
        Make(options, "unpin", "Leaves a pinned snapshot to the rules of its stores again", static _ => null, "is not pinned"),
        "olympus-pgbackup unpin 20260301T030000Z",
        ExitCodes);

    private static Command Make(GlobalOptions options, string verb, string description, Func<ParseResult, string?> note, string state)
    {
        var id = new Argument<string>("ID") { HelpName = "ID", Description = "A snapshot's id, or latest" };
        id.CompletionSources.Add(static _ => Completions.Snapshots());
        var storeName = new Option<string?>("--store") { Description = "Only in this store (default: all of the config)", HelpName = "NAME" };
        var command = new Command(verb, description) { id, storeName };
        command.SetAction(async (parsed, cancel) =>
        {
            IReadOnlyList<BackupStore> stores = Composition.Stores(Composition.Config(parsed.GetValue(options.Config), cancel), parsed.GetValue(storeName));
            PinReport report = await new PinOperation(stores).RunAsync(parsed.GetValue(id)!, note(parsed), cancel);
            Terminal.Line(parsed.GetValue(options.Json)
                ? JsonSerializer.Serialize(report, AppJson.Readable.PinReport)
                : $"{report.Id} {state} in {string.Join(", ", report.Stores)}.");
            return 0;
        });
        return command;
    }
}
