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

    private static readonly TimeSpan PatienceAtTheEnd = TimeSpan.FromSeconds(3);

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
                    await NotifyAsync(Installation.Notify(salvaged, clock), salvaged, Of(verb, parsed, exitCode), null, stop);
                }

                return;
            }

            bool failed = exitCode is 1 or WrongUsage;
            bool tells = installation.Config.Notify.Count > 0 && changed && (!isCancelled || (isRun && failed));
            bool measures = installation.Config.MetricsFile is not null && changed && !isCancelled;
            if ((exitCode == WrongUsage && !isRun) || !(tells || measures))
            {
                return;
            }

            Occasion occasion = Of(verb, parsed, exitCode);
            StatusReport? status = null;
            try
            {
                status = isCancelled ? null : await installation.Status().ReadAsync(stop);
            }
            catch (Exception e) when (!stop.IsCancellationRequested)
            {
                string what = $"how the backups stand cannot be found out: {e.GetType().Name}: {e.Message}";
                Finding unknown = Finding.Error(ErrorCode.Unexpected, "status", what);
                FindingText.Message([unknown]);
                occasion = occasion.Failure is null ? occasion with { Job = null, Failure = unknown } : occasion;
            }
            catch (Exception) when (stop.IsCancellationRequested)
            {
                // Whoever ends the program waits for nothing.
            }

            if (measures)
            {
                await MetricsFile.WriteAsync(status, installation.Config.MetricsFile!);
            }

            if (tells)
            {
                await NotifyAsync(installation.Notify(), NotifySettings.Of(installation.Config), occasion, status, stop);
            }
        }
        catch (Exception e)
        {
            // The verb has ended, and its exit code stands.
            Terminal.Message($"WARNING: what follows a verb failed unexpectedly: {e.GetType().Name}: {e.Message}");
        }
    }

    /// <summary>Tells somebody, where the config names somebody.</summary>
    /// <param name="operation">Tells.</param>
    /// <param name="settings">Whom.</param>
    /// <param name="occasion">What has ended.</param>
    /// <param name="status">How the backups stand; null where that is not known.</param>
    /// <param name="stop">The program is told to end: nothing is waited for then.</param>
    public async Task NotifyAsync(
        NotifyOperation operation,
        NotifySettings settings,
        Occasion occasion,
        StatusReport? status,
        CancellationToken stop
    )
    {
        IReadOnlyList<Delivery> deliveries = await operation.DecideAsync(occasion, status, CancellationToken.None);
        await HandOverAsync(operation, settings, deliveries, stop);
    }

    /// <summary>Delivers, or lets another process do it.</summary>
    /// <param name="operation">Delivers.</param>
    /// <param name="settings">Whom.</param>
    /// <param name="deliveries">Who is told what.</param>
    /// <param name="stop">The program is told to end: nothing is waited for then.</param>
    public async Task HandOverAsync(
        NotifyOperation operation,
        NotifySettings settings,
        IReadOnlyList<Delivery> deliveries,
        CancellationToken stop
    )
    {
        if (deliveries.Count == 0)
        {
            return;
        }

        if (MainProcess.IsThis)
        {
            using var hurry = new CancellationTokenSource();
            await using CancellationTokenRegistration end = stop.UnsafeRegister(
                static h => ((CancellationTokenSource)h!).CancelAfter(PatienceAtTheEnd),
                hurry
            );
            NotifyReport report = await operation.DeliverAsync(deliveries, PatienceAlone, hurry.Token);
            FindingText.Message(report.Problems);
            return;
        }

        var handover = new Handover { Settings = settings, Deliveries = deliveries };
        ToolCommand again = MainProcess.Again("deliver", "--config", Path.GetFullPath(settings.ConfigFile));
        if (await DetachedTool.StartAsync(again, handover.ToJson(), PatienceHere, clock) is { Length: > 0 } told)
        {
            Terminal.Message(told.TrimEnd('\n'));
        }
    }

    private static Occasion Of(string verb, ParseResult parsed, int exitCode)
    {
        // With 3, part of it was done, and the status says which part is missing.
        bool failed = exitCode is 1 or WrongUsage;
        string? job = verb switch
        {
            "run" or "backup" or "drill" or "prune" => verb,
            // One that could not look has found nothing: it is told of, and not remembered.
            "check" when !failed || Terminal.Failure is null => string.Join(' ', parsed.Tokens.Select(static t => t.Value)),
            _ => null,
        };
        bool isJob = job is not null || verb == "check";
        bool isWhole =
            verb == "check"
            && parsed.GetValue<bool>("--all")
            && parsed.GetValue<string?>("--store") is null
            && (parsed.GetValue<bool>("--read-data") || parsed.GetResult("--identity") is not null);
        return new Occasion
        {
            Job = job,
            Failure = failed && isJob ? FailureOf(verb) : null,
            // A whole night takes a snapshot and prunes.
            Settles = other =>
                (isWhole && other.StartsWith("check", StringComparison.Ordinal))
                || (verb == "run" && other is "backup" or "prune" && exitCode == 0),
            Happened = verb switch
            {
                "drill" => NoticeKind.Drill,
                "confirm" when exitCode == 0 => NoticeKind.Confirmed,
                _ => null,
            },
            IsRun = verb == "run",
        };
    }

    private static Finding FailureOf(string verb)
    {
        string? why = Terminal.Failure is { } error ? $"{error.CodeText}: {FailureText.Of(error)}" : null;
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
