namespace PgBackup;

/// <summary>Text for commands that people copy into a shell.</summary>
public static class ShellText
{
    /// <summary>A word of a POSIX shell, quoted if it needs to be.</summary>
    public static string Word(string word) =>
        word.Length > 0
        && word.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or ':' or '=' or '@' or '+' or ',')
            ? word
            : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
