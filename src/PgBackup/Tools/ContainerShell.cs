using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using PgBackup.Host;

namespace PgBackup.Tools;

/// <summary>
/// One <c>exec</c> into a container, and many tools run through it. A small shell script is started there once; it starts each
/// tool with its three standard streams on named pipes, which this host opens through <c>/proc/PID/root</c>.
/// </summary>
/// <remarks>
/// Why not one exec for each tool: an exec costs 0.2 to 0.4 s of CPU time, and every byte of its streams is copied three times
/// more (container, conmon, client, us), which at five databases made the night three times as long. Also, a killed client
/// leaves its tool running in the container. Here the script reads its requests from a named pipe whose other end only this process
/// holds: however it ends, and whatever became of the engine's client, that pipe ends, upon which the script ends what it started and
/// removes its files.
/// Arguments travel as data, a line each, escaped where they have a backslash, a control character or no ASCII, and are never parsed by the
/// shell; the environment likewise, so that no password is an argument anywhere.
/// </remarks>
internal sealed class ContainerShell : IAsyncDisposable
{
    private static readonly TimeSpan AskingEvery = TimeSpan.FromSeconds(5);

    private readonly ToolProcess shell;
    private readonly string hostFolder;
    private readonly ConcurrentDictionary<string, Running> tools = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim writing = new(1, 1);
    private readonly CancellationTokenSource ending = new();
    private readonly Task replies;
    private readonly Task asking;
    private readonly StreamReader reader;
    private readonly Stream requests;
    private readonly TimeProvider clock;
    private volatile bool lost;
    private int next;

    private ContainerShell(ToolProcess shell, StreamReader reader, Stream requests, string hostFolder, TimeProvider clock)
    {
        this.clock = clock;
        this.shell = shell;
        this.requests = requests;
        this.reader = reader;
        this.hostFolder = hostFolder;
        replies = ReadRepliesAsync();
        asking = AskAsync();
    }

    /// <summary>
    /// Takes over a just started script; <paramref name="hostFolder"/> is the pipes' folder as this host sees it, and
    /// <paramref name="end"/> ends the script where this host cannot.
    /// </summary>
    /// <param name="shell">The engine's client.</param>
    /// <param name="hostFolder">The folder of the pipes, once the script is there.</param>
    /// <param name="end">Ends the script.</param>
    /// <param name="patience">How long each of the script's answers is waited for.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The shell, or null when this host cannot see into the container (rootless, remote engines).</returns>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.ContainerUnavailable"/>: no answer came in time. <see cref="ErrorCode.ToolFailed"/> or
    /// <see cref="ErrorCode.ToolMissing"/>: the script did not run.
    /// </exception>
    public static async Task<ContainerShell?> OpenAsync(
        ToolProcess shell,
        Func<CancellationToken, Task<string?>> hostFolder,
        Func<Task> end,
        TimeSpan patience,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        var reader = new StreamReader(shell.Output, new UTF8Encoding(false), false, -1, leaveOpen: true);
        await ExpectAsync("ready");
        string? folder = await hostFolder(cancel);
        string pipe = Path.Combine(folder ?? "", "command");
        using SafePipeHandle? holder = folder is null ? null : Posix.OpenPipe(pipe, Posix.ReadWrite);
        if (folder is null || holder is null)
        {
            await end();
            reader.Dispose();
            await CloseAsync(shell, clock);
            return null;
        }

        await ExpectAsync("joined");
        // Write only: when the script ends, a write fails.
        SafePipeHandle handle = Posix.OpenPipe(pipe, Posix.WriteOnly) ?? throw ToolFailure.Of(shell.Command, 1, shell.Errors);
        return new ContainerShell(shell, reader, new AnonymousPipeClientStream(PipeDirection.Out, handle), folder, clock);

        async Task ExpectAsync(string word)
        {
            using var late = new CancellationTokenSource(patience, clock);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel, late.Token);
            try
            {
                // The wait is given up, not the read, which blocks as long as the client lives.
                if (await reader.ReadLineAsync(CancellationToken.None).AsTask().WaitAsync(limit.Token) != word)
                {
                    throw ToolFailure.Of(shell.Command, await shell.WaitAsync(limit.Token), shell.Errors);
                }
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                string words = Quotation.Joined(shell.Errors, 3, " ");
                throw new PgBackupException(
                    ErrorCode.ContainerUnavailable,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{shell.Command.Label} gave no answer within {patience.TotalSeconds:0.#} "
                            + $"s{(words.Length > 0 ? $": {words}" : ".")}"
                    ),
                    "Try it by hand. If that hangs too, the container is paused, or the engine or its disk hangs: restart the container."
                );
            }
        }
    }

    /// <summary>Starts one tool in the container.</summary>
    public async Task<ToolProcess> StartAsync(ToolCommand command, CancellationToken cancel)
    {
        string id = Interlocked.Increment(ref next).ToString(CultureInfo.InvariantCulture);
        var running = new Running(this, id);
        tools[id] = running;
        List<string> variables = [.. command.Environment.Where(static v => v.Value is not null).Select(static v => $"{v.Key}={v.Value}")];
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"start {id} {variables.Count} {command.Arguments.Count + 1}\n");
        foreach (string value in (IEnumerable<string>)[.. variables, command.FileName, .. command.Arguments])
        {
            text.Append(Escape(value)).Append('\n');
        }

        await SendAsync(text.ToString(), cancel);
        await running.Pipes.Task.WaitAsync(cancel);
        running.Connect(hostFolder);
        // The tool's side is open by now, and only now does the end of a pipe mean its end.
        await Task.WhenAny(running.Started.Task, running.Exit).WaitAsync(cancel);
        running.Connected();
        return new ToolProcess(command, running);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await asking;
        await requests.DisposeAsync();
        await CloseAsync(shell, clock);
        await replies;
        reader.Dispose();
        writing.Dispose();
        ending.Dispose();
    }

    private static async Task CloseAsync(ToolProcess shell, TimeProvider clock)
    {
        try
        {
            await shell.Input.DisposeAsync();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15), clock);
            await shell.WaitAsync(patience.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            shell.Kill();
        }

        await shell.DisposeAsync();
    }

    // For printf %b: what ends a line or is no ASCII, and the backslash itself, as \0ooo.
    private static string Escape(string value)
    {
        var text = new StringBuilder();
        foreach (byte b in Encoding.UTF8.GetBytes(value))
        {
            if (b is >= (byte)' ' and < 0x7f and not (byte)'\\')
            {
                text.Append((char)b);
            }
            else
            {
                text.Append("\\0").Append(Convert.ToString(b, 8).PadLeft(3, '0'));
            }
        }

        return text.ToString();
    }

    private async Task SendAsync(string text, CancellationToken cancel)
    {
        await writing.WaitAsync(cancel);
        try
        {
            await requests.WriteAsync(Encoding.UTF8.GetBytes(text), cancel);
            if (lost)
            {
                throw new IOException("no answer");
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw new PgBackupException(
                ErrorCode.ContainerUnavailable,
                $"the connection into the container is lost: {Quotation.Joined(shell.Errors, 3, " ")}",
                null,
                e
            );
        }
        finally
        {
            writing.Release();
        }
    }

    private async Task AskAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(AskingEvery, clock, ending.Token);
                if (!tools.IsEmpty)
                {
                    await SendAsync("ask\n", ending.Token);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or PgBackupException)
        {
            // It ends, or is lost, and all tools learn that.
        }
    }

    private async Task ReadRepliesAsync()
    {
        try
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                string[] words = line.Split(' ');
                if (words.Length >= 2 && tools.TryGetValue(words[1], out Running? tool))
                {
                    tool.Reply(words);
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // as at its end
        }

        // The container is gone, or the engine's client: whatever ran there has not succeeded. If the script is there still, it ends now.
        lost = true;
        await requests.DisposeAsync();
        foreach (Running tool in tools.Values)
        {
            tool.Reply(["exit", "", "137"]);
        }
    }

    private sealed class Running(ContainerShell owner, string id) : IRunningTool
    {
        private readonly TaskCompletionSource<int> exit = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private PipeStream? input;
        private AnonymousPipeClientStream? output;
        private AnonymousPipeClientStream? error;
        private SafePipeHandle? holder;
        private string inputPath = "";

        public TaskCompletionSource Pipes { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Started { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<int> Exit => exit.Task;

        public Stream Input => input!;

        public Stream Output => output!;

        public Stream Error => error!;

        public void Reply(string[] words)
        {
            switch (words[0])
            {
                case "pipes":
                    Pipes.TrySetResult();
                    break;
                case "started":
                    Started.TrySetResult();
                    break;
                case "exit":
                    Pipes.TrySetException(new PgBackupException(ErrorCode.ContainerUnavailable, "no pipes can be made in the container."));
                    exit.TrySetResult(int.TryParse(words[2], CultureInfo.InvariantCulture, out int code) ? code : 1);
                    break;
                default:
                    break;
            }
        }

        public void Connect(string folder)
        {
            output = new AnonymousPipeClientStream(PipeDirection.In, Open(Path.Combine(folder, id + ".out"), Posix.ReadOnly));
            error = new AnonymousPipeClientStream(PipeDirection.In, Open(Path.Combine(folder, id + ".err"), Posix.ReadOnly));
            inputPath = Path.Combine(folder, id + ".in");
            // Read and write, so that the open does not wait for the tool; held only until the tool has opened its end.
            holder = Open(inputPath, Posix.ReadWrite);
        }

        public void Connected()
        {
            // Write only: when the tool ends, a write fails, as with any pipe.
            SafePipeHandle? handle = Posix.OpenPipe(inputPath, Posix.WriteOnly);
            input = handle is null ? BrokenPipe() : new AnonymousPipeClientStream(PipeDirection.Out, handle);
            holder!.Dispose();
        }

        public void Kill()
        {
            if (!exit.Task.IsCompleted)
            {
                _ = SendKillAsync();
            }
        }

        public async ValueTask DisposeAsync()
        {
            owner.tools.TryRemove(id, out _);
            await error!.DisposeAsync();
        }

        private async Task SendKillAsync()
        {
            try
            {
                await owner.SendAsync($"kill {id} TERM\n", CancellationToken.None);
                await Task.WhenAny(exit.Task, Task.Delay(TimeSpan.FromSeconds(5), owner.clock, CancellationToken.None));
                if (!exit.Task.IsCompleted)
                {
                    await owner.SendAsync($"kill {id} KILL\n", CancellationToken.None); // whoever reads its output waits for its end
                }
            }
            catch (Exception e) when (e is PgBackupException or ObjectDisposedException)
            {
                // Nobody is left to be killed.
            }
        }

        // The tool has ended already: every write must fail.
        private static AnonymousPipeServerStream BrokenPipe()
        {
            var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
            pipe.DisposeLocalCopyOfClientHandle();
            return pipe;
        }

        private static SafePipeHandle Open(string path, int mode) =>
            Posix.OpenPipe(path, mode)
            ?? throw new PgBackupException(
                ErrorCode.ContainerUnavailable,
                $"the pipe {path} of the container cannot be opened (errno {Marshal.GetLastPInvokeError()})."
            );
    }
}
