using System.Runtime.CompilerServices;
using System.Text;

namespace PgBackup.Storage;

/// <summary>
/// A folder on this host (or mounted on it). Files have mode 0600, folders 0700. An object is written under a hidden temporary
/// name, synchronised, renamed, and its folder synchronised.
/// </summary>
public sealed class LocalStore : IObjectStore
{
    private const string LockName = ".olympus-pgbackup.lock";
    private const UnixFileMode FileMode0600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode FolderMode0700 = FileMode0600 | UnixFileMode.UserExecute;
    private const int BufferBytes = 1 << 20;

    private static readonly EnumerationOptions Here = new() { AttributesToSkip = FileAttributes.Hidden, IgnoreInaccessible = false };
    private static readonly EnumerationOptions Below = new() { AttributesToSkip = FileAttributes.Hidden | FileAttributes.ReparsePoint, IgnoreInaccessible = false, RecurseSubdirectories = true };
    private static readonly EnumerationOptions Everything = new() { AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = false, RecurseSubdirectories = true };

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
        string path = PathOf(key);
        string folder = Path.GetDirectoryName(path)!;
        string partial = Path.Combine(folder, $".{Path.GetFileName(path)}.partial");
        if (Path.GetFileName(partial).Length > 200)
        {
            partial = Path.Combine(folder, $".{Guid.NewGuid():N}.partial");
        }

        try
        {
            Guard(() => MakeFolder(folder));
            long size = await WriteAsync(partial, content, cancel);
            Guard(() =>
            {
                File.Move(partial, path, overwrite: true);
                Posix.SyncFolder(folder);
            });
            return size;
        }
        catch
        {
            RemoveQuietly(partial);
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<Stream> OpenAsync(string key, CancellationToken cancel)
    {
        string path = PathOf(key);
        try
        {
            if (!File.Exists(path))
            {
                throw new PgBackupException(ErrorCode.ObjectDamaged, $"the store {Name} has no object {key}.");
            }

            // Not through a link, and no pipe or device, which would be read for ever.
            var file = new FileStream(Posix.OpenToRead(path), FileAccess.Read, bufferSize: 0);
            if (!file.CanSeek)
            {
                await file.DisposeAsync();
                throw new PgBackupException(ErrorCode.ObjectDamaged, $"{key} in the store {Name} is no regular file.");
            }

            return new StoredFile(this, file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unavailable(e);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> ListAsync(string folder, [EnumeratorCancellation] CancellationToken cancel)
    {
        await Task.CompletedTask;
        bool whole = folder.Length == 0;
        string start = whole ? root : PathOf(folder);
        if (!Directory.Exists(root))
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable, $"the folder of the store {Name} ({root}) does not exist.", "Mount its disk, or take a first backup, which makes the folder.");
        }

        foreach (FileInfo file in Enumerate(() => new DirectoryInfo(start).EnumerateFiles("*", whole ? Below : Here)))
        {
            cancel.ThrowIfCancellationRequested();
            if (file.Exists) // it may have been renamed or removed since
            {
                yield return Describe(file);
            }
        }
    }

    /// <inheritdoc/>
    public Task<StoredObject?> FindAsync(string key, CancellationToken cancel)
    {
        var file = new FileInfo(PathOf(key));
        return Task.FromResult(file.Exists ? Describe(file) : null);
    }

    /// <inheritdoc/>
    public Task DeleteAsync(string key, CancellationToken cancel)
    {
        string path = PathOf(key);
        Guard(() =>
        {
            if (File.Exists(path))
            {
                File.Delete(path);
                Posix.SyncFolder(Path.GetDirectoryName(path)!);
            }
        });
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task DeleteFolderAsync(string folder, CancellationToken cancel)
    {
        string path = PathOf(folder);
        Guard(() =>
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
                Posix.SyncFolder(root);
            }
        });
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<int> SweepAsync(DateTimeOffset olderThan, CancellationToken cancel)
    {
        int removed = 0;
        if (!Directory.Exists(root))
        {
            return Task.FromResult(removed);
        }

        Guard(() =>
        {
            foreach (FileInfo file in new DirectoryInfo(root).GetFiles(".*.partial", Everything).Where(f => f.LastWriteTimeUtc < olderThan))
            {
                cancel.ThrowIfCancellationRequested();
                file.Delete();
                removed++;
            }

            foreach (DirectoryInfo folder in new DirectoryInfo(root).GetDirectories().Where(d => d.LastWriteTimeUtc < olderThan && !d.EnumerateFileSystemInfos().Any()))
            {
                folder.Delete();
                removed++;
            }
        });
        return Task.FromResult(removed);
    }

    /// <inheritdoc/>
    /// <remarks>An advisory lock (flock) on a hidden file: the kernel drops it when the process ends, however it ends.</remarks>
    public async Task<IStoreLock> LockAsync(string holder, CancellationToken cancel)
    {
        string path = Path.Combine(root, LockName);
        Guard(() => MakeFolder(root));
        FileStream stream;
        try
        {
            stream = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                UnixCreateMode = FileMode0600,
            });
        }
        catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException) && File.Exists(path))
        {
            throw new PgBackupException(
                ErrorCode.AlreadyRunning,
                $"another run works in the store {Name} ({root}): {await HolderAsync(path, cancel)}.",
                "Wait for it to end, or stop it. A lock of a run that was killed is free by itself.",
                e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unavailable(e);
        }

        try
        {
            stream.SetLength(0);
            await stream.WriteAsync(Encoding.UTF8.GetBytes(holder), cancel);
            await stream.FlushAsync(cancel);
            return new FileLock(stream);
        }
        catch (IOException e)
        {
            await stream.DisposeAsync();
            throw Unavailable(e);
        }
    }

    private StoredObject Describe(FileInfo file) =>
        new() { Key = Path.GetRelativePath(root, file.FullName), Size = file.Length, Modified = file.LastWriteTimeUtc };

    private static async Task<string> HolderAsync(string path, CancellationToken cancel)
    {
        try
        {
            // Any FileStream that opens a file by its path asks for a lock of it, which the holder has.
            await using var stream = new FileStream(Posix.OpenToRead(path), FileAccess.Read);
            using var reader = new StreamReader(stream);
            string holder = await reader.ReadToEndAsync(cancel);
            return holder.Length > 0 ? holder : "it has just started";
        }
        catch (IOException)
        {
            return "its holder is not known";
        }
    }

    private static void MakeFolder(string folder)
    {
        if (Directory.Exists(folder))
        {
            return;
        }

        // One by one: the mode is that of the last folder only.
        string parent = Path.GetDirectoryName(folder) ?? "/";
        MakeFolder(parent);
        Directory.CreateDirectory(folder, FolderMode0700);
        Posix.SyncFolder(parent);
    }

    private static void RemoveQuietly(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The first error is the one to tell; the next run removes this rest.
        }
    }

    private async Task<long> WriteAsync(string path, Stream content, CancellationToken cancel)
    {
        byte[] buffer = new byte[BufferBytes];
        FileStream? file = null;
        try
        {
            Guard(() => file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                Share = FileShare.Read,
                BufferSize = 0,
                Options = FileOptions.Asynchronous,
                UnixCreateMode = FileMode0600,
            }));
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
                catch (IOException e)
                {
                    throw Unavailable(e);
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

    private string PathOf(string key)
    {
        string? path = key.Contains('\0', StringComparison.Ordinal) ? null : Path.GetFullPath(Path.Combine(root, key));
        return path is not null && path.StartsWith(root.EndsWith('/') ? root : root + "/", StringComparison.Ordinal) && path.Length > root.Length + 1
            ? path
            : throw new PgBackupException(ErrorCode.StoreUnavailable, $"the key \"{key}\" leads out of the store {Name}.");
    }

    private List<T> Enumerate<T>(Func<IEnumerable<T>> list)
    {
        List<T> found = [];
        try
        {
            found.AddRange(list());
        }
        catch (DirectoryNotFoundException)
        {
            // nothing was ever stored there
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unavailable(e);
        }

        return found;
    }

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unavailable(e);
        }
    }

    private PgBackupException Unavailable(Exception e)
    {
        bool full = e.Message.Contains("No space left", StringComparison.OrdinalIgnoreCase) || e.HResult == 28;
        return new PgBackupException(
            ErrorCode.StoreUnavailable,
            full ? $"the store {Name} ({root}) is full." : $"the store {Name} ({root}) cannot be used: {e.Message}",
            full ? "Make room, or name a larger disk in the config; no object was left half-written." : "Check that the folder exists or can be made, and belongs to the user that runs the backup.",
            e);
    }

    private sealed class FileLock(FileStream file) : IStoreLock
    {
        public string? Note => null;

        public void RequireHeld()
        {
            // The kernel takes it from nobody.
        }

        public ValueTask DisposeAsync() => file.DisposeAsync();
    }

    // A disk that fails while it is read is a store that cannot be read, not an unforeseen error.
    private sealed class StoredFile(LocalStore store, FileStream file) : ForwardStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                return await file.ReadAsync(buffer, cancellationToken);
            }
            catch (IOException e)
            {
                throw store.Unavailable(e);
            }
        }

        protected override ValueTask DisposeOnceAsync() => file.DisposeAsync();
    }
}
