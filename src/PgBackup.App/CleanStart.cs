using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace PgBackup.App;

/// <summary>
/// Gives this process the surroundings that it needs, whatever its parent left: three open standard descriptors, no blocked signal, and
/// children whose end is reported. Called before anything else.
/// </summary>
/// <remarks>
/// A descriptor that the parent closed (<c>2&gt;&amp;-</c> in a crontab) is taken by the runtime for a pipe of its own, and the first
/// message written to it aborts the process; later it would be a file of a store. Blocked signals are inherited by each thread, and by each
/// tool: the end of a child would never be noticed. Neither can be mended in a process that runs already, so it executes itself once more,
/// with the same id. Sources: execve(2), signal(7), sigprocmask(2).
/// </remarks>
internal static partial class CleanStart
{
    private const string Marker = "OLYMPUS_PGBACKUP_BEGAN_AGAIN";
    private const int ChildEnded = 17; // SIGCHLD
    private const int BrokenPipe = 13; // SIGPIPE
    private const int SetMask = 2; // SIG_SETMASK
    private const int GetDescriptorFlags = 1; // F_GETFD
    private const int CloseOnExec = 1; // FD_CLOEXEC
    private const int ReadWrite = 2; // O_RDWR
    private const int FileSize = 1; // RLIMIT_FSIZE
    private const int OpenFiles = 7; // RLIMIT_NOFILE
    private const int AddressSpace = 9; // RLIMIT_AS
    private const int SignalSetBytes = 128; // sigset_t, in glibc and musl

    /// <summary>
    /// How many files, pipes and connections this process may have open at the same time (<c>ulimit -n</c>); null where that is not known.
    /// Source: getrlimit(2).
    /// </summary>
    public static ulong? OpenFilesLimit() => GetLimit(OpenFiles, out Limit limit) == 0 ? limit.Current : null;

    /// <summary>How many bytes of address space this process may have (<c>ulimit -v</c>); null where that is not known. Source:
    /// getrlimit(2).</summary>
    public static ulong? AddressSpaceLimit() => GetLimit(AddressSpace, out Limit limit) == 0 ? limit.Current : null;

    /// <summary>How large a file may become by what this process writes, in bytes (<c>ulimit -f</c>); null where that is not known. Source:
    /// getrlimit(2).</summary>
    public static ulong? FileSizeLimit() => GetLimit(FileSize, out Limit limit) == 0 ? limit.Current : null;

    /// <summary>Mends what is wrong; does not return where the process has to begin again.</summary>
    public static unsafe void Ensure()
    {
        RemoveDiagnosticPorts();
        // Ignored, the kernel would forget the children of ours and of every tool before they could be asked for their exit code.
        _ = Signal(ChildEnded, 0);
        string id = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        bool began = Environment.GetEnvironmentVariable(Marker) == id;
        Environment.SetEnvironmentVariable(Marker, null);
        int[] closed = [.. Enumerable.Range(0, 3).Where(IsClosed)];
        ulong* mask = stackalloc ulong[SignalSetBytes / sizeof(ulong)];
        new Span<byte>(mask, SignalSetBytes).Clear();
        bool blocked = SignalMask(SetMask, null, mask) == 0 && *mask != 0;
        if (began || (closed.Length == 0 && !blocked) || Environment.ProcessPath is not { } program || Arguments() is not { } arguments)
        {
            return;
        }

        new Span<byte>(mask, SignalSetBytes).Clear();
        _ = SignalMask(SetMask, mask, null);
        _ = Signal(BrokenPipe, 0); // the runtime ignores it, which would outlive the call and reach the tools
        foreach (int descriptor in closed)
        {
            // Takes the place of the runtime's own pipe, which is of no use from here on.
            int nothing = Open("/dev/null", ReadWrite);
            if (nothing != descriptor)
            {
                _ = Duplicate(nothing, descriptor);
                _ = Close(nothing);
            }
        }

        _ = SetVariable(Marker, id, 1);
        _ = Execute(program, arguments);
    }

    // What is inherited cannot have that flag: it would have been closed. The runtime's own descriptors have it.
    private static bool IsClosed(int descriptor) =>
        Fcntl(descriptor, GetDescriptorFlags) is var flags && (flags < 0 || (flags & CloseOnExec) != 0);

    // The arguments as the kernel got them, ended by a null.
    private static string?[]? Arguments()
    {
        try
        {
            string[] arguments = Encoding.UTF8.GetString(File.ReadAllBytes("/proc/self/cmdline")).Split('\0');
            return [.. arguments[..^1], null];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // The runtime makes two pipes and a socket for debuggers, which a killed process would leave; only a variable in the environment would
    // prevent that. Their names have the process's id and the time of its start (field 22 of its stat, behind the name in parentheses).
    private static void RemoveDiagnosticPorts()
    {
        if (Environment.GetEnvironmentVariable("OLYMPUS_PGBACKUP_DEBUG") is "1")
        {
            return;
        }

        try
        {
            string stat = File.ReadAllText("/proc/self/stat");
            string start = stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19];
            string mark = string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}-{start}");
            string folder = Path.GetTempPath();
            foreach (
                string name in (string[])[$"clr-debug-pipe-{mark}-in", $"clr-debug-pipe-{mark}-out", $"dotnet-diagnostic-{mark}-socket"]
            )
            {
                File.Delete(Path.Combine(folder, name));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nothing depends on it: the runtime removes them when the process ends by itself.
        }
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Signal(int number, nint handler);

    [LibraryImport("libc", EntryPoint = "pthread_sigmask")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static unsafe partial int SignalMask(int how, ulong* set, ulong* before);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Fcntl(int descriptor, int command);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "dup2")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Duplicate(int from, int to);

    [LibraryImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int GetLimit(int resource, out Limit limit);

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Execute(string program, string?[] arguments);

    // struct rlimit
    [StructLayout(LayoutKind.Sequential)]
    private struct Limit
    {
        public nuint Current;
        public nuint Most;
    }
}
