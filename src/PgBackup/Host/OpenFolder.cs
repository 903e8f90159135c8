using Microsoft.Win32.SafeHandles;

namespace PgBackup.Host;

/// <summary>
/// A folder that is held open. What is done in it is done there, even if somebody exchanges the folder or one above it in the meantime,
/// and nothing is done through a symbolic link (openat(2), unlinkat(2)). Errors are <see cref="IOException"/>s with the system's words.
/// </summary>
internal sealed class OpenFolder : IDisposable
{
    private const UnixFileMode OwnerAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly SafeFileHandle handle;

    private OpenFolder(SafeFileHandle handle, string path)
    {
        this.handle = handle;
        Path = path;
    }

    /// <summary>Where it was found; for messages.</summary>
    public string Path { get; }

    /// <summary>Opens a folder by its path, whose links are followed; null when it is not there.</summary>
    public static OpenFolder? TryOpen(string path)
    {
        (SafeFileHandle? opened, int error) = Posix.OpenFolder(path);
        return opened is not null ? new OpenFolder(opened, path)
            : error == Posix.NoEntry ? null
            : throw Posix.Failure(error == Posix.NoFolder ? $"{path} is not a folder" : path, error);
    }

    /// <summary>Opens a folder in this one; null when it is not there.</summary>
    /// <exception cref="LinkException">It is a link.</exception>
    public OpenFolder? TryEnter(string name)
    {
        (SafeFileHandle? opened, int error) = Posix.OpenAt(handle, name, Posix.ReadOnly | Posix.DirectoryOnly);
        return opened is not null ? new OpenFolder(opened, Below(name))
            : error == Posix.NoEntry ? null
            : throw Explain(name, error);
    }

    /// <summary>Opens a folder in this one, which is made where it is not there, for its owner alone, and then durable.</summary>
    /// <exception cref="LinkException">It is a link.</exception>
    public OpenFolder Enter(string name)
    {
        if (TryEnter(name) is { } found)
        {
            return found;
        }

        int error = Posix.MakeFolderAt(handle, name, OwnerAlone);
        if (error is not 0 and not Posix.Exists)
        {
            throw Posix.Failure(Below(name), error);
        }

        Sync();
        return TryEnter(name) ?? throw Posix.Failure(Below(name), Posix.NoEntry);
    }

    /// <summary>Makes a folder for its owner alone; one that is there already is an error.</summary>
    public void Make(string name) => Require(Posix.MakeFolderAt(handle, name, OwnerAlone), name);

    /// <summary>What a name stands for, a link not followed; null when there is none.</summary>
    public FileFacts? Look(string name) => Posix.LookAt(handle, name);

    /// <summary>What this folder is.</summary>
    public FileFacts Look() => Posix.LookAt(handle, ".") ?? throw Posix.Failure(Path, Posix.NoEntry);

    /// <summary>All names in it, hidden ones too, in no order.</summary>
    public IReadOnlyList<string> Names() => Posix.Names(handle);

    /// <summary>Opens a file to read it, without waiting for the other end of a pipe; null when it is not there.</summary>
    /// <exception cref="LinkException">It is a link.</exception>
    public SafeFileHandle? TryOpenFile(string name)
    {
        (SafeFileHandle? opened, int error) = Posix.OpenAt(handle, name, Posix.ReadOnly | Posix.NonBlocking);
        return opened ?? (error == Posix.NoEntry ? null : throw Explain(name, error));
    }

    /// <summary>Makes a new file to write, mode 0600, in the place of whatever had its name.</summary>
    public SafeFileHandle MakeFile(string name)
    {
        Remove(name);
        (SafeFileHandle? opened, int error) = Posix.OpenAt(
            handle,
            name,
            Posix.WriteOnly | Posix.Create | Posix.Exclusive,
            UnixFileMode.UserRead | UnixFileMode.UserWrite
        );
        return opened ?? throw Explain(name, error);
    }

    /// <summary>Opens a file to read and write, which is made where it is not there.</summary>
    /// <exception cref="LinkException">It is a link, or a file that has another name too.</exception>
    public SafeFileHandle OpenOrMakeFile(string name)
    {
        (SafeFileHandle? opened, int error) = Posix.OpenAt(
            handle,
            name,
            Posix.ReadWrite | Posix.Create | Posix.NonBlocking,
            UnixFileMode.UserRead | UnixFileMode.UserWrite
        );
        if (opened is null)
        {
            throw Explain(name, error);
        }

        // A second name of somebody's file is as good as a link for who wants it overwritten.
        if (Look(name) is { IsRegular: true, Names: 1 })
        {
            return opened;
        }

        opened.Dispose();
        throw new LinkException(Below(name));
    }

    /// <summary>Gives a file another name; what has that name is replaced.</summary>
    public void Rename(string from, string to) => Require(Posix.RenameAt(handle, from, to), to);

    /// <summary>Removes a file or a link (not what it leads to). Returns false when it was not there.</summary>
    public bool Remove(string name)
    {
        int error = Posix.RemoveFileAt(handle, name);
        return error switch
        {
            0 => true,
            Posix.NoEntry => false,
            _ => throw Posix.Failure(Below(name), error),
        };
    }

    /// <summary>Removes an empty folder; one that is not empty stays. Returns whether it was removed.</summary>
    public bool RemoveEmpty(string name)
    {
        int error = Posix.RemoveFolderAt(handle, name);
        return error switch
        {
            0 => true,
            Posix.NoEntry or Posix.NotEmpty => false,
            _ => throw Posix.Failure(Below(name), error),
        };
    }

    /// <summary>Removes a folder with everything in it. Links in it are removed, and what they lead to is not touched.</summary>
    /// <param name="name">The folder.</param>
    /// <param name="only">Asked of the folder that was opened, whatever had its name before; where it says no, nothing is removed.</param>
    /// <exception cref="LinkException">It is a link itself.</exception>
    public void RemoveTree(string name, Func<FileFacts, bool>? only = null)
    {
        using (OpenFolder? folder = TryEnter(name))
        {
            if (folder is null || only?.Invoke(folder.Look()) == false)
            {
                return;
            }

            foreach (string inside in folder.Names())
            {
                if (folder.Look(inside) is { IsFolder: true })
                {
                    folder.RemoveTree(inside);
                }
                else
                {
                    folder.Remove(inside);
                }
            }
        }

        int error = Posix.RemoveFolderAt(handle, name);
        if (error is not (0 or Posix.NoEntry))
        {
            throw Posix.Failure(Below(name), error);
        }
    }

    /// <summary>Makes the names in it durable.</summary>
    public void Sync()
    {
        int error = Posix.Sync(handle);

        // EINVAL: some network file systems cannot synchronise a folder, and have no write cache for names either.
        if (error is not 0 and not 22)
        {
            throw Posix.Failure(Path, error);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();

    private string Below(string name) => System.IO.Path.Combine(Path, name);

    private void Require(int error, string name)
    {
        if (error != 0)
        {
            throw Posix.Failure(Below(name), error);
        }
    }

    // ELOOP for a link at the end, ENOTDIR where a folder is wanted.
    private IOException Explain(string name, int error) =>
        Look(name) is { IsLink: true } ? new LinkException(Below(name)) : Posix.Failure(Below(name), error);
}

/// <summary>A link stands where none is followed.</summary>
internal sealed class LinkException(string path) : IOException($"{path} is a link, which is not followed");
