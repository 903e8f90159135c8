using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PgBackup.Host;

/// <summary>The calls that work below an open folder, whatever happens to the names above it, and never through a link.</summary>
internal static partial class Posix
{
    public const int Create = 0x40; // O_CREAT
    public const int Exclusive = 0x80; // O_EXCL

    public const int NoEntry = 2; // ENOENT
    public const int WouldBlock = 11; // EWOULDBLOCK
    public const int Exists = 17; // EEXIST
    public const int NoFolder = 20; // ENOTDIR
    public const int NotEmpty = 39; // ENOTEMPTY

    private const int BusyInterrupted = 4; // EINTR
    private const int WorkingFolder = -100; // AT_FDCWD
    private const int LinkItself = 0x100; // AT_SYMLINK_NOFOLLOW
    private const int RemoveFolderFlag = 0x200; // AT_REMOVEDIR
    private const int BasicFacts = 0x7FF; // STATX_BASIC_STATS
    private const int LockAlone = 2 | 4; // LOCK_EX | LOCK_NB
    private const int LockGivenBack = 8; // LOCK_UN

    /// <summary>The number of the user that this process acts as.</summary>
    public static uint User => EffectiveUser();

    /// <summary>What a path stands for; null when there is nothing.</summary>
    /// <param name="path">A path from the root or the working folder.</param>
    /// <param name="follow">Looks at what a link at its end leads to, and not at the link.</param>
    /// <exception cref="IOException">It cannot be looked at.</exception>
    public static FileFacts? Look(string path, bool follow) => Look(WorkingFolder, path, follow ? 0 : LinkItself);

    /// <summary>What a name in a folder stands for, a link not followed; null when there is none.</summary>
    /// <exception cref="IOException">It cannot be looked at.</exception>
    public static FileFacts? LookAt(SafeFileHandle folder, string name) => With(folder, fd => Look(fd, name, LinkItself));

    /// <summary>Opens a name in a folder, and no link; an error number instead of a handle where that is not possible.</summary>
    public static (SafeFileHandle? Handle, int Error) OpenAt(SafeFileHandle folder, string name, int flags, UnixFileMode mode = 0) =>
        With(
            folder,
            fd =>
            {
                int opened = OpenAt(fd, name, flags | NoFollow | CloseOnExec, (int)mode);
                return opened < 0
                    ? ((SafeFileHandle?)null, Marshal.GetLastPInvokeError())
                    : (new SafeFileHandle(opened, ownsHandle: true), 0);
            }
        );

    /// <summary>Opens a folder by its path; links in the path are followed.</summary>
    public static (SafeFileHandle? Handle, int Error) OpenFolder(string path)
    {
        int opened = Open(path, ReadOnly | DirectoryOnly | CloseOnExec, 0);
        return opened < 0 ? (null, Marshal.GetLastPInvokeError()) : (new SafeFileHandle(opened, ownsHandle: true), 0);
    }

    /// <summary>Makes a folder of exactly this mode. Returns an error number, or 0.</summary>
    public static int MakeFolderAt(SafeFileHandle folder, string name, UnixFileMode mode) =>
        With(folder, fd => Result(MkdirAt(fd, name, (int)mode)));

    /// <summary>Gives a file another name within its folder; a file (or link) of that name is replaced. Returns an error number, or
    /// 0.</summary>
    public static int RenameAt(SafeFileHandle folder, string from, string to) => With(folder, fd => Result(RenameAt(fd, from, fd, to)));

    /// <summary>Removes a name that is no folder. Returns an error number, or 0.</summary>
    public static int RemoveFileAt(SafeFileHandle folder, string name) => With(folder, fd => Result(UnlinkAt(fd, name, 0)));

    /// <summary>Removes an empty folder. Returns an error number, or 0.</summary>
    public static int RemoveFolderAt(SafeFileHandle folder, string name) =>
        With(folder, fd => Result(UnlinkAt(fd, name, RemoveFolderFlag)));

    /// <summary>Makes a file, or the names in a folder, durable. Returns an error number, or 0.</summary>
    public static int Sync(SafeFileHandle file) => With(file, static fd => Result(Fsync(fd)));

    /// <summary>Takes an open file for this process alone, without waiting. Returns an error number, or 0.</summary>
    public static int LockWhole(SafeFileHandle file) => With(file, static fd => Result(Flock(fd, LockAlone)));

    /// <summary>
    /// Gives such a file back. To close it is not enough: a child that is just being started has it open too until it becomes another
    /// program.
    /// Returns an error number, or 0.
    /// </summary>
    public static int Unlock(SafeFileHandle file) => With(file, static fd => Result(Flock(fd, LockGivenBack)));

    /// <summary>All names in a folder but <c>.</c> and <c>..</c>, in no order.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static List<string> Names(SafeFileHandle folder) =>
        With(
            folder,
            static fd =>
            {
                // A stream of a folder closes what it was made of, and has a position of its own.
                int own = OpenAt(fd, ".", ReadOnly | DirectoryOnly | CloseOnExec, 0);
                nint stream = own < 0 ? 0 : FdOpenDir(own);
                if (stream == 0)
                {
                    throw Failure("a folder cannot be read", Marshal.GetLastPInvokeError());
                }

                try
                {
                    List<string> names = [];
                    while (true)
                    {
                        nint entry = ReadDir(stream);
                        if (entry == 0)
                        {
                            int error = Marshal.GetLastPInvokeError();
                            return error == 0 ? names : throw Failure("a folder cannot be read", error);
                        }

                        // struct dirent of 64-bit Linux: two numbers of 8 bytes, one of 2, one of 1, then the name.
                        if (Marshal.PtrToStringUTF8(entry + 19) is { } name and not ("." or ".."))
                        {
                            names.Add(name);
                        }
                    }
                }
                finally
                {
                    _ = CloseDir(stream);
                }
            }
        );

    /// <summary>The words of the system for an error number, as an exception that carries the number.</summary>
    public static IOException Failure(string what, int error) => new($"{what}: {Marshal.GetPInvokeErrorMessage(error)}", error);

    private static int Result(int returned) => returned < 0 ? Marshal.GetLastPInvokeError() : 0;

    private static T With<T>(SafeFileHandle handle, Func<int, T> action)
    {
        bool added = false;
        try
        {
            handle.DangerousAddRef(ref added);
            return action((int)handle.DangerousGetHandle());
        }
        finally
        {
            if (added)
            {
                handle.DangerousRelease();
            }
        }
    }

    private static FileFacts? Look(int folder, string path, int flags)
    {
        Span<byte> facts = stackalloc byte[256];
        int error;
        do
        {
            error = Result(Statx(folder, path, flags, BasicFacts, ref MemoryMarshal.GetReference(facts)));
        } while (error == BusyInterrupted);
        return error switch
        {
            // ENOTDIR: a file stands where a folder of the path should.
            NoEntry or 20 => null,
            // struct statx has the same layout everywhere.
            0 => new FileFacts
            {
                Names = BinaryPrimitives.ReadUInt32LittleEndian(facts[16..]),
                Owner = BinaryPrimitives.ReadUInt32LittleEndian(facts[20..]),
                Mode = BinaryPrimitives.ReadUInt16LittleEndian(facts[28..]),
                Size = BinaryPrimitives.ReadInt64LittleEndian(facts[40..]),
                Place = (
                    BinaryPrimitives.ReadUInt32LittleEndian(facts[136..]),
                    BinaryPrimitives.ReadUInt32LittleEndian(facts[140..]),
                    BinaryPrimitives.ReadUInt64LittleEndian(facts[32..])
                ),
                Modified = DateTimeOffset
                    .FromUnixTimeMilliseconds(
                        Math.Clamp(BinaryPrimitives.ReadInt64LittleEndian(facts[112..]), -62_135_596_800, 253_402_300_799) * 1000
                    )
                    .AddTicks(BinaryPrimitives.ReadUInt32LittleEndian(facts[120..]) / 100 % TimeSpan.TicksPerSecond),
            },
            _ => throw Failure(path, error),
        };
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial uint EffectiveUser();

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int OpenAt(int folder, string name, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MkdirAt(int folder, string name, int mode);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int RenameAt(int folder, string name, int newFolder, string newName);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int UnlinkAt(int folder, string name, int flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Statx(int folder, string path, int flags, uint mask, ref byte facts);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Flock(int fd, int operation);

    [LibraryImport("libc", EntryPoint = "fdopendir", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint FdOpenDir(int fd);

    [LibraryImport("libc", EntryPoint = "readdir", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint ReadDir(nint stream);

    [LibraryImport("libc", EntryPoint = "closedir")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int CloseDir(nint stream);
}
