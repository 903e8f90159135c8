using PgBackup.Host;

namespace PgBackup.Operations.Doctor;

/// <summary>What a doctor asks of this host itself. Another one stands in for it in tests.</summary>
internal sealed record DoctorHost
{
    /// <summary>Where the kernel says how much memory there is (proc_meminfo(5)).</summary>
    public string MemoryFile { get; init; } = "/proc/meminfo";

    /// <summary>How many bytes this user may still write in a folder, or where it would be made; null where that is not known.</summary>
    public Func<string, long?> Free { get; init; } = FreeIn;

    /// <summary>The number of the file system that something is in; null where it cannot be looked at.</summary>
    public Func<string, (uint, uint)?> Disk { get; init; } = DiskOf;

    /// <summary>The program that runs, whose file others must not change; null where it is not known.</summary>
    public string? Program { get; init; } = Environment.ProcessPath;

    private static long? FreeIn(string folder)
    {
        try
        {
            return Existing(folder) is { } there ? new DriveInfo(there).AvailableFreeSpace : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    private static (uint, uint)? DiskOf(string path)
    {
        try
        {
            return Existing(path) is { } there && Posix.Look(there, follow: true)?.Place is var (major, minor, _) ? (major, minor) : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    // The path, or what is there of the folders above it.
    private static string? Existing(string path)
    {
        string? at = Path.GetFullPath(path);
        while (at is not null && !Path.Exists(at))
        {
            at = Path.GetDirectoryName(at);
        }

        return at;
    }
}
