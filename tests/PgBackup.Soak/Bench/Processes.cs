using System.Text;

namespace PgBackup.Soak.Bench;

/// <summary>A process as <c>/proc</c> shows it.</summary>
internal sealed record SeenProcess(int Id, string Name, string CommandLine);

/// <summary>Who lives: told by <c>/proc</c> alone, which costs no call of the container engine.</summary>
internal static class Processes
{
    /// <summary>All that inherited a variable of the environment with this value.</summary>
    public static List<SeenProcess> Marked(string marker) => Where(id => Environment(id).Contains(marker, StringComparison.Ordinal));

    /// <summary>All in the namespace of a container's first process.</summary>
    public static List<SeenProcess> InContainer(int first)
    {
        string? space = Namespace(first);
        return space is null ? [] : Where(id => Namespace(id) == space);
    }

    private static List<SeenProcess> Where(Func<int, bool> isOne)
    {
        var found = new List<SeenProcess>();
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (
                int.TryParse(Path.GetFileName(folder), out int id)
                && isOne(id)
                && Read(id, "stat") is { Length: > 0 } stat
                && !IsZombie(stat)
            )
            {
                found.Add(new SeenProcess(id, Read(id, "comm").Trim(), Read(id, "cmdline").Replace('\0', ' ').Trim()));
            }
        }

        return found;
    }

    private static bool IsZombie(string stat) => stat[(stat.LastIndexOf(')') + 1)..].TrimStart() is ['Z' or 'X', ..];

    private static string Environment(int id) => "\0" + Read(id, "environ");

    private static string? Namespace(int id)
    {
        try
        {
            return new FileInfo($"/proc/{id}/ns/pid").LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string Read(int id, string file)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{id}/{file}"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It ended while it was looked at.
            return "";
        }
    }
}
