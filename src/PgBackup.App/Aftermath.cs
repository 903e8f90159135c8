using System.CommandLine;
using PgBackup.App.Render;
using PgBackup.Installations;
using PgBackup.Notifications;
using PgBackup.Operations.Status;
using PgBackup.Tools;

namespace PgBackup.App;

/// <summary>What follows a verb that did something: the file of metrics, and notices. Neither changes its exit code.</summary>
/// <param name="options">What the verb worked on.</param>
/// <param name="clock">The time.</param>
internal sealed class Aftermath(GlobalOptions options, TimeProvider clock)
{
    private const int WrongUsage = 2;

    // Nobody notices a second at the end of a night. What needs longer is left to a process of its own.
    private static readonly TimeSpan PatienceHere = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan PatienceForStart = TimeSpan.FromMilliseconds(150);

    // Where such a process would be ended together with this one.
    private static readonly TimeSpan PatienceAlone = TimeSpan.FromSeconds(30);

    /// <summary>Goes on after a verb.</summary>
    /// <param name="parsed">What was typed.</param>
    /// <param name="exitCode">How it ended.</param>
    /// <param name="changed">It changed what the stores hold or say.</param>
    /// <param name="stop">The program was told to end.</param>
    public async Task FollowAsync(ParseResult parsed, int exitCode, bool changed, CancellationToken stop)
    {
        string verb = parsed.CommandResult.Command is RootCommand ? "run" : parsed.CommandResult.Command.Name;
        bool isCancelled = stop.IsCancellationRequested;
        bool isRun = verb == "run";
        try
        {
            await options.EndStartAsync(PatienceForStart);
            if (options.Opened is not { } installation)
            {
                // The config is wrong: a night fails, and whoever typed something else reads it.
                if (isRun && options.Salvaged is { } salvaged)
                {
                    await NotifyAsync(Installation.Notify(salvaged, clock), Of(verb, parsed, 1), null);
                }

                return;
            }

            bool tells = installation.Config.Notify.Count > 0 && Concerns(verb, parsed, changed) && (!isCancelled || isRun);
            bool measures = installation.Config.MetricsFile is not null && changed && !isCancelled;
            if ((exitCode == WrongUsage && !isRun) || !(tells || measures))
            {
                return;
            }

            StatusReport? status = isCancelled ? null : await ReadAsync(installation, stop);
            if (measures)
            {
                MetricsFile.Write(status, installation.Config.MetricsFile!);
            }

            if (tells)
            {
                await NotifyAsync(installation.Notify(), Of(verb, parsed, exitCode), status);
            }
        }
        catch (Exception e)
        {
            // The verb has ended, and its exit code stands.
            Terminal.Message($"WARNING: what follows a verb failed unexpectedly: {e.GetType().Name}: {e.Message}");
        }
    }

    /// <summary>Tells somebody, where the config names somebody.</summary>
    /// <param name="operation">Whom.</param>
    /// <param name="occasion">What has ended.</param>
    /// <param name="status">How the backups stand; null where that is not known.</param>
    public static async Task NotifyAsync(NotifyOperation operation, Occasion occasion, StatusReport? status)
    {
        TimeSpan patience = MainProcess.IsThis ? PatienceAlone : PatienceHere;
        NotifyReport report = await operation.TellAsync(occasion, status, patience, CancellationToken.None);
        FindingText.Message(report.Problems);
        if (report.Pending.Count == 0)
        {
            return;
        }

        if (MainProcess.IsThis)
        {
            FindingText.Message(NotifyReport.Late(report.Pending));
            return;
        }

        await DetachedTool.StartAsync(MainProcess.Again("deliver", "--config", Path.GetFullPath(report.ConfigFile)), report.ToJson());
    }

    private static async Task<StatusReport?> ReadAsync(Installation installation, CancellationToken stop)
    {
        try
        {
            return await installation.Status().ReadAsync(stop);
        }
        catch (Exception) when (stop.IsCancellationRequested)
        {
            return null; // whoever ends the program waits for nothing
        }
    }

    // A look that finds something wrong concerns others too; the rest of what only tells does not.
    private static bool Concerns(string verb, ParseResult parsed, bool changed) =>
        changed || (verb == "check" && !parsed.GetValue<bool>("--repair"));

    private static Occasion Of(string verb, ParseResult parsed, int exitCode)
    {
        string? job = verb switch
        {
            "run" or "backup" => "run",
            "drill" or "prune" => verb,
            "check" => string.Join(' ', parsed.Tokens.Select(static t => t.Value)),
            _ => null,
        };
        // With 3, part of it was done, and the status says which part is missing.
        bool failed = job is not null && exitCode is 1 or WrongUsage;
        bool isWhole =
            verb == "check"
            && parsed.GetValue<bool>("--all")
            && (parsed.GetValue<bool>("--read-data") || parsed.GetResult("--identity") is not null);
        return new Occasion
        {
            Job = job,
            Failure = failed ? FailureOf(verb) : null,
            Settles = other => isWhole && other.StartsWith("check", StringComparison.Ordinal),
            Happened = verb switch
            {
                "drill" => NoticeKind.Drill,
                "confirm" when exitCode == 0 => NoticeKind.Confirmed,
                _ => null,
            },
            IsRun = verb == "run",
        };
    }

    // Behind the first line, messages quote what tools said, which notices leave out; those of a config are our own.
    private static string Told(PgBackupException error) =>
        error.Code == ErrorCode.ConfigInvalid ? string.Join(' ', error.Message.Split('\n', StringSplitOptions.TrimEntries)) : error.Message;

    private static Finding FailureOf(string verb)
    {
        string? why = Terminal.Failure is { } error ? $"{error.CodeText}: {Told(error)}" : null;
        string? fix = Terminal.Failure?.Remedy;
        return verb switch
        {
            "run" or "backup" => Finding.Error(ErrorCode.LastRunFailed, verb, $"the last `{verb}` failed", why, fix),
            "drill" => Finding.Error(ErrorCode.LastDrillFailed, verb, "the last `drill` failed", why, fix),
            "check" => Finding.Error(
                ErrorCode.JobFailed,
                verb,
                "the last `check` found something wrong",
                why,
                fix ?? "Run it again; it says what"
            ),
            _ => Finding.Error(ErrorCode.JobFailed, verb, $"the last `{verb}` failed", why, fix),
        };
    }
}
