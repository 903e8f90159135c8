using System.Globalization;

namespace PgBackup.Host;

/// <summary>What lies under a name, before it is replaced.</summary>
public static class NamedFile
{
    /// <summary>A regular file, itself and not by a link; false for a folder, link, pipe, socket or device.</summary>
    /// <returns>Null where there is nothing of the name.</returns>
    /// <exception cref="IOException">The name cannot be looked at.</exception>
    public static bool? IsRegular(string file) => Posix.Look(file, follow: false)?.IsRegular;

    /// <summary>What is another text once another file lies there, or its content was changed; a link is followed.</summary>
    /// <returns>Null where there is nothing of the name.</returns>
    /// <exception cref="IOException">The name cannot be looked at.</exception>
    public static string? IdentityOf(string file) =>
        Posix.Look(file, follow: true) is { } facts
            ? string.Create(CultureInfo.InvariantCulture, $"{facts.Place} {facts.Size} {facts.Modified:O}")
            : null;
}
