using System.Globalization;
using PgBackup.Configuration;
using PgBackup.Serve.Scheduling;
using PgBackup.Tools;

namespace PgBackup.Serve;

/// <summary>Starts this program once more for each job, and passes on what it prints.</summary>
/// <param name="again">This program with other arguments.</param>
/// <param name="configFile">The file of the config that is in use; asked at each start.</param>
/// <param name="clock">The time.</param>
/// <param name="say">Gets what it prints.</param>
internal sealed class JobProgram(
    Func<IReadOnlyList<string>, ToolCommand> again,
    Func<string> configFile,
    TimeProvider clock,
    Action<string> say
) : IJobProgram
{
    // A run that is told to end removes what is half-written and records that: it needs some seconds, and a store that hangs a minute.
    private static readonly TimeSpan PatienceForEnd = TimeSpan.FromSeconds(75);

    // A notice is delivered by a process that the job leaves behind.
    private static readonly TimeSpan PatienceForLastWords = TimeSpan.FromSeconds(1);

    private const int NotStarted = 127;

    // What belongs to this service alone.
    private static readonly string[] Own = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

    /// <summary>Called where a job ended as no verb does: it could tell nobody.</summary>
    public Action<IReadOnlyList<string>, Finding> Died { get; init; } = static (_, _) => { };

    /// <inheritdoc/>
    public async Task<int> RunAsync(PlannedJob job, DateTimeOffset due, CancellationToken stop)
    {
        List<string> arguments = [.. job.Arguments, "--config"];
        try
        {
            arguments.Add(configFile());
        }
        catch (PgBackupException e)
        {
            Died(job.Arguments, DeathOf(job.Arguments[0], e.Message));
            return NotStarted;
        }

        if (job.Kind == JobKind.Run)
        {
            arguments.AddRange(["--due", due.UtcDateTime.ToString("O", CultureInfo.InvariantCulture)]);
        }

        return await RunAsync(arguments, showsOutput: true, stop);
    }

    /// <summary>Runs a verb.</summary>
    /// <param name="arguments">The verb and its arguments.</param>
    /// <param name="showsOutput">What it prints on stdout is passed on too.</param>
    /// <param name="stop">Asks it to end.</param>
    /// <returns>Its exit code.</returns>
    public async Task<int> RunAsync(IReadOnlyList<string> arguments, bool showsOutput, CancellationToken stop)
    {
        string verb = arguments[0];
        ToolCommand command = again(arguments) with { Environment = Own.ToDictionary(static n => n, static string? (_) => null) };
        ServedProgram program;
        try
        {
            program = ServedProgram.Start(command, showsOutput ? Pass : static _ => { }, Pass);
        }
        catch (PgBackupException e)
        {
            Died(arguments, DeathOf(verb, e.Message));
            return NotStarted;
        }

        await using ServedProgram _ = program;
        using var late = new CancellationTokenSource();
        await using CancellationTokenRegistration end = stop.UnsafeRegister(_ => program.Terminate(), null);
        Task<int> ended = program.WaitAsync(PatienceForLastWords, clock);
        if (await Task.WhenAny(ended, LongAfterAsync(stop, late.Token)) != ended)
        {
            say($"{verb} does not end, and is killed");
            program.Kill();
        }

        int exitCode = await ended;
        await late.CancelAsync();
        if (IsUntold(verb, exitCode) && !stop.IsCancellationRequested)
        {
            Died(arguments, DeathOf(verb, WhyOf(exitCode)));
        }

        return exitCode;

        void Pass(string line) => say($"{verb}: {line}");
    }

    // A verb tells itself how it ended, but for a wrong use or config, of which only a run tells; and a reminder tells nothing of itself.
    private static bool IsUntold(string verb, int exitCode) =>
        exitCode is < 0 or > 3 || (exitCode == 2 && verb is not ("run" or "status")) || (exitCode != 0 && verb == "keys");

    private static string WhyOf(int exitCode) =>
        exitCode == 128 + 9 ? "it was killed (signal 9): the kernel does that when memory runs out"
        : exitCode > 128 ? string.Create(CultureInfo.InvariantCulture, $"it was ended by signal {exitCode - 128}")
        : string.Create(CultureInfo.InvariantCulture, $"it ended with exit code {exitCode}");

    private static Finding DeathOf(string verb, string why) =>
        Finding.Error(
            verb == "run" ? ErrorCode.LastRunFailed
                : verb == "drill" ? ErrorCode.LastDrillFailed
                : ErrorCode.JobFailed,
            verb,
            $"the last `{verb}` did not do its work",
            why,
            "Look at the journal of that time and at `dmesg`; then start it again"
        );

    // Ends when the job has been told to end for too long; never where it is not.
    private async Task LongAfterAsync(CancellationToken stop, CancellationToken over)
    {
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, over);
            await Task.Delay(Timeout.InfiniteTimeSpan, clock, either.Token);
        }
        catch (OperationCanceledException)
        {
            // It was told to end, or has ended.
        }

        await Task.Delay(over.IsCancellationRequested ? TimeSpan.Zero : PatienceForEnd, clock, CancellationToken.None);
    }
}
