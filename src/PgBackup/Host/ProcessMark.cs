using System.Globalization;

namespace PgBackup.Host;

/// <summary>
/// Names this process so that another one can know for certain when it is gone: by the start of the kernel (a random id), the namespace of
/// process ids, the id, and the time of the start, which no later process with the same id has.
/// </summary>
/// <remarks>Sources: random(4), pid_namespaces(7), proc_pid_stat(5), field 22, kill(2).</remarks>
internal static class ProcessMark
{
    private const char Separator = '/';
    private const string Processes = "/proc";

    /// <summary>This process; null where the system does not say.</summary>
    public static string? Own { get; } =
        Kernel() is { } kernel && Start(Environment.ProcessId, Processes) is { } start
            ? string.Create(CultureInfo.InvariantCulture, $"{kernel}{Separator}{Environment.ProcessId}{Separator}{start}")
            : null;

    /// <summary>True only if the process was one of this very system and runs no more; false also where nobody can know.</summary>
    /// <param name="mark">What a process said of itself.</param>
    /// <param name="processes">Where the kernel shows processes. It may hide those of other users (<c>hidepid</c>), which run all the
    /// same.</param>
    public static bool IsGone(string? mark, string processes = Processes)
    {
        string[] parts = mark?.Split(Separator) ?? [];
        return parts.Length == 4
            && Kernel() is { } kernel
            && $"{parts[0]}{Separator}{parts[1]}" == kernel
            && int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
            && (Start(pid, processes) is { } start ? start != parts[3] : !Posix.IsThere(pid));
    }

    /// <summary>True if this system was started again since; only for marks in places that belong to one system.</summary>
    public static bool IsOfAnotherStart(string? mark) =>
        mark?.Split(Separator) is { Length: 4 } parts && Kernel()?.Split(Separator)[0] is { } boot && parts[0] != boot;

    private static string? Kernel()
    {
        try
        {
            string boot = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
            return new FileInfo("/proc/self/ns/pid").LinkTarget is { } space ? $"{boot}{Separator}{space}" : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string? Start(int pid, string processes)
    {
        try
        {
            return StartIn(File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"{processes}/{pid}/stat")));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // The name in the second field may have spaces and parentheses; behind its last one come field 3 and the others.
    private static string? StartIn(string stat)
    {
        string[] fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 19 ? fields[19] : null;
    }
}
