using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PgBackup.Host;

/// <summary>The few calls of the C library that .NET does not offer: named pipes, pipe sizes, reading without a lock, fsync of a
/// folder, and whether another process is there, and an interrupt for it.</summary>
internal static partial class Posix
{
    public const int ReadOnly = 0;
    public const int WriteOnly = 1;
    public const int ReadWrite = 2;

    internal const int NonBlocking = 0x800;
    internal const int CloseOnExec = 0x80000;
    private const int Interrupted = 2; // SIGINT
    private const int Terminated = 15; // SIGTERM
    private const int NoSuchProcess = 3; // ESRCH
    private const int SetFlagsCommand = 4; // F_SETFL
    private const int SetPipeSizeCommand = 1031; // F_SETPIPE_SZ

    // O_NOFOLLOW and O_DIRECTORY differ by architecture (asm-generic and arm).
    internal static readonly int NoFollow = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;
    internal static readonly int DirectoryOnly = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x4000 : 0x10000;

    /// <summary>Opens a named pipe without waiting for its other end; null when that is not possible.</summary>
    public static SafePipeHandle? OpenPipe(string path, int mode)
    {
        int fd = Open(path, mode | NonBlocking | NoFollow | CloseOnExec, 0);
        if (fd < 0)
        {
            return null;
        }

        // Only the open must not wait; reads and writes do, as on the pipes of a child process.
        _ = Fcntl(fd, SetFlagsCommand, mode);
        return new SafePipeHandle(fd, ownsHandle: true);
    }

    /// <summary>Opens a file to read it, without the lock that .NET would take.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static SafeFileHandle OpenToRead(string path)
    {
        int fd = Open(path, ReadOnly | NonBlocking | NoFollow | CloseOnExec, 0);
        return fd >= 0
            ? new SafeFileHandle(fd, ownsHandle: true)
            : throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
    }

    /// <summary>Asks for a larger pipe; the kernel may refuse.</summary>
    public static void SetPipeSize(SafePipeHandle pipe, int bytes)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = FcntlHandle(pipe, SetPipeSizeCommand, bytes);
        }
    }

    /// <summary>Makes the names in a folder durable (a rename is only in memory until then).</summary>
    /// <exception cref="IOException">The folder cannot be opened or synchronised.</exception>
    public static void SyncFolder(string path)
    {
        int fd = Open(path, ReadOnly | DirectoryOnly | CloseOnExec, 0);
        int error = fd < 0 ? Marshal.GetLastPInvokeError() : 0;
        if (fd >= 0)
        {
            error = Fsync(fd) < 0 ? Marshal.GetLastPInvokeError() : 0;
            _ = Close(fd);
        }

        // EINVAL: some network file systems cannot synchronise a folder, and have no write cache for names either.
        if (error is not 0 and not 22)
        {
            throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(error)}");
        }
    }

    /// <summary>What Ctrl-C does to a process; nothing happens when it has ended, or is somebody else's.</summary>
    public static void Interrupt(int process) => _ = Kill(process, Interrupted);

    /// <summary>Asks a process to end (SIGTERM); nothing happens when it has ended, or is somebody else's.</summary>
    public static void Terminate(int process) => _ = Kill(process, Terminated);

    /// <summary>Becomes another program, as the same process (execv(3)). Returns only if that fails.</summary>
    /// <param name="file">Its path.</param>
    /// <param name="arguments">Its arguments; the first is its own name.</param>
    /// <returns>Why it failed.</returns>
    public static string Become(string file, IReadOnlyList<string> arguments)
    {
        _ = Execute(file, [.. arguments, null]);
        return Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
    }

    /// <summary>A process has this id, whoever it belongs to and whether or not <c>/proc</c> shows it.</summary>
    public static bool IsThere(int process) => Kill(process, 0) == 0 || Marshal.GetLastPInvokeError() != NoSuchProcess;

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "execv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Execute(string file, string?[] arguments);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Fsync(int fd);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Fcntl(int fd, int command, int argument);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int FcntlHandle(SafeHandle fd, int command, int argument);
}
