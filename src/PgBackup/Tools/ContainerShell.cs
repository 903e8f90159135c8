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
/// leaves its tool running in the container. Here the script reads its requests from a named pipe whose other end only this process
/// holds: however it ends, and whatever became of the engine's client, that pipe ends, upon which the script ends what it started and
/// removes its files.
/// Arguments travel as data, a line each, escaped where they have a backslash, a control character or no ASCII, and are never parsed by the shell; the environment likewise, so that no
/// password is an argument anywhere.
/// </remarks>
internal sealed class ContainerShell : IAsyncDisposable
{
    // The first process of the container is Postgres itself. It takes every orphan that it inherits for one of its own backends, and
    // when one ends by a signal, or with another status than 0 or 1, it ends all connections and goes into crash recovery. So nothing
    // here may outlive its parent: the script waits for all it started, a reader that is gone is an error and no SIGPIPE, and a tool is
    // ended by TERM, upon which pg_restore ends its workers first; KILL is for one that does not go.
    // Each process is known by its id and the time of its start (field 22 of its stat), so that no signal goes to another one with that id.
    // Protocol: "start ID N M" is followed by N lines NAME=VALUE and M lines of arguments, those with a backslash escaped for printf %b; "kill ID SIGNAL"; "ask".
    // Replies: "ready", "joined"; "pipes ID", "started ID", "exit ID CODE". What printf wrote is ended by a dot, since $( ) strips trailing newlines.
    // A part of the script that waits for a tool may be killed, by the kernel for want of memory for instance: then nobody would tell the tool's end.
    // "ask" has each such part looked at; of one that is gone, "exit ID 137" is told, which means nothing where another code came before.
    // Processes are what costs, a tool's own beside them little: one makes the pipes of the next tools at once, and no plain value needs one.
    // ID.pid is empty until the tool's process is known; ID.end, without a byte, says that it has ended. A full /dev/shm takes files without a byte,
    // but no number; that is what the reserve is given up for, so that what fills it can be removed.
    // A script that died itself (with its container, or killed) leaves folders: the next one removes those of its own host's name. Folders in
    // /dev/shm may belong to another container that shares it, with its host's name too if both are in a pod. There the namespace of processes must
    // be the same, or, of an earlier life of this container (its memory outlives a restart), the file system at its root.
    // One that was killed before it wrote its owner leaves a folder without; it is removed at the end of the next script that found it at its start.
    // Everybody may make names in both places: only a plain file of this user, in a folder of this user, is read and believed.
    private const string Script =
        """
        umask 077; d=$1; scratch=$2; patience=$3
        start() { s=; { read -r s <"/proc/$1/stat"; } 2>/dev/null; s=${s##*) }; set -- $s; start=${20-}; }
        alive() { [ -n "$2" ] && start "$1" && [ "$start" = "$2" ]; }
        host=; { read -r host </proc/sys/kernel/hostname; } 2>/dev/null
        space=$(readlink /proc/self/ns/pid 2>/dev/null); space=${space:-none}
        mark=
        { while read -r a b c root point rest; do
            [ "$point" = / ] || continue
            case $rest in *upperdir=*) mark=${rest#*upperdir=}; mark=${mark%%,*} ;; *) mark="$root ${rest##* - }" ;; esac
          done </proc/self/mountinfo; } 2>/dev/null
        orphans=
        for f in /dev/shm/olympus-pgbackup-exec-* /tmp/olympus-pgbackup-exec-*; do
          case ${f##*-} in ''|*[!0-9a-f]*) continue ;; esac
          [ -d "$f" ] && [ ! -L "$f" ] && [ -O "$f" ] && [ ! -s "$f/owner" ] && orphans="$orphans $f"
        done
        for f in /dev/shm/olympus-pgbackup-*/owner /tmp/olympus-pgbackup-*/owner; do
          own=${f%/owner}
          [ -O "$own" ] && [ ! -L "$own" ] && [ -f "$f" ] && [ ! -L "$f" ] && [ -O "$f" ] || continue
          { read -r h n p s m <"$f"; } 2>/dev/null || continue
          [ "$h" = "$host" ] || continue
          if [ "$n" = "$space" ]; then alive "$p" "$s" && continue; else case $f in /dev/shm/*) [ -n "$m" ] && [ "$m" = "$mark" ] || continue ;; esac; fi
          rm -rf "$own"
        done
        made=0
        pipes() { set -- "$1"; n=$made; while [ $n -lt $(($1 + 15)) ]; do n=$((n + 1)); set -- "$@" $n.in $n.out $n.err; done; shift; mkfifo "$@" && made=$n || { rm -f "$@"; return 1; }; }
        reserve() { printf '%65536s' '' >reserve; } 2>/dev/null
        note() { { echo "$2" >"$1"; } 2>/dev/null || { : >reserve; echo "$2" >"$1"; }; }
        mkdir "$d" && cd "$d" && mkfifo command && pipes 1 && start $$ && echo "$host $space $$ $start $mark" >owner || { rm -rf "$d"; exit 1; }
        reserve
        exec 3>&1
        trap '' HUP INT TERM PIPE
        end() {
          n=0 with=TERM
          while [ $n -lt 100 ]; do
            [ $n -lt 30 ] || with=KILL
            left=
            for f in *.pid; do
              [ -e "$f" ] && [ ! -e "${f%.pid}.end" ] || continue
              p=; t=; { read -r p t <"$f"; } 2>/dev/null
              left=1; alive "$p" "$t" && kill -$with "$p" 2>/dev/null
            done
            [ -n "$left" ] || break
            sleep 0.1; n=$((n + 1))
          done
          wait
          cd / && rm -rf "$d" "$scratch"
          for f in $orphans; do [ -s "$f/owner" ] || rm -rf "$f"; done
        }
        trap end EXIT
        ( trap - EXIT
          n=0; while [ $n -lt "$patience" ] && [ ! -e joined ] && kill -0 $$ 2>/dev/null; do sleep 0.1; n=$((n + 1)); done
          [ -e joined ] || : <>command
        ) 3>&- >/dev/null 2>&1 </dev/null &
        echo "ready" >&3
        exec <command
        : >joined
        echo "joined" >&3
        workers=
        while IFS= read -r line; do
          set -- $line
          verb=$1 id=$2 envs=$3 args=$4
          case $verb in
          start)
            if [ "$id" -le $made ] || pipes "$id"; then echo "pipes $id" >&3; else echo "exit $id 125" >&3; fi
            set --
            n=0; while [ $n -lt $((envs + args)) ]; do
              IFS= read -r v
              case $v in *\\*) v=$(printf '%b.' "$v"); v=${v%.} ;; esac
              set -- "$@" "$v"; n=$((n + 1))
            done
            [ -s reserve ] || reserve
            : >"$id.pid"
            (
              trap - EXIT
              ( exec <"$id.in" >"$id.out" 2>"$id.err"
                n=0; while [ $n -lt $envs ]; do export "$1"; shift; n=$((n + 1)); done
                until [ -s "$id.pid" ]; do :; done
                echo "started $id" >&3; exec 3>&-; trap - HUP INT TERM; exec "$@" ) &
              p=$!; start $p; note "$id.pid" "$p $start" || kill -KILL $p
              wait $p; c=$?; : >"$id.end"; : >"$id.pid"; echo "exit $id $c" >&3; exit 0
            ) 2>/dev/null </dev/null &
            workers="$workers $id:$!" ;;
          ask)
            left=
            for w in $workers; do
              id=${w%%:*} s=
              { read -r s <"/proc/${w#*:}/stat"; } 2>/dev/null
              case ${s##*) } in
              ''|[ZX]*)
                p= t=; { read -r p t <"$id.pid"; } 2>/dev/null; alive "$p" "$t" || : >"$id.end"
                echo "exit $id 137" >&3 ;;
              *) left="$left $w" ;;
              esac
            done
            workers=$left ;;
          kill) p= t=; { read -r p t <"$id.pid"; } 2>/dev/null; alive "$p" "$t" && kill -"$envs" "$p" 2>/dev/null ;;
          esac
        done
        exit 0
        """;

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
    private volatile bool lost;
    private int next;

    private ContainerShell(ToolProcess shell, StreamReader reader, Stream requests, string hostFolder)
    {
        this.shell = shell;
        this.requests = requests;
        this.reader = reader;
        this.hostFolder = hostFolder;
        replies = ReadRepliesAsync();
        asking = AskAsync();
    }

    /// <summary>
    /// The arguments that make a container's <c>sh</c> run the script with its pipes in a folder. It waits so many seconds for this host to
    /// open the first of them, which may have been killed, or cannot see into the container.
    /// </summary>
    public static string[] Arguments(string folder, int patience) => ["-c", Script, "olympus-pgbackup", folder, ScratchOf(folder),
        (patience * 10).ToString(CultureInfo.InvariantCulture)];

    /// <summary>The arguments of an exec that ends a script whose pipe this host cannot open.</summary>
    public static string[] EndArguments(string folder) => ["-c", ": <>\"$1/command\"", "olympus-pgbackup", folder];

    /// <summary>The folder for files, which the script removes at its end together with that of the pipes.</summary>
    public static string ScratchOf(string folder) => $"/tmp/{Path.GetFileName(folder)}";

    /// <summary>
    /// Takes over a just started script; <paramref name="hostFolder"/> is the pipes' folder as this host sees it, and
    /// <paramref name="end"/> ends the script where this host cannot.
    /// </summary>
    /// <param name="shell">The engine's client.</param>
    /// <param name="hostFolder">The folder of the pipes, once the script is there.</param>
    /// <param name="end">Ends the script.</param>
    /// <param name="patience">How long each of the script's answers is waited for.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The shell, or null when this host cannot see into the container (rootless, remote engines).</returns>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.ContainerUnavailable"/>: no answer came in time. <see cref="ErrorCode.ToolFailed"/> or
    /// <see cref="ErrorCode.ToolMissing"/>: the script did not run.
    /// </exception>
    public static async Task<ContainerShell?> OpenAsync(
        ToolProcess shell, Func<CancellationToken, Task<string?>> hostFolder, Func<Task> end, TimeSpan patience, CancellationToken cancel)
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
            await CloseAsync(shell);
            return null;
        }

        await ExpectAsync("joined");
        // Write only: when the script ends, a write fails.
        SafePipeHandle handle = Posix.OpenPipe(pipe, Posix.WriteOnly) ?? throw ToolFailure.Of(shell.Command, 1, shell.Errors);
        return new ContainerShell(shell, reader, new AnonymousPipeClientStream(PipeDirection.Out, handle), folder);

        async Task ExpectAsync(string word)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(patience);
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
                    string.Create(CultureInfo.InvariantCulture, $"{shell.Command.Label} gave no answer within {patience.TotalSeconds:0.#} s{(words.Length > 0 ? $": {words}" : ".")}"),
                    "Try it by hand. If that hangs too, the container is paused, or the engine or its disk hangs: restart the container.");
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
        await CloseAsync(shell);
        await replies;
        reader.Dispose();
        writing.Dispose();
        ending.Dispose();
    }

    private static async Task CloseAsync(ToolProcess shell)
    {
        try
        {
            await shell.Input.DisposeAsync();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15));
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
                throw new IOException("nobody answers");
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw new PgBackupException(
                ErrorCode.ContainerUnavailable, $"the connection into the container is lost: {Quotation.Joined(shell.Errors, 3, " ")}",
                    null, e);
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
                await Task.Delay(AskingEvery, ending.Token);
                if (!tools.IsEmpty)
                {
                    await SendAsync("ask\n", ending.Token);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or PgBackupException)
        {
            // It ends, or is lost, which all tools are told.
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
