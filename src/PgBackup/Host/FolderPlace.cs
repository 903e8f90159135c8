namespace PgBackup.Host;

/// <summary>Where a folder really is: two paths may lead to one place by symbolic links or mounts.</summary>
internal sealed class FolderPlace
{
    // As the kernel (path_resolution(7)).
    private const int MostLinks = 40;

    private readonly List<(uint, uint, ulong)> upwards = [];

    private FolderPlace(string path)
    {
        Path = path;
        for (string? above = path; above is not null; above = System.IO.Path.GetDirectoryName(above))
        {
            if (Look(above) is { } place)
            {
                upwards.Add(place);
                IsThere |= above == path;
            }
        }
    }

    /// <summary>The path with its links resolved, as far as it is there.</summary>
    public string Path { get; }

    /// <summary>Something is there.</summary>
    public bool IsThere { get; }

    /// <summary>Of a path, which need not be there.</summary>
    public static FolderPlace Of(string path) =>
        new(Resolved(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path)), MostLinks));

    /// <summary>The same folder.</summary>
    public bool IsSame(FolderPlace other) => Path == other.Path || (IsThere && other.IsThere && upwards[0] == other.upwards[0]);

    /// <summary>A folder somewhere below the other.</summary>
    public bool IsBelow(FolderPlace other) =>
        Path.StartsWith(other.Path.EndsWith('/') ? other.Path : other.Path + "/", StringComparison.Ordinal)
        || (other.IsThere && upwards.Skip(IsThere ? 1 : 0).Contains(other.upwards[0]));

    private static string Resolved(string path, int links)
    {
        string found = "/";
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            string next = System.IO.Path.Combine(found, name);
            found = links > 0 && LinkOf(next) is { } target ? Resolved(System.IO.Path.GetFullPath(target, found), links - 1) : next;
        }

        return found;
    }

    private static string? LinkOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static (uint, uint, ulong)? Look(string path)
    {
        try
        {
            return Posix.Look(path, follow: true)?.Place;
        }
        catch (IOException)
        {
            return null; // what cannot be looked at is reported when it is used
        }
    }
}
