using System.Globalization;
using System.Text;

namespace PgBackup;

/// <summary>Text that comes from a server, a store or a tool, made harmless for where it is shown: it is data, and never obeyed.</summary>
public static class Foreign
{
    /// <summary>
    /// For a terminal or a log: what a terminal obeys, or does not show, as <c>\x1B</c> or <c>\u202E</c>: control characters but for line
    /// ends and tabs, marks of direction and other formats, line separators of Unicode.
    /// </summary>
    public static string Text(string text) =>
        text.EnumerateRunes().Any(IsObeyed) ? string.Concat(text.EnumerateRunes().Select(Shown)) : text;

    /// <summary>The same in one line, so that no part of it looks like a line of ours.</summary>
    public static string Line(string text) =>
        Text(text.Replace("\r\n", " ", StringComparison.Ordinal).Replace('\n', ' ').Replace('\t', ' '));

    /// <summary>For a line of Markdown: what would be a tag, a link, a picture, code, emphasis, a heading or a cell of a table stays a
    /// text.</summary>
    /// <remarks>CommonMark 0.31, "Backslash escapes": any ASCII punctuation may be escaped. An underscore within a word needs
    /// none.</remarks>
    public static string Markdown(string text)
    {
        string line = Line(text);
        var safe = new StringBuilder(line.Length);
        for (int i = 0; i < line.Length; i++)
        {
            char c = line[i];
            bool special =
                c is '\\' or '`' or '*' or '[' or ']' or '<' or '>' or '|' or '&' or '~'
                || (c == '_' && !(i > 0 && i + 1 < line.Length && char.IsLetterOrDigit(line[i - 1]) && char.IsLetterOrDigit(line[i + 1])))
                || (c is '#' or '+' or '-' or '=' && i == 0)
                || (c is ':' && string.CompareOrdinal(line, i, "://", 0, 3) == 0) // GitHub makes links of bare addresses
                || (c is '.' && i >= 3 && string.Compare(line, i - 3, "www", 0, 3, StringComparison.OrdinalIgnoreCase) == 0);
            if (special)
            {
                safe.Append('\\');
            }

            safe.Append(c);
        }

        return safe.ToString();
    }

    private static bool IsObeyed(Rune c) =>
        c.Value is not ('\n' or '\t')
        && Rune.GetUnicodeCategory(c)
            is UnicodeCategory.Control
                or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator;

    private static string Shown(Rune c) =>
        !IsObeyed(c) ? c.ToString()
        : c.Value <= 0xFF ? string.Create(CultureInfo.InvariantCulture, $"\\x{c.Value:X2}")
        : c.IsBmp ? string.Create(CultureInfo.InvariantCulture, $"\\u{c.Value:X4}")
        : string.Create(CultureInfo.InvariantCulture, $"\\U{c.Value:X8}");
}
