using System.CommandLine;
using System.Text.Json;
using PgBackup.Installations;
using PgBackup.Notifications;

namespace PgBackup.App.Verbs;

/// <summary><c>deliver</c>: goes on with notices that a verb left behind when it ended. The program itself starts it.</summary>
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
                Installation installation = options.ReadStores(parsed, terminated);
                string json = await Console.In.ReadToEndAsync(CancellationToken.None);
                using var last = new CancellationTokenSource();
                await using CancellationTokenRegistration hurry = terminated.UnsafeRegister(
                    async _ =>
                    {
                        await Task.Delay(AfterTermination, clock, CancellationToken.None);
                        await last.CancelAsync();
                    },
                    null
                );
                try
                {
                    NotifyReport report = await installation.Notify().ContinueAsync(json, Longest, last.Token);
                    return report.Results.All(static r => r.Problem is null) ? 0 : 1;
                }
                catch (JsonException)
                {
                    throw new PgBackupException(ErrorCode.Usage, "stdin has no notices.", "`olympus-pgbackup` starts this verb itself.");
                }
            }
        );
        return command;
    }
}
