using System.Globalization;
using System.Text.RegularExpressions;

namespace PgBackup.Configuration;

/// <summary>Lengths of time as people write them: <c>30s</c>, <c>5m</c>, <c>2h</c>, <c>14d</c>, <c>12w</c>.</summary>
public static partial class Duration
{
    /// <summary>What may be written, for messages.</summary>
    public const string Forms = "a number with s, m, h, d or w, such as 30s or 14d";

    /// <summary>Reads one; null for anything else.</summary>
    public static TimeSpan? TryParse(string text)
    {
        Match match = Pattern().Match(text);
        if (!match.Success || !int.TryParse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            return null;
        }

        return match.Groups[2].Value switch
        {
            "s" => TimeSpan.FromSeconds(number),
            "m" => TimeSpan.FromMinutes(number),
            "h" => TimeSpan.FromHours(number),
            "d" => TimeSpan.FromDays(number),
            _ => TimeSpan.FromDays(7L * number),
        };
    }

    [GeneratedRegex(@"^(\d{1,6})\s*(s|m|h|d|w)$")]
    private static partial Regex Pattern();
}
