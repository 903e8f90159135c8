namespace PgBackup.Host;

/// <summary>The program that this process is.</summary>
public static class ProcessImage
{
    /// <summary>Becomes another program, with the same process id, environment and standard streams. What this one has open is closed.
    /// Returns only if that fails.</summary>
    /// <param name="file">Its path.</param>
    /// <param name="arguments">Its arguments; the first is its own name.</param>
    /// <returns>Why it failed.</returns>
    public static string Become(string file, IReadOnlyList<string> arguments) => Posix.Become(file, arguments);
}
