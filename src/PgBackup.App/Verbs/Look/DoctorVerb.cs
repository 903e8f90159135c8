using System.CommandLine;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Installations;
using PgBackup.Operations.Doctor;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>doctor</c>: has the next run, drill and restore all that they need?</summary>
internal static class DoctorVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var only = new Option<string[]>("--only")
        {
            Description = "Only this area: source, stores, keys, drill or files (may be given several times)",
            HelpName = "AREA",
        };
        only.AcceptOnlyFromAmong([.. Enum.GetValues<DoctorArea>().Select(static a => a.Word())]);
        var command = new VerbCommand(
            "doctor",
            "Examines everything that the next run, drill and restore need, and says how to mend what is missing; changes nothing"
        )
        {
            Examples = """
                olympus-pgbackup doctor                            after the installation, and after each change of server, role or store
                olympus-pgbackup doctor --only source              after a migration: may the role still read every table?
                olympus-pgbackup doctor --only stores --only keys  on a host that only restores
                """,
            ExitCodes = """
                0  nothing is wrong; there may be warnings and notes
                1  something is wrong, by which a run, a drill or a restore fails
                2  wrong usage or config
                """,
        };
        command.Add(only);
        command.SetAction((parsed, cancel) => RunAsync(options, parsed, Areas(parsed.GetValue(only) ?? []), cancel));
        return command;
    }

    private static async Task<int> RunAsync(
        GlobalOptions options,
        ParseResult parsed,
        IReadOnlyList<DoctorArea> only,
        CancellationToken cancel
    )
    {
        bool needsSource = only.Count == 0 || only.Contains(DoctorArea.Source);
        Installation installation = needsSource ? options.ReadForBackup(parsed, cancel) : options.ReadStores(parsed, cancel);
        DoctorReport report = await installation.Doctor().RunAsync(only, cancel);
        if (parsed.GetValue(options.Json))
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.DoctorReport));
        }
        else
        {
            DoctorText.Show(report);
        }

        return report.IsHealthy ? 0 : 1;
    }

    private static DoctorArea[] Areas(string[] words) =>
        [.. Enum.GetValues<DoctorArea>().Where(a => words.Contains(a.Word(), StringComparer.Ordinal))];
}
