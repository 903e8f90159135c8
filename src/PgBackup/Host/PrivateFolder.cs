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
/// </remarks>
internal sealed class PrivateFolder : IDisposable
{
    private const string Prefix = "olympus-pgbackup-";
    private const string Memory = "/dev/shm";
    private const string OwnerFile = ".owner";

    // A keyring with a key in it takes less.
    private const long LeastFree = 4 << 20;

    // Longer than any run takes: what cannot be told otherwise to be left over is so after this time.
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(2);

    private readonly string root;

    private PrivateFolder(string root, string name)
    {
        this.root = root;
        Path = System.IO.Path.Combine(root, name);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Makes one; with a size, in memory only if at least twice that is free there.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.UntrustedFile"/> where others could exchange it; <see cref="ErrorCode.NoPrivateFolder"/> where none can be made.
    /// </exception>
    public static PrivateFolder Create(long bytesNeeded = 0)
    {
        Sweep();
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
                "Name a folder by TMPDIR that belongs to root or to this user, and that others may not write to (or with the sticky bit, as /tmp has it).")
            : new PgBackupException(
                ErrorCode.NoPrivateFolder,
                $"no private folder can be made: {string.Join("; ", refusals)}.",
                "Make room there, or name a folder by TMPDIR that is on another disk and can be written to.");
    }

    /// <summary>Removes the folders of processes that are no more.</summary>
    public static void Sweep()
    {
        Sweep(Memory, TimeProvider.System.GetUtcNow());
        Sweep(System.IO.Path.GetTempPath(), TimeProvider.System.GetUtcNow());
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
        try
        {
            using OpenFolder own = all.TryEnter(name) ?? throw Posix.Failure(name, Posix.NoEntry);
            using SafeFileHandle mark = own.MakeFile(OwnerFile);
            RandomAccess.Write(mark, Encoding.UTF8.GetBytes(ProcessMark.Own ?? ""), 0);
        }
        catch
        {
            Remove(all, name);
            throw;
        }

        return new PrivateFolder(root, name);
    }

    private static int? Process(string name) =>
        name[Prefix.Length..].Split('-') is [var pid, _]
            && int.TryParse(pid, NumberStyles.None, CultureInfo.InvariantCulture, out int process) ? process : null;

    private static bool IsOurs(FileFacts facts) => facts.IsFolder && facts.Owner == Posix.User && facts.IsWrittenByOwnerAlone;

    // The mark tells for certain. Without one that can be read, only a folder that is old and whose process nobody sees is left over.
    private static bool IsLeftOver(OpenFolder all, string name, int process, FileFacts facts, DateTimeOffset now)
    {
        string? mark = ReadMark(all, name);
        return ProcessMark.IsGone(mark) || ProcessMark.IsOfAnotherStart(mark) || (facts.Modified < now - Abandoned && !Posix.IsThere(process));
    }

    private static string? ReadMark(OpenFolder all, string name)
    {
        try
        {
            using OpenFolder? folder = all.TryEnter(name);
            using SafeFileHandle? file = folder?.TryOpenFile(OwnerFile);
            byte[] mark = new byte[200];
            return file is null ? null : Encoding.UTF8.GetString(mark, 0, RandomAccess.Read(file, mark, 0));
        }
        catch (Exception e) when (e is IOException or NotSupportedException)
        {
            return null; // no file that can be read
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
