using System.Text.RegularExpressions;

namespace PgBackup.Postgres;

/// <summary>
/// The settings that decide how a server words values and definitions, and that pg_dump does not set by itself. A dump and the one that it
/// is compared with are taken with the same; a restore reads amounts of money as they were written.
/// </summary>
public static partial class DumpSettings
{
    /// <summary>Of every dump that is made now. A manifest records them (<c>dump_settings</c>); older ones do not, since none were
    /// set.</summary>
    public static IReadOnlyDictionary<string, string> Fixed { get; } =
        new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["DateStyle"] = "ISO", // pg_dump sets it, pg_dumpall does not
            ["IntervalStyle"] = "postgres",
            ["TimeZone"] = "UTC",
            ["bytea_output"] = "hex",
            ["lc_monetary"] = "C",
            ["quote_all_identifiers"] = "off",
            ["xmloption"] = "content",
        };

    /// <summary>The settings with another time zone.</summary>
    internal static IReadOnlyDictionary<string, string> In(string zone) =>
        new SortedDictionary<string, string>(Fixed.ToDictionary(static s => s.Key, static s => s.Value), StringComparer.Ordinal)
        {
            ["TimeZone"] = zone,
        };

    /// <summary>
    /// As options of a connection; empty for null. A manifest may come from anywhere, and these go to a superuser's session: other names,
    /// and values that are more than a word, are left out.
    /// </summary>
    internal static string Options(IReadOnlyDictionary<string, string>? settings) =>
        string.Concat(
            (settings ?? new Dictionary<string, string>())
                .Where(static s => Fixed.ContainsKey(s.Key) && Word().IsMatch(s.Value))
                .Select(static s => $" -c {s.Key}={s.Value}")
        );

    /// <summary>
    /// What a restore needs: amounts of money as they were written, and the word NULL in an array for no value (with
    /// <c>array_nulls = off</c>, which a database may set, it is a text). All other values are read alike under any settings.
    /// </summary>
    internal static string ReadingOptions(IReadOnlyDictionary<string, string>? settings) =>
        " -c array_nulls=on"
        + Options(settings?.Where(static s => s.Key == "lc_monetary").ToDictionary(static s => s.Key, static s => s.Value));

    [GeneratedRegex(@"^[A-Za-z0-9_/+-]+\z")]
    private static partial Regex Word();
}
