using System.CommandLine;
using System.CommandLine.Invocation;
using System.Runtime.InteropServices;
using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Installations;
using PgBackup.Serve;

namespace PgBackup.App.Verbs;

/// <summary><c>serve</c>: does the jobs of the schedule, and answers monitors.</summary>
internal static class ServeVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options, TimeProvider clock)
    {
        var command = new VerbCommand(
            "serve",
            "Runs the jobs of `schedule:` in the config, and answers /healthz and /metrics, until it is ended"
        )
        {
            Examples = """
                olympus-pgbackup serve
                curl -fsS http://127.0.0.1:8432/healthz          200 while nothing is red
                curl -fsS http://127.0.0.1:8432/metrics          for Prometheus
                systemctl reload olympus-pgbackup                SIGHUP: reads the config again
                """,
            ExitCodes = """
                0  it was told to end (SIGTERM, Ctrl-C), and the jobs at work have ended
                1  it cannot serve: its address is taken, or another one of this cluster runs on this host
                2  wrong usage or config
                """,
        };
        command.SetAction(
            async (parsed, cancel) =>
            {
                if (parsed.GetValue(options.Json))
                {
                    throw new PgBackupException(ErrorCode.Usage, "serve prints lines for a journal: it has no --json.", "Leave it out.");
                }

                await using var service = new Service(
                    new ServeSettings
                    {
                        ConfigFile = Path.GetFullPath(ConfigReader.Find(parsed.GetValue(options.Config))),
                        Install = config => new Installation(config, clock),
                        Again = arguments => MainProcess.Again([.. arguments]),
                        ProblemOf = arguments => ProblemOf(arguments, clock),
                        Program = MainProcess.File,
                        Started = Environment.GetCommandLineArgs(),
                        Say = line => Terminal.Log(line, clock),
                    },
                    clock
                );
                using var hangUp = PosixSignalRegistration.Create(
                    PosixSignal.SIGHUP,
                    context =>
                    {
                        context.Cancel = true;
                        service.Reload();
                    }
                );
                return await service.RunAsync(cancel);
            }
        );
        return command;
    }

    /// <summary>Why the command line of a job is wrong; null where it is not.</summary>
    public static string? ProblemOf(IReadOnlyList<string> arguments, TimeProvider clock)
    {
        ParseResult parsed = CommandLine.Build(new GlobalOptions(clock), clock).Parse(arguments);
        return parsed.Errors.Count > 0 ? string.Join(" ", parsed.Errors.Select(static e => e.Message))
            : parsed.Action is SynchronousCommandLineAction ? "it only prints help, or a version."
            : null;
    }
}
