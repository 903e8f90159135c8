using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;

namespace PgBackup.IntegrationTests.Support;

/// <summary>What a program left: exit code (128 + n after signal n), stdout, stderr.</summary>
internal sealed record Outcome(int ExitCode, string Output, string Errors)
{
    /// <summary>Both streams: a message is looked for in what a person would see.</summary>
    public string All => Output + Errors;

    public override string ToString() => $"exit code {ExitCode}\n--- stdout\n{Output}\n--- stderr\n{Errors}";
}

/// <summary>A program that was started, with everything it writes.</summary>
internal sealed class RunningProgram : IAsyncDisposable
{
    // Which test started which process: others run beside it, and kill what they started.
    private static readonly ConcurrentDictionary<int, string?> Starters = new();
    private static readonly ConcurrentDictionary<RunningProgram, string?> Running = new();

    private readonly Process process;
    private readonly Capture output;
    private readonly Capture errors;

    public RunningProgram(
        string program,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment,
        string? folder,
        string? input
    )
    {
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = folder ?? Path.GetTempPath(),
            StandardInputEncoding = new UTF8Encoding(false),
        };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach ((string name, string? value) in environment ?? new Dictionary<string, string?>())
        {
            if (value is null)
            {
                start.Environment.Remove(name);
            }
            else
            {
                start.Environment[name] = value;
            }
        }

        process = Process.Start(start)!;
        Starters[process.Id] = TestContext.Current.Test?.UniqueID;
        Running[this] = TestContext.Current.Test?.UniqueID;
        output = new Capture(process.StandardOutput);
        errors = new Capture(process.StandardError);
        if (input is not null)
        {
            process.StandardInput.Write(input);
        }

        process.StandardInput.Close();
    }

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    /// <summary>The test that asks has started a process of this id.</summary>
    public static bool IsOfThisTest(int id) =>
        TestContext.Current.Test?.UniqueID is { } test && Starters.TryGetValue(id, out string? starter) && starter == test;

    /// <summary>The programs of this test that run, with what they wrote so far.</summary>
    public static string OfThisTest() =>
        string.Concat(Running.Where(static r => r.Value == TestContext.Current.Test?.UniqueID).Select(static r => "\n" + r.Key.SoFar()));

    /// <summary>Sends a signal by <c>kill</c>: TERM, INT, KILL.</summary>
    public async Task SignalAsync(string name) => await Shell.RunAsync("kill", ["-" + name, $"{process.Id}"]);

    public async Task<Outcome> EndAsync(double seconds = 180)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        try
        {
            await process.WaitForExitAsync(patience.Token);
            return new Outcome(process.ExitCode, await output.EndAsync(), await errors.EndAsync());
        }
        catch (Exception e) when (e is OperationCanceledException or TimeoutException)
        {
            string soFar = SoFar();
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"this did not end within {seconds} s: {soFar}", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
        }

        Running.TryRemove(this, out _);
        process.Dispose();
    }

    /// <summary>What it was, whether it runs, and what it wrote so far.</summary>
    public string SoFar() =>
        $"{process.StartInfo.FileName} {string.Join(' ', process.StartInfo.ArgumentList.Take(6))} "
        + $"({(process.HasExited ? $"ended with exit code {process.ExitCode}" : "runs")})\n--- stdout\n{output}\n--- stderr\n{errors}";

    // What a program writes, as it comes.
    private sealed class Capture
    {
        private readonly StringBuilder text = new();
        private readonly Task reading;

        public Capture(StreamReader stream) => reading = ReadAsync(stream);

        public async Task<string> EndAsync()
        {
            await reading.WaitAsync(TimeSpan.FromSeconds(30));
            return ToString();
        }

        public override string ToString()
        {
            lock (text)
            {
                return text.ToString();
            }
        }

        private async Task ReadAsync(StreamReader stream)
        {
            char[] buffer = new char[4096];
            int count;
            while ((count = await stream.ReadAsync(buffer)) > 0)
            {
                lock (text)
                {
                    text.Append(buffer, 0, count);
                }
            }
        }
    }
}

/// <summary>Stock tools of this host.</summary>
internal static class Shell
{
    public static async Task<Outcome> RunAsync(
        string program,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? folder = null,
        string? input = null,
        double seconds = 120
    )
    {
        await using var running = new RunningProgram(program, arguments, environment, folder, input);
        return await running.EndAsync(seconds);
    }

    /// <summary>Runs it, expects exit code 0, and returns its stdout.</summary>
    public static async Task<string> ReadAsync(
        string program,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? folder = null,
        string? input = null,
        double seconds = 120
    )
    {
        string[] all = [.. arguments];
        Outcome outcome = await RunAsync(program, all, environment, folder, input, seconds);
        return outcome.ExitCode == 0
            ? outcome.Output
            : throw new InvalidOperationException($"{program} {string.Join(' ', all)}: {outcome}");
    }

    /// <summary>Asks again and again until it is so.</summary>
    public static async Task UntilAsync(Func<Task<bool>> isSo, string what, double seconds = 180)
    {
        long start = Stopwatch.GetTimestamp();
        int wait = 50;
        while (!await isSo())
        {
            if (Stopwatch.GetElapsedTime(start).TotalSeconds > seconds)
            {
                throw new TimeoutException($"not within {seconds} s: {what}{RunningProgram.OfThisTest()}");
            }

            // What is asked costs more than what is waited for: not more often than it takes to be so.
            await Task.Delay(wait);
            wait = Math.Min(wait * 3 / 2, 400);
        }
    }
}
