using System.Globalization;

namespace PgBackup;

/// <summary>
/// A folder for what must not outlive this process (an imported key, a decrypted archive): mode 0700, in memory where the system has
/// /dev/shm, removed when disposed. What a killed process left is removed by the next one.
/// </summary>
internal sealed class PrivateFolder : IDisposable
{
    private const string Prefix = "olympus-pgbackup-";

    private PrivateFolder(string path) => Path = path;

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Makes one; with a size, in memory only if at least twice that is free there.</summary>
    public static PrivateFolder Create(long bytesNeeded = 0)
    {
        string root = RootFor(bytesNeeded);
        Sweep();
        string name = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}-{Guid.NewGuid():N}");
        // Short: the socket of a gpg-agent inside must fit into 107 bytes.
        string path = System.IO.Path.Combine(root, name[..Math.Min(name.Length, 36)]);
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new PrivateFolder(path);
    }

    /// <summary>Removes the folders of processes that are no more.</summary>
    public static void Sweep()
    {
        Sweep("/dev/shm");
        Sweep(System.IO.Path.GetTempPath());
    }

    /// <inheritdoc/>
    public void Dispose() => Remove(Path);

    private static string RootFor(long bytesNeeded)
    {
        try
        {
            return Directory.Exists("/dev/shm") && new DriveInfo("/dev/shm").AvailableFreeSpace > bytesNeeded * 2 ? "/dev/shm" : System.IO.Path.GetTempPath();
        }
        catch (IOException)
        {
            return System.IO.Path.GetTempPath();
        }
    }

    private static void Sweep(string root)
    {
        if (!Directory.Exists(root))
        {
            return;
        }

        foreach (string folder in Directory.EnumerateDirectories(root, Prefix + "*"))
        {
            string[] parts = System.IO.Path.GetFileName(folder)[Prefix.Length..].Split('-');
            if (parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int pid) &&
                !Directory.Exists(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}")))
            {
                Remove(folder);
            }
        }
    }

    private static void Remove(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is DirectoryNotFoundException or UnauthorizedAccessException or IOException)
        {
            // Another user's, or a process is just ending in it: the next run tries again.
        }
    }
}
