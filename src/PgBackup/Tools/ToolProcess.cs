using System.IO.Pipes;
using System.Text;
using PgBackup.Host;

namespace PgBackup.Tools;

/// <summary>
/// A running child process as streams: <see cref="Input"/>, <see cref="Output"/>, the last lines of its stderr, and its exit.
/// Disposing a process that still runs kills it.
/// </summary>
public sealed class ToolProcess : IAsyncDisposable
{
    private const int PipeBytes = 1 << 20;
    private const int KeptErrorLines = 400;
    private const int LeastThreads = 64;

    private readonly IRunningTool running;
    private readonly Queue<string> errorLines = new();
    private readonly Task errorReader;
    private int disposed;

    internal ToolProcess(ToolCommand command, IRunningTool running)
    {
        Command = command;
        this.running = running;
        Widen(Input);
        Widen(Output);
        errorReader = ReadErrorsAsync();
    }

    /// <summary>What was started.</summary>
    public ToolCommand Command { get; }

    /// <summary>The child's standard input; closing it is the end of input.</summary>
    public Stream Input => running.Input;

    /// <summary>
    /// The child's standard output, raw: its end says nothing of success. Use <see cref="ToolStream"/> for data that matters.
    /// </summary>
    public Stream Output => running.Output;

    /// <summary>True once the process has ended.</summary>
    public bool HasExited => running.Exit.IsCompleted;

    /// <summary>The last lines that the tool wrote to stderr.</summary>
    public IReadOnlyList<string> Errors
    {
        get
        {
            lock (errorLines)
            {
                return [.. errorLines];
            }
        }
    }

    /// <summary>
    /// Has the thread pool start with threads for several tools at work. Each blocking read or write of a pipe takes one, and the pool by
    /// itself adds them one after another. To be called at the start of a program that runs tools; may be called twice.
    /// </summary>
    public static void ReserveThreads()
    {
        ThreadPool.GetMinThreads(out int workers, out int ports);
        ThreadPool.SetMinThreads(Math.Max(workers, LeastThreads), ports);
    }

    /// <summary>Starts a program on this host.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ToolMissing"/>: it is not there or not executable.</exception>
    public static ToolProcess Start(ToolCommand command) => new(command, HostProcess.Start(command));

    /// <summary>Runs a short call on this host to its end, with optional text for its stdin, and returns its stdout.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ToolFailed"/> with the tool's last lines.</exception>
    public static async Task<string> ReadAsync(ToolCommand command, CancellationToken cancel, string? input = null)
    {
        ToolResult result = await TryReadAsync(command, cancel, input);
        return result.ExitCode == 0 ? result.Output : throw ToolFailure.Of(command, result.ExitCode, result.Errors);
    }

    /// <summary>Runs a short call on this host to its end and returns exit code, stdout and stderr, whatever they are.</summary>
    public static async Task<ToolResult> TryReadAsync(ToolCommand command, CancellationToken cancel, string? input = null)
    {
        await using ToolProcess tool = Start(command);
        return await tool.FinishAsync(input, cancel);
    }

    /// <summary>Feeds the tool the text, reads all of its output, and waits for its end.</summary>
    public async Task<ToolResult> FinishAsync(string? input, CancellationToken cancel)
    {
        Task feed = FeedAsync(input, cancel);
        using var reader = new StreamReader(Output, new UTF8Encoding(false), false, -1, leaveOpen: true);
        string output = await reader.ReadToEndAsync(cancel);
        await feed;
        int exitCode = await WaitAsync(cancel);
        return new ToolResult
        {
            ExitCode = exitCode,
            Output = output,
            Errors = Errors,
        };
    }

    /// <summary>Waits for the end of the process and of its stderr, and returns the exit code (128 + n after signal n).</summary>
    public async Task<int> WaitAsync(CancellationToken cancel)
    {
        int exitCode = await running.Exit.WaitAsync(cancel);
        // A grandchild may hold stderr open (gpg-agent does): what the tool itself said is there by now.
        await WithinAsync(errorReader, TimeSpan.FromSeconds(1));
        return exitCode;
    }

    /// <summary>Waits for the end and throws unless the exit code is 0.</summary>
    public async Task WaitForSuccessAsync(CancellationToken cancel)
    {
        int exitCode = await WaitAsync(cancel);
        if (exitCode != 0)
        {
            throw ToolFailure.Of(Command, exitCode, Errors);
        }
    }

    /// <summary>
    /// Asks for its end without waiting for it: SIGKILL on this host; in a container SIGTERM, and SIGKILL for one that is still there five
    /// seconds later (see <see cref="ContainerShell"/>). May be called twice, and after its end.
    /// </summary>
    public void Kill() => running.Kill();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 1)
        {
            return;
        }

        if (!HasExited)
        {
            Kill();
            await WithinAsync(running.Exit, TimeSpan.FromSeconds(10));
        }

        await WithinAsync(errorReader, TimeSpan.FromSeconds(1));
        try
        {
            await Input.DisposeAsync();
        }
        catch (IOException)
        {
            // What was still buffered for a dead process is lost with it.
        }

        await Output.DisposeAsync();
        await running.DisposeAsync();
    }

    // By the machine's time, whatever the clock of a run says: it is the kernel that ends a process.
    private static Task WithinAsync(Task task, TimeSpan limit) =>
#pragma warning disable RS0030 // the one place
        Task.WhenAny(task, Task.Delay(limit, CancellationToken.None));
#pragma warning restore RS0030

    private async Task FeedAsync(string? input, CancellationToken cancel)
    {
        try
        {
            if (input is not null)
            {
                await Input.WriteAsync(Encoding.UTF8.GetBytes(input), cancel);
            }

            await Input.DisposeAsync();
        }
        catch (IOException)
        {
            // It ended without reading; its exit code shows whether that was right.
        }
    }

    private async Task ReadErrorsAsync()
    {
        try
        {
            using var reader = new StreamReader(running.Error, new UTF8Encoding(false));
            var lines = new Quotation.Reader(reader);
            while (await lines.ReadAsync() is { } line)
            {
                lock (errorLines)
                {
                    if (errorLines.Count == KeptErrorLines)
                    {
                        errorLines.Dequeue();
                    }

                    errorLines.Enqueue(line);
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The process was disposed while it wrote: nobody asks for its last words.
        }
    }

    // A pipe of 1 MiB lets the tools of one chain work side by side instead of in turns; the kernel may refuse, which costs only speed.
    private static void Widen(Stream stream)
    {
        if (stream is PipeStream pipe)
        {
            Posix.SetPipeSize(pipe.SafePipeHandle, PipeBytes);
        }
    }
}
