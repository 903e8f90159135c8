using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace PgBackup.Tools;

/// <summary>
/// One <c>exec</c> into a container, and many tools run through it. A small shell script is started there once; it starts each
/// tool with its three standard streams on named pipes, which this host opens through <c>/proc/PID/root</c>.
/// </summary>
/// <remarks>
/// Why not one exec for each tool: an exec costs 0.2 to 0.4 s of CPU time, and every byte of its streams is copied three times
/// more (container, conmon, client, us), which at five databases made the night three times as long. Besides, a killed client
/// leaves its tool running in the container, while here the end of our process is the end of the script's stdin, upon which it
/// ends what it started and removes the pipes.
/// Arguments travel as data, one escaped line each, and are never parsed by the shell; the environment likewise, so that no
/// password is an argument anywhere.
/// </remarks>
internal sealed class ContainerShell : IAsyncDisposable
{
    // The first process of the container is Postgres itself. It takes every orphan that it inherits for one of its own backends, and
    // when one ends by a signal, or with another status than 0 or 1, it ends all connections and goes into crash recovery. So nothing
    // here may outlive its parent: the script waits for all it started, a reader that is gone is an error and no SIGPIPE, and a tool is
    // ended by TERM, upon which pg_restore ends its workers first; KILL is for one that does not go.
    // Protocol: "start ID N M" is followed by N lines NAME=VALUE and M lines of arguments, all escaped for printf %b; "kill ID SIGNAL"; "done ID".
    // Replies: "pipes ID", "started ID", "exit ID CODE". Every value is ended by a dot, since $( ) strips trailing newlines.
    private const string Script =
        """
        umask 077; d=$1; scratch=$2; mkdir -p "$d" && cd "$d" || exit 1
        exec 3>&1
        trap '' HUP INT TERM PIPE
        echo "ready $$" >&3
        while IFS= read -r line; do
          set -- $line
          verb=$1 id=$2 envs=$3 args=$4
          case $verb in
          start)
            mkfifo "$id.in" "$id.out" "$id.err" && echo "pipes $id" >&3 || echo "exit $id 125" >&3
            set --
            n=0; while [ $n -lt $envs ]; do IFS= read -r v; v=$(printf '%b.' "$v"); set -- "$@" "${v%.}"; n=$((n + 1)); done
            n=0; while [ $n -lt $args ]; do IFS= read -r v; v=$(printf '%b.' "$v"); set -- "$@" "${v%.}"; n=$((n + 1)); done
            : >"$id.pid"
            (
              ( exec <"$id.in" >"$id.out" 2>"$id.err"
                n=0; while [ $n -lt $envs ]; do export "$1"; shift; n=$((n + 1)); done
                until [ -s "$id.pid" ]; do :; done
                echo "started $id" >&3; exec 3>&-; trap - HUP INT TERM; exec "$@" ) &
              p=$!; echo $p >"$id.pid"; wait $p; c=$?; rm -f "$id.pid"; echo "exit $id $c" >&3; exit 0
            ) 2>/dev/null </dev/null & ;;
          kill) kill -"$3" "$(cat "$id.pid" 2>/dev/null)" 2>/dev/null ;;
          done) rm -f "$id.in" "$id.out" "$id.err" ;;
          esac
        done
        n=0 with=TERM
        while :; do
          set -- *.pid; [ -e "$1" ] || break
          [ $n -lt 30 ] || with=KILL
          for f; do kill -$with "$(cat "$f" 2>/dev/null)" 2>/dev/null; done; sleep 0.1; n=$((n + 1))
        done
        wait
        cd / && rm -rf "$d" "$scratch"
        """;

    private readonly ToolProcess shell;
    private readonly string hostFolder;
    private readonly ConcurrentDictionary<string, Running> tools = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim writing = new(1, 1);
    private readonly Task replies;
    private readonly StreamReader reader;
    private int next;

    private ContainerShell(ToolProcess shell, StreamReader reader, string hostFolder)
    {
        this.shell = shell;
        this.reader = reader;
        this.hostFolder = hostFolder;
        replies = ReadRepliesAsync();
    }

    /// <summary>The arguments that make a container's <c>sh</c> run the script with its pipes in a folder.</summary>
    public static string[] Arguments(string folder) => ["-c", Script, "olympus-pgbackup", folder, ScratchOf(folder)];

    /// <summary>The folder for files, which the script removes at its end together with that of the pipes.</summary>
    public static string ScratchOf(string folder) => $"/tmp/{Path.GetFileName(folder)}";

    /// <summary>Takes over a just started script; <paramref name="hostFolder"/> is the pipes' folder as this host sees it.</summary>
    /// <returns>The shell, or null when this host cannot see into the container (rootless, remote engines).</returns>
    public static async Task<ContainerShell?> OpenAsync(ToolProcess shell, Func<CancellationToken, Task<string?>> hostFolder, CancellationToken cancel)
    {
        var reader = new StreamReader(shell.Output, new UTF8Encoding(false), false, -1, leaveOpen: true);
        string? hello = await reader.ReadLineAsync(cancel);
        if (hello is null || !hello.StartsWith("ready ", StringComparison.Ordinal))
        {
            throw ToolFailure.Of(shell.Command, await shell.WaitAsync(cancel), shell.Errors);
        }

        string? folder = await hostFolder(cancel);
        if (folder is null || !Directory.Exists(folder))
        {
            reader.Dispose();
            await CloseAsync(shell);
            return null;
        }

        return new ContainerShell(shell, reader, folder);
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
        await CloseAsync(shell);
        await replies;
        reader.Dispose();
        writing.Dispose();
    }

    private static async Task CloseAsync(ToolProcess shell)
    {
        try
        {
            await shell.Input.DisposeAsync();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            await shell.WaitAsync(patience.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            shell.Kill();
        }

        await shell.DisposeAsync();
    }

    // For printf %b: all but plain characters as \0ooo.
    private static string Escape(string value)
    {
        var text = new StringBuilder();
        foreach (byte b in Encoding.UTF8.GetBytes(value))
        {
            if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'-' or (byte)'_' or (byte)'=' or (byte)'/' or (byte)'.' or (byte)':')
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
            await shell.Input.WriteAsync(Encoding.UTF8.GetBytes(text), cancel);
            await shell.Input.FlushAsync(cancel);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw new PgBackupException(
                ErrorCode.ContainerUnavailable, $"the connection into the container is lost: {string.Join(" ", shell.Errors.TakeLast(3))}", null, e);
        }
        finally
        {
            writing.Release();
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

        // The container is gone, or the engine: whatever ran there has not succeeded.
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
            try
            {
                await owner.SendAsync($"done {id}\n", CancellationToken.None);
            }
            catch (PgBackupException)
            {
                // The container is gone, and its pipes with it.
            }
            catch (ObjectDisposedException)
            {
                // The shell was closed first, which removes all pipes.
            }
        }

        private async Task SendKillAsync()
        {
            try
            {
                await owner.SendAsync($"kill {id} TERM\n", CancellationToken.None);
                await Task.WhenAny(exit.Task, Task.Delay(TimeSpan.FromSeconds(5), CancellationToken.None));
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
            Posix.OpenPipe(path, mode) ?? throw new PgBackupException(
                ErrorCode.ContainerUnavailable, $"the pipe {path} of the container cannot be opened (errno {Marshal.GetLastPInvokeError()}).");
    }
}
