namespace PgBackup.Host;

/// <summary>What kind of disk a folder lies on.</summary>
internal static class MountKind
{
    // By the names of the kernel's and FUSE's file systems.
    private static readonly string[] Network =
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ceph",
        "glusterfs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "fuse.rclone",
        "fuse.s3fs",
        "lustre",
        "beegfs",
        "afs",
    ];

    /// <summary>The folder lies on another machine, by this host's mounts; false where that cannot be found out.</summary>
    /// <param name="folder">It, or one that will be made; then the nearest above it counts.</param>
    public static bool IsNetwork(string folder) => IsNetwork(folder, Mounts());

    /// <summary>The same by given lines of <c>/proc/self/mounts</c>.</summary>
    internal static bool IsNetwork(string folder, IEnumerable<string> mounts)
    {
        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) + "/";
        // The last mount on the longest point is the one that is seen. Spaces are written as \040.
        string? kind = mounts
            .Select(static line => line.Split(' '))
            .Where(static parts => parts.Length >= 3)
            .Select(static parts => (Point: parts[1].Replace("\\040", " ", StringComparison.Ordinal).TrimEnd('/') + "/", Kind: parts[2]))
            .Where(mount => path.StartsWith(mount.Point, StringComparison.Ordinal))
            .Aggregate(
                (Length: 0, Kind: (string?)null),
                static (best, mount) => mount.Point.Length >= best.Length ? (mount.Point.Length, mount.Kind) : best
            )
            .Kind;
        return Network.Contains(kind, StringComparer.Ordinal);
    }

    private static string[] Mounts()
    {
        try
        {
            return File.ReadAllLines("/proc/self/mounts");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
