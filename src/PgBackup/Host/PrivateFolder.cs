using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace PgBackup.Host;

/// <summary>
/// A folder for what must not outlive this process (an imported key, a decrypted archive): mode 0700, in memory where the system has
/// /dev/shm, removed when disposed. What a killed process left is removed by the next one.
/// </summary>
/// <remarks>
/// Everybody may make names in /dev/shm and /tmp. So a folder that is there already is never adopted, and one is swept only if it is this
/// user's, nobody else may write into it, and its owner is known to be gone; it is removed from within, and links in it are not followed.
/// The owner holds a lock on the mark in its folder for as long as it runs: containers may share /dev/shm without seeing each other's
/// processes.
/// </remarks>
internal sealed class PrivateFolder : IDisposable
{
    private const string Prefix = "olympus-pgbackup-";
    private const string Memory = "/dev/shm";
    private const string OwnerFile = ".owner";

    // A keyring with a key in it takes less.
    private const long LeastFree = 4 << 20;

    // Longer than any run takes: after this time a folder is left over, even if there is no other sign.
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(2);

    private readonly string root;
    private readonly SafeFileHandle mark;

    private PrivateFolder(string root, string name, SafeFileHandle mark)
    {
        this.root = root;
        this.mark = mark;
        Path = System.IO.Path.Combine(root, name);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Makes one; with a size, in memory only if at least twice that is free there.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.UntrustedFile"/> where others could exchange it; <see cref="ErrorCode.NoPrivateFolder"/> where none can be
    /// made.
    /// </exception>
    public static PrivateFolder Create(TimeProvider clock, long bytesNeeded = 0)
    {
        Sweep(clock);
        return CreateIn(Roots(bytesNeeded));
    }

    /// <summary>Makes one in the first place where that can be done.</summary>
    internal static PrivateFolder CreateIn(IEnumerable<string> roots)
    {
        List<string> refusals = [];
        bool unsafePlace = false;
        foreach (string root in roots)
        {
            try
            {
                if (Make(root) is { } made)
                {
                    return made;
                }

                unsafePlace = true;
                refusals.Add($"{root}: other users may exchange what is in it");
            }
            catch (IOException e)
            {
                refusals.Add(e.Message);
            }
        }

        throw unsafePlace
            ? new PgBackupException(
                ErrorCode.UntrustedFile,
                $"there is no place for a private folder: {string.Join("; ", refusals)}.",
                "Name a folder by TMPDIR that belongs to root or to this user, and that others may not write to (or with the sticky "
                    + "bit, as /tmp has it)."
            )
            : new PgBackupException(
                ErrorCode.NoPrivateFolder,
                $"no private folder can be made: {string.Join("; ", refusals)}.",
                "Make room there, or name a folder by TMPDIR that is on another disk and can be written to."
            );
    }

    /// <summary>Removes the folders of processes that are no more.</summary>
    public static void Sweep(TimeProvider clock)
    {
        Sweep(Memory, clock.GetUtcNow());
        Sweep(System.IO.Path.GetTempPath(), clock.GetUtcNow());
    }

    /// <summary>The same in one place.</summary>
    internal static void Sweep(string root, DateTimeOffset now)
    {
        try
        {
            using OpenFolder? all = OpenFolder.TryOpen(root);
            foreach (string name in all?.Names().Where(static n => n.StartsWith(Prefix, StringComparison.Ordinal)) ?? [])
            {
                if (Process(name) is { } pid && all!.Look(name) is { } facts && IsOurs(facts) && IsLeftOver(all, name, pid, facts, now))
                {
                    Remove(all, name);
                }
            }
        }
        catch (IOException)
        {
            // It cannot be listed: then nothing of ours is in it.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        mark.Dispose();
        try
        {
            using OpenFolder? all = OpenFolder.TryOpen(root);
            if (all is not null)
            {
                Remove(all, System.IO.Path.GetFileName(Path));
            }
        }
        catch (IOException)
        {
            // The next run tries again.
        }
    }

    private static IEnumerable<string> Roots(long bytesNeeded)
    {
        if (HasRoom(bytesNeeded))
        {
            yield return Memory;
        }

        yield return System.IO.Path.GetTempPath();
    }

    private static bool HasRoom(long bytesNeeded)
    {
        try
        {
            return Directory.Exists(Memory) && new DriveInfo(Memory).AvailableFreeSpace > Math.Max(LeastFree, bytesNeeded * 2);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Makes one in a place; null where others could exchange it for one of theirs.</summary>
    internal static PrivateFolder? Make(string root)
    {
        using OpenFolder all = OpenFolder.TryOpen(root) ?? throw Posix.Failure(root, Posix.NoEntry);
        if (!all.Look().IsSafeFolder)
        {
            return null;
        }

        string name = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}-{Guid.NewGuid():N}");
        // Short: the socket of a gpg-agent inside must fit into 107 bytes.
        name = name[..Math.Min(name.Length, 36)];
        all.Make(name);
        SafeFileHandle? mark = null;
        try
        {
            using OpenFolder own = all.TryEnter(name) ?? throw Posix.Failure(name, Posix.NoEntry);
            mark = own.MakeFile(OwnerFile);
            RandomAccess.Write(mark, Encoding.UTF8.GetBytes(ProcessMark.Own ?? ""), 0);
            _ = Posix.LockWhole(mark); // where the file system knows no locks, mark and age must do
            return new PrivateFolder(root, name, mark);
        }
        catch
        {
            mark?.Dispose();
            Remove(all, name);
            throw;
        }
    }

    private static int? Process(string name) =>
        name[Prefix.Length..].Split('-') is [var pid, _]
        && int.TryParse(pid, NumberStyles.None, CultureInfo.InvariantCulture, out int process)
            ? process
            : null;

    private static bool IsOurs(FileFacts facts) => facts.IsFolder && facts.Owner == Posix.User && facts.IsWrittenByOwnerAlone;

    // The mark is certain, if it is of this namespace of process ids. Else, or without one that can be read, only a folder is left
    // over that is old, whose process nobody sees, and whose mark nobody holds: a process of another namespace is not seen from here.
    private static bool IsLeftOver(OpenFolder all, string name, int process, FileFacts facts, DateTimeOffset now)
    {
        string? mark = ReadMark(all, name);
        return ProcessMark.IsGone(mark)
            || ProcessMark.IsOfAnotherStart(mark)
            || (facts.Modified < now - Abandoned && !Posix.IsThere(process) && !IsHeld(all, name));
    }

    private static string? ReadMark(OpenFolder all, string name) =>
        OfMark(
            all,
            name,
            static file =>
            {
                byte[] mark = new byte[200];
                return Encoding.UTF8.GetString(mark, 0, RandomAccess.Read(file, mark, 0));
            }
        );

    private static bool IsHeld(OpenFolder all, string name) => OfMark(all, name, static file => Posix.LockWhole(file) == Posix.WouldBlock);

    // The default where there is no file that can be read.
    private static T? OfMark<T>(OpenFolder all, string name, Func<SafeFileHandle, T> look)
    {
        try
        {
            using OpenFolder? folder = all.TryEnter(name);
            using SafeFileHandle? file = folder?.TryOpenFile(OwnerFile);
            return file is null ? default : look(file);
        }
        catch (Exception e) when (e is IOException or NotSupportedException)
        {
            return default;
        }
    }

    private static void Remove(OpenFolder all, string name)
    {
        try
        {
            all.RemoveTree(name, IsOurs);
        }
        catch (IOException)
        {
            // A process is just ending in it: the next run tries again.
        }
    }
}
