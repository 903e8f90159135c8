using System.CommandLine;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Installations;
using PgBackup.Operations.Confirm;
using PgBackup.Snapshots;

namespace PgBackup.App.Verbs.Keep;

/// <summary><c>confirm</c>: a person has looked at losses, and they are right.</summary>
internal static class ConfirmVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var id = new Argument<string>("ID") { HelpName = "ID", Description = "The snapshot that has the losses: its id, or latest" };
        var tables = new Option<string[]>("--table")
        {
            Description =
                "Only the losses of DB.SCHEMA.TABLE, of a database DB or of a column DB.SCHEMA.TABLE.COLUMN (may be given "
                + "several times; default: all losses of the snapshot)",
            HelpName = "DB.SCHEMA.TABLE",
        };
        var note = new Option<string?>("--note") { Description = "Why that is right; it is recorded", HelpName = "TEXT" };
        Option<string?> store = VerbOptions.Store("The store to look for the snapshot in (default: the first that has it)");
        var command = new VerbCommand(
            "confirm",
            "Confirms losses that you have looked at: they stop being red in every snapshot that has them. A later loss is red again"
        )
        {
            Examples = """
                olympus-pgbackup confirm latest
                olympus-pgbackup confirm 20260301T030000Z --table ciam_kratos.public.continuity_containers --note "the migration of 1 March"
                olympus-pgbackup confirm latest --json | jq -r '.left[].subject'
                """,
            ExitCodes = """
                0  confirmed, and every store has the record and the marks
                1  no such snapshot, or no store took the record: nothing was confirmed
                2  wrong usage or config, or the snapshot has no loss
                3  confirmed, and a store lacks the record or marks: the same again adds them
                """,
        };
        command.Add(id);
        command.Add(tables);
        command.Add(note);
        command.Add(store);
        command.SetAction(
            (parsed, cancel) =>
            {
                var request = new ConfirmRequest
                {
                    Snapshot = SnapshotRef.Parse(parsed.GetValue(id)!),
                    Of = parsed.GetValue(tables) ?? [],
                    Note = parsed.GetValue(note),
                    Store = parsed.GetValue(store),
                };
                return RunAsync(options.ReadStores(parsed, cancel), request, parsed.GetValue(options.Json), cancel);
            }
        );
        return command;
    }

    private static async Task<int> RunAsync(Installation installation, ConfirmRequest request, bool json, CancellationToken cancel)
    {
        _ = installation.Stores(request.Store); // an unknown name is an error
        ConfirmReport report = await installation.Confirm().RunAsync(request, cancel);
        if (json)
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.ConfirmReport));
        }
        else
        {
            Show(report);
        }

        if (request.Note is not null && report is { Confirmed.Count: > 0, Note: null })
        {
            Terminal.Message("note: the note was not recorded: the config says that records name nobody (records: who: false)");
        }

        if (request.Note is not null && report.Confirmed.Count == 0)
        {
            Terminal.Message("note: the note was not recorded: there was nothing left to confirm");
        }

        FindingText.Message(report.Findings);
        return report.IsInPart
            ? Terminal.Fail(
                new PgBackupException(
                    ErrorCode.ConfirmedInPart,
                    $"confirmed, but not every store has the record and the marks: "
                        + $"{string.Join(", ", report.Stores.Where(static s => !s.IsWhole).Select(static s => s.Store))}.",
                    "The reasons are above. The same `confirm` again adds what is missing; the next run copies missing marks too."
                )
            )
            : 0;
    }

    private static void Show(ConfirmReport report)
    {
        if (report.Confirmed.Count == 0)
        {
            Terminal.Line($"{report.Snapshot}: {Count(report.Before.Count)} confirmed already");
        }
        else
        {
            string by = report.User is { } user ? $" by {Terminal.InOneLine(user)}" : "";
            Terminal.Line($"{report.Snapshot}: {Count(report.Confirmed.Count)} confirmed{by}");
        }

        foreach (Loss loss in report.Confirmed.Concat(report.Before))
        {
            Terminal.Line($"  {Terminal.InOneLine(LossFindings.Of(loss, report.Snapshot, isConfirmed: false).Fact)}");
        }

        if (report.Left.Count > 0)
        {
            Terminal.Line($"{report.Snapshot}: NOT confirmed");
            foreach (Finding loss in report.Left)
            {
                Terminal.Line($"  {FindingText.Of(loss)}");
            }
        }

        foreach (ConfirmedStore store in report.Stores)
        {
            string marked = store.Marked.Count > 0 ? $"{Words.Count(store.Marked.Count, "snapshot")} not red any more" : "nothing to mark";
            string red = store.Red.Count > 0 ? $"; still red: {Words.Count(store.Red.Count, "snapshot")}, the newest {store.Red[^1]}" : "";
            Terminal.Line(store.IsWhole || store.Marked.Count > 0 ? $"{store.Store}: {marked}{red}" : $"{store.Store}: NOT recorded");
        }
    }

    private static string Count(int losses) => Words.Count(losses, "loss", "losses");
}
