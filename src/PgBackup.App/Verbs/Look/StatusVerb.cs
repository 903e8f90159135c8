using System.CommandLine;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Installations;
using PgBackup.Notifications;
using PgBackup.Operations.Status;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>status</c>: are we safe?</summary>
internal static class StatusVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options, Aftermath aftermath)
    {
        var nagios = new Option<bool>("--nagios")
        {
            Description = "One line for Nagios, Icinga and their kin, with their exit codes: 0 ok, 1 warning, 2 critical, 3 unknown",
        };
        var metrics = new Option<string?>("--metrics")
        {
            Description = "Write the figures into this file too, for the textfile collector of Prometheus' node exporter",
            HelpName = "FILE",
        };
        var command = new VerbCommand(
            "status",
            "Are we safe? Can we recover, what would be lost, how fast, is the key good, is it off this host, what is kept and what runs"
        )
        {
            Examples = """
                olympus-pgbackup status
                olympus-pgbackup status --json | jq -r .level
                olympus-pgbackup status --nagios
                olympus-pgbackup status --neon 2026-11-27T03:00:00Z      the steps by which Neon itself restores to that moment
                0 9 * * *  /usr/local/bin/olympus-pgbackup status --notify >/dev/null     on a second host: the first may be dead
                olympus-pgbackup status --metrics /var/lib/prometheus/node-exporter/olympus.prom
                """,
            ExitCodes = """
                0  green or yellow: nothing is wrong, warnings may be
                1  red, or no store could be read; with --neon: Neon does not reach so far back, or did not say how far
                2  wrong usage or config
                with --nagios: 0 green, 1 yellow, 2 red, 3 unknown or wrong usage
                """,
        };
        var notify = new Option<bool>("--notify")
        {
            Description =
                "Tell those whom `notify:` of the config names, if something changed since they were told last, or a day has passed",
        };
        command.Add(nagios);
        command.Add(metrics);
        command.Add(notify);
        var neon = new NeonOption();
        neon.AddTo(command);
        command.SetAction(
            async (parsed, cancel) =>
            {
                bool forNagios = parsed.GetValue(nagios);
                try
                {
                    if (neon.Read(parsed, nagios, options.Json, metrics, notify) is { } moment)
                    {
                        return await NeonOption.ShowAsync(options.ReadStores(parsed, cancel), moment, cancel);
                    }

                    return await RunAsync(
                        options,
                        parsed,
                        forNagios,
                        (parsed.GetValue(metrics), parsed.GetValue(notify), aftermath),
                        cancel
                    );
                }
                catch (PgBackupException e) when (forNagios && e.Code != ErrorCode.Cancelled)
                {
                    Terminal.Line($"PGBACKUP UNKNOWN - {Terminal.InOneLine(e.Message)}");
                    return NagiosText.Unknown;
                }
            }
        );
        return command;
    }

    private static async Task<int> RunAsync(
        GlobalOptions options,
        ParseResult parsed,
        bool forNagios,
        (string? Metrics, bool Notify, Aftermath Aftermath) also,
        CancellationToken cancel
    )
    {
        if (forNagios && parsed.GetValue(options.Json))
        {
            throw new PgBackupException(ErrorCode.Usage, "--nagios and --json exclude each other.", "Choose one.");
        }

        Installation installation = options.ReadStores(parsed, cancel);
        StatusReport report = await installation.Status().ReadAsync(cancel);
        int exitCode = Show(report, parsed.GetValue(options.Json), forNagios);
        if (also.Metrics is { } file)
        {
            await MetricsText.WriteAsync(report, file);
        }

        if (also.Notify)
        {
            RequireSomebody(installation);
            var settings = NotifySettings.Of(installation.Config);
            await also.Aftermath.NotifyAsync(installation.Notify(), settings, new Occasion(), report, cancel);
        }

        return exitCode;
    }

    private static void RequireSomebody(Installation installation)
    {
        if (installation.Config.Notify.Count == 0)
        {
            throw new PgBackupException(ErrorCode.Usage, "the config names nobody to tell.", "Write `notify:` (docs/notices.md).");
        }
    }

    private static int Show(StatusReport report, bool json, bool nagios)
    {
        if (nagios)
        {
            Terminal.Line(NagiosText.Of(report));
            return NagiosText.ExitCode(report.Level);
        }

        if (json)
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.StatusReport));
        }
        else
        {
            StatusText.Show(report);
        }

        return report.Level is StatusLevel.Green or StatusLevel.Yellow ? 0 : 1;
    }
}
