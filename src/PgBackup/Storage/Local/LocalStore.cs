using System.Text;
using Microsoft.Win32.SafeHandles;
using PgBackup.Host;
using PgBackup.Streams;

namespace PgBackup.Storage.Local;

/// <summary>
/// A folder on this host (or mounted on it). Files have mode 0600, folders 0700. An object is written under a hidden temporary
/// name, synchronised, renamed, and its folder synchronised. The folder itself may be a link; links below it are never followed.
/// </summary>
public sealed partial class LocalStore : IObjectStore
{
    private const string LockName = ".olympus-pgbackup.lock";
    private const UnixFileMode FolderMode0700 = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const int BufferBytes = 1 << 20;
    private const int NoSpace = 28; // ENOSPC
    private const int NoQuota = 122; // EDQUOT

    private readonly string root;

    /// <summary>A store in a folder, which is made when first written to.</summary>
    public LocalStore(string name, string path)
    {
        Name = name;
        root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public string Location => root;

    /// <summary>The folder is not made by a first write: one that is not there is a disk that is not mounted.</summary>
    public bool MustExist { get; init; }

    /// <inheritdoc/>
    public async Task CheckWritableAsync(CancellationToken cancel)
    {
        using var probe = new MemoryStream(Encoding.UTF8.GetBytes("write test\n"));
        const string Key = ".write-test";
        await PutAsync(Key, probe, null, cancel);
        await DeleteAsync(Key, cancel);
    }

    /// <inheritdoc/>
    public async Task<long> PutAsync(string key, Stream content, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        OpenFolder? opened = null;
        string name = NameOf(key);
        Guard(() => opened = Enter(key, make: true));
        using OpenFolder folder = opened!;
        string partial = Encoding.UTF8.GetByteCount(name) > 180 ? $".{Guid.NewGuid():N}.partial" : $".{name}.partial";
        try
        {
            long size = await WriteAsync(folder, partial, content, cancel);
            Guard(() =>
            {
                folder.Rename(partial, name);
                folder.Sync();
            });
            return size;
        }
        catch
        {
            RemoveQuietly(folder, partial);
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<Stream?> TryOpenAsync(string key, CancellationToken cancel)
    {
        try
        {
            using OpenFolder? folder = Enter(key, make: false);
            if (folder?.TryOpenFile(NameOf(key)) is not { } handle)
            {
                return null;
            }

            // No pipe or device, which would be read for ever.
            var file = new FileStream(handle, FileAccess.Read, bufferSize: 0);
            if (!file.CanSeek)
            {
                await file.DisposeAsync();
                throw new PgBackupException(ErrorCode.ObjectDamaged, $"{key} in the store {Name} is not a regular file.");
            }

            return new StoredFile(this, key, file);
        }
        catch (LinkException e)
        {
            throw new PgBackupException(
                ErrorCode.ObjectDamaged,
                $"{key} cannot be read from the store {Name}: {e.Message}.",
                "Remove the link; a store has none.",
                e
            );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unavailable(e);
        }
    }

    /// <inheritdoc/>
    public Task<StoredObject?> FindAsync(string key, CancellationToken cancel)
    {
        StoredObject? found = null;
        Guard(() =>
        {
            using OpenFolder? folder = Enter(key, make: false);
            found = folder?.Look(NameOf(key)) is { IsFolder: false, IsLink: false } facts ? Describe(key, facts) : null;
        });
        return Task.FromResult(found);
    }

    /// <inheritdoc/>
    public Task DeleteAsync(string key, CancellationToken cancel)
    {
        Guard(() =>
        {
            using OpenFolder? folder = Enter(key, make: false);
            if (folder?.Remove(NameOf(key)) == true)
            {
                folder.Sync();
            }
        });
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task DeleteFolderAsync(string folder, CancellationToken cancel)
    {
        Guard(() =>
        {
            using OpenFolder? above = Enter(folder, make: false);
            if (above?.Look(NameOf(folder)) is not null)
            {
                above.RemoveTree(NameOf(folder));
                above.Sync();
            }
        });
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    /// <remarks>An advisory lock (flock) on a hidden file: the kernel drops it when the process ends, however it ends.</remarks>
    public async Task<IStoreLock> LockAsync(string holder, CancellationToken cancel)
    {
        SafeFileHandle? handle = null;
        int refused = 0;
        string mark = "";
        Guard(() =>
        {
            MakeRoot();
            using OpenFolder top = OpenFolder.TryOpen(root) ?? throw new DirectoryNotFoundException($"{root} is gone again");
            handle = top.OpenOrMakeFile(LockName);
            refused = Posix.LockWhole(handle);
            mark = $"local {top.Look().Place}";
            if (refused != Posix.WouldBlock)
            {
                HeldLocks.Add(mark, Name); // at once: whatever comes next may be the end of this call
            }
        });
        var stream = new FileStream(handle!, FileAccess.ReadWrite, bufferSize: 0);
        // Some network file systems know no locks: any other refusal is theirs, and no other run's.
        if (refused == Posix.WouldBlock)
        {
            string other;
            await using (stream)
            {
                other = await HolderAsync(stream, cancel);
            }

            if (HeldLocks.Same(mark, Name, root) is { } same)
            {
                throw same;
            }

            throw new PgBackupException(
                ErrorCode.AlreadyRunning,
                $"another run works in the store {Name} ({root}): {other}.",
                "Wait for it to end, or stop it. A lock of a run that was killed is free by itself."
            );
        }

        try
        {
            stream.SetLength(0);
            await stream.WriteAsync(Encoding.UTF8.GetBytes(holder), cancel);
            await stream.FlushAsync(cancel);
            return new FileLock(stream, mark);
        }
        catch (Exception e)
        {
            await new FileLock(stream, mark).DisposeAsync();
            if (e is IOException)
            {
                throw Unavailable(e);
            }

            throw;
        }
    }

    private static StoredObject Describe(string key, FileFacts facts) =>
        new()
        {
            Key = key,
            Size = facts.Size,
            Modified = facts.Modified,
        };

    private static async Task<string> HolderAsync(FileStream file, CancellationToken cancel)
    {
        try
        {
            using var reader = new StreamReader(file, leaveOpen: true);
            char[] holder = new char[1000];
            int length = await reader.ReadBlockAsync(holder, cancel);
            return length > 0 ? new string(holder, 0, length) : "it has just started";
        }
        catch (IOException)
        {
            return "its holder is not known";
        }
    }

    // Neither a link whose target is gone nor a file can become a folder, and what the system says of it is no help.
    private static void RequireNothing(string path)
    {
        if (new FileInfo(path).LinkTarget is { } target)
        {
            throw new IOException($"{path} is a link to {target}, where nothing is: is its disk mounted?");
        }

        if (File.Exists(path))
        {
            throw new IOException($"{path} is a file, and no folder");
        }
    }

    private void MakeRoot()
    {
        if (MustExist && !Directory.Exists(root))
        {
            RequireNothing(root);
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the folder of the store {Name} ({root}) does not exist, and must_exist: true forbids to make it.",
                "Mount its disk. Make the folder of a new store by hand (`mkdir`, mode 0700)."
            );
        }

        MakeFolder(root);
    }

    private static void MakeFolder(string folder)
    {
        if (Directory.Exists(folder))
        {
            return;
        }

        RequireNothing(folder);

        // One by one: the mode is that of the last folder only.
        string parent = Path.GetDirectoryName(folder) ?? "/";
        MakeFolder(parent);
        Directory.CreateDirectory(folder, FolderMode0700);
        Posix.SyncFolder(parent);
    }

    private static void RemoveQuietly(OpenFolder folder, string name)
    {
        try
        {
            folder.Remove(name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The first error is the one to report; the next run removes this rest.
        }
    }

    private async Task<long> WriteAsync(OpenFolder folder, string name, Stream content, CancellationToken cancel)
    {
        byte[] buffer = new byte[BufferBytes];
        FileStream? file = null;
        try
        {
            Guard(() => file = new FileStream(folder.MakeFile(name), FileAccess.Write, bufferSize: 0));
            long size = 0;
            while (true)
            {
                int filled = 0;
                int count;
                while (filled < buffer.Length && (count = await content.ReadAsync(buffer.AsMemory(filled), cancel)) > 0)
                {
                    filled += count;
                }

                if (filled == 0)
                {
                    break;
                }

                try
                {
                    await file!.WriteAsync(buffer.AsMemory(0, filled), cancel);
                }
                catch (Exception e) when (FileError.Of(e) is { } error)
                {
                    throw Unavailable(error);
                }

                size += filled;
            }

            Guard(() => file!.Flush(flushToDisk: true));
            return size;
        }
        finally
        {
            if (file is not null)
            {
                await file.DisposeAsync();
            }
        }
    }

    private static string NameOf(string key) => key[(key.LastIndexOf('/') + 1)..];

    // The folder of a key. The root may be a link, as operators make them; below it nothing is.
    private OpenFolder? Enter(string key, bool make)
    {
        ObjectKey.Require(key.EndsWith("/.", StringComparison.Ordinal) ? key[..^2] : key, Name);
        if (make)
        {
            MakeRoot();
        }

        OpenFolder? folder = OpenFolder.TryOpen(root);
        foreach (string name in key.Split('/').SkipLast(1))
        {
            using OpenFolder? above = folder;
            folder = make ? above?.Enter(name) : above?.TryEnter(name);
        }

        return folder ?? (make ? throw new DirectoryNotFoundException($"{root} is gone again") : null);
    }

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (LinkException e)
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the store {Name} ({root}) has a link in it: {e.Message}.",
                "Remove the link. Only the folder of the store itself may be one.",
                e
            );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unavailable(e);
        }
    }

    private PgBackupException Unavailable(Exception e)
    {
        bool full =
            e.HResult is NoSpace or NoQuota
            || e.Message.Contains("No space left", StringComparison.OrdinalIgnoreCase)
            || e.Message.Contains("Disk quota exceeded", StringComparison.OrdinalIgnoreCase);
        string remedy =
            full ? "Make room, or name a larger disk in the config; no object was left half-written."
            : e.HResult == FileError.TooLarge
                ? "Raise `ulimit -f` where it is started, or name a folder of a file system that takes larger files; no object was "
                    + "left half-written."
            : "Check that the folder exists or can be made, and belongs to the user that runs the backup.";
        return new PgBackupException(
            ErrorCode.StoreUnavailable,
            full ? $"the store {Name} ({root}) is full." : $"the store {Name} ({root}) cannot be used: {e.Message}",
            remedy,
            e
        )
        {
            IsFull = full,
        };
    }

    private sealed class FileLock(FileStream file, string mark) : IStoreLock
    {
        public string? Note => null;

        public void RequireHeld()
        {
            // The kernel takes it from nobody.
        }

        public ValueTask DisposeAsync()
        {
            HeldLocks.Remove(mark);
            _ = Posix.Unlock(file.SafeFileHandle); // a file system without locks has nothing to give back
            return file.DisposeAsync();
        }
    }

    // A disk that fails while it is read is a store that cannot be read, not an unforeseen error.
    private sealed class StoredFile(LocalStore store, string key, FileStream file) : ForwardStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                return await file.ReadAsync(buffer, cancellationToken);
            }
            catch (IOException e)
            {
                throw store.Unavailable(new IOException($"{key}: {e.Message}", e));
            }
        }

        protected override ValueTask DisposeOnceAsync() => file.DisposeAsync();
    }
}
