using System.CommandLine;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Installations;
using PgBackup.Notifications;
using PgBackup.Operations.Doctor;
using PgBackup.Serve;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>doctor</c>: has the next run, drill and restore all that they need?</summary>
internal static class DoctorVerb
{
    private static readonly TimeSpan TestTime = TimeSpan.FromSeconds(12);

    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var only = new Option<string[]>("--only")
        {
            Description = "Only this area: source, stores, keys, drill, files or notify (may be given several times)",
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
                olympus-pgbackup doctor --notify                   does it arrive?
                """,
            ExitCodes = """
                0  nothing is wrong; there may be warnings and notes
                1  something is wrong, by which a run, a drill or a restore fails
                2  wrong usage or config
                """,
        };
        var notify = new Option<bool>("--notify")
        {
            Description = "Send a test to everybody whom `notify:` of the config names, and say whether it arrived; examine nothing else",
        };
        command.Add(only);
        command.Add(notify);
        command.Validators.Add(result =>
        {
            if (result.GetValue(notify) && result.GetResult(only) is not null)
            {
                result.AddError("--notify and --only exclude each other.");
            }
        });
        command.SetAction(
            (parsed, cancel) =>
                parsed.GetValue(notify)
                    ? TestAsync(options, parsed, cancel)
                    : RunAsync(options, parsed, Areas(parsed.GetValue(only) ?? []), cancel)
        );
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
        if (only.Count == 0 || only.Contains(DoctorArea.Files))
        {
            report = ScheduleExamination.AddTo(
                report,
                installation.Config,
                arguments => ServeVerb.ProblemOf(arguments, installation.Clock),
                installation.Clock
            );
        }

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

    private static async Task<int> TestAsync(GlobalOptions options, ParseResult parsed, CancellationToken cancel)
    {
        Installation installation = options.ReadStores(parsed, cancel);
        if (installation.Config.Notify.Count == 0)
        {
            throw new PgBackupException(ErrorCode.Usage, "the config names nobody to tell.", "Write `notify:` (docs/notices.md).");
        }

        long start = installation.Clock.GetTimestamp();
        NotifyReport report = await installation.Notify().TestAsync(TestTime, cancel);
        LookedAt[] looked =
        [
            .. report.Results.Select(static r => new LookedAt
            {
                Area = DoctorArea.Notify,
                What = r.Problem is null
                    ? $"{r.Delivery.Channel} took a test: look whether it arrived"
                    : $"{r.Delivery.Channel} took no test",
                Findings = r.Problem is null ? 0 : 1,
                Severity = r.Problem is null ? Severity.Ok : Severity.Error,
            }),
        ];
        var sheet = new DoctorReport
        {
            Looked = looked,
            Findings =
            [
                .. report
                    .Results.Where(static r => r.Problem is not null)
                    .Select(static r =>
                        Finding.Error(
                            ErrorCode.NotifyTest,
                            r.Delivery.Channel,
                            $"a test could not be delivered: {r.Delivery.Channel}",
                            r.Problem,
                            "Mend it, and test it again with `olympus-pgbackup doctor --notify`"
                        )
                    ),
            ],
            Seconds = Math.Round(installation.Clock.GetElapsedTime(start).TotalSeconds, 3),
        };
        if (parsed.GetValue(options.Json))
        {
            Terminal.Line(JsonSerializer.Serialize(sheet, AppJson.Readable.DoctorReport));
        }
        else
        {
            DoctorText.Show(sheet);
        }

        return sheet.IsHealthy ? 0 : 1;
    }

    private static DoctorArea[] Areas(string[] words) =>
        [.. Enum.GetValues<DoctorArea>().Where(a => words.Contains(a.Word(), StringComparer.Ordinal))];
}
