using System.CommandLine;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Operations.Prune;
using PgBackup.Snapshots;

namespace PgBackup.App.Verbs.Keep;

/// <summary><c>pin</c> and <c>unpin</c>: keep a snapshot whatever the rules say.</summary>
internal static class PinVerb
{
    private const string ExitCodes = """
        0  done, in every store that holds the snapshot
        1  no store holds it, or one cannot be used
        2  wrong usage or config
        """;

    /// <summary>Keep it.</summary>
    public static Command Pin(GlobalOptions options)
    {
        var note = new Option<string>("--note")
        {
            Description = "Why",
            HelpName = "TEXT",
            DefaultValueFactory = static _ => "pinned",
        };
        var command = new VerbCommand("pin", "Keeps a snapshot until it is unpinned, in every store that has it")
        {
            Examples = """
                olympus-pgbackup pin latest --note "before the migration"
                olympus-pgbackup pin 20260301T030000Z
                """,
            ExitCodes = ExitCodes,
        };
        SetNote(command, options, parsed => parsed.GetValue(note), "is pinned");
        command.Add(note);
        return command;
    }

    /// <summary>Leave it to the rules again.</summary>
    public static Command Unpin(GlobalOptions options)
    {
        var command = new VerbCommand("unpin", "Unpins a snapshot: the rules of its stores apply to it again")
        {
            Examples = "olympus-pgbackup unpin 20260301T030000Z",
            ExitCodes = ExitCodes,
        };
        SetNote(command, options, static _ => null, "is not pinned");
        return command;
    }

    // What both verbs do: give the snapshot a note, or none.
    private static void SetNote(VerbCommand command, GlobalOptions options, Func<ParseResult, string?> note, string state)
    {
        var id = new Argument<string>("ID") { HelpName = "ID", Description = "A snapshot's id, or latest" };
        Option<string?> storeName = VerbOptions.Store("Only in this store (default: all of the config)");
        command.Add(id);
        command.Add(storeName);
        command.SetAction(
            async (parsed, cancel) =>
            {
                PinOperation pin = options.ReadStores(parsed, cancel).Pin(parsed.GetValue(storeName), ProgressDisplay.Plain);
                PinReport report = await pin.RunAsync(SnapshotRef.Parse(parsed.GetValue(id)!), note(parsed), cancel);
                Terminal.Line(
                    parsed.GetValue(options.Json)
                        ? JsonSerializer.Serialize(report, AppJson.Readable.PinReport)
                        : $"{report.Id} {state} in {string.Join(", ", report.Stores)}."
                );
                return 0;
            }
        );
    }
}
