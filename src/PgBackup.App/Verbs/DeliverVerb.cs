using System.CommandLine;
using PgBackup.App.Render;
using PgBackup.Installations;
using PgBackup.Notifications;

namespace PgBackup.App.Verbs;

/// <summary><c>deliver</c>: delivers the notices that are on stdin. A verb starts it when it ends, and does not wait for it.</summary>
internal static class DeliverVerb
{
    // A receiver that is down for longer is told the next time.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    // systemd lets what a unit leaves behind run on for a while after SIGTERM (TimeoutStopSec, 90 s by default).
    private static readonly TimeSpan AfterTermination = TimeSpan.FromSeconds(60);

    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options, TimeProvider clock)
    {
        var command = new Command("deliver", "Delivers notices that are on stdin") { Hidden = true };
        command.SetAction(
            async (parsed, terminated) =>
            {
                if (Handover.TryRead(await Console.In.ReadToEndAsync(CancellationToken.None)) is not { } handover)
                {
                    throw new PgBackupException(ErrorCode.Usage, "stdin has no notices.", "Other verbs start this one themselves.");
                }

                using var last = new CancellationTokenSource();
                await using CancellationTokenRegistration hurry = terminated.UnsafeRegister(
                    static l => ((CancellationTokenSource)l!).CancelAfter(AfterTermination),
                    last
                );
                NotifyReport report = await Operation(options, parsed, handover, clock)
                    .DeliverAsync(handover.Deliveries, Longest, last.Token);
                // For the verb that started this, if it is still there.
                foreach (Finding problem in report.Problems)
                {
                    Terminal.Line(FindingText.Of(problem));
                }

                return 0;
            }
        );
        return command;
    }

    // With a config that cannot be read, nothing is recorded in the stores, and all is delivered.
    private static NotifyOperation Operation(GlobalOptions options, ParseResult parsed, Handover handover, TimeProvider clock)
    {
        try
        {
            return options.ReadStores(parsed, CancellationToken.None).Notify();
        }
        catch (PgBackupException)
        {
            return Installation.Notify(handover.Settings, clock);
        }
    }
}
