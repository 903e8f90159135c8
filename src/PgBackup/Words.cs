using System.Globalization;

namespace PgBackup;

/// <summary>Words that depend on a number, and words that somebody mistyped.</summary>
public static class Words
{
    /// <summary>A number and its noun: <c>1 database</c>, <c>5 databases</c>.</summary>
    /// <param name="count">How many.</param>
    /// <param name="noun">The noun in the singular, one whose plural ends in <c>s</c>.</param>
    public static string Count(long count, string noun) => string.Create(CultureInfo.InvariantCulture, $"{count} {Noun(count, noun)}");

    /// <summary>The same for a noun whose plural is another: <c>2 losses</c>.</summary>
    public static string Count(long count, string noun, string plural) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {(count == 1 ? noun : plural)}");

    /// <summary>The noun alone, in the number that fits.</summary>
    public static string Noun(long count, string noun) => count == 1 ? noun : noun + "s";

    /// <summary>How long ago, in the largest unit that fits: <c>5 h</c>; nothing is younger than 0 s.</summary>
    public static string Age(TimeSpan age) =>
        age switch
        {
            { TotalDays: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{age.TotalDays:0} d"),
            { TotalHours: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{age.TotalHours:0} h"),
            { TotalMinutes: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{age.TotalMinutes:0} min"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, age.TotalSeconds):0} s"),
        };

    /// <summary>How many letters have to be put in, taken out or exchanged to make one word of another (Levenshtein's distance).</summary>
    public static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
            }
        }

        return row[^1];
    }
}
