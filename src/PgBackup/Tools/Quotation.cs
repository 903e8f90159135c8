using System.Globalization;
using System.Text;

namespace PgBackup.Tools;

/// <summary>
/// What is quoted of a tool or a server, cut to what a person reads: its words go to the terminal, into reports and manifests, and into
/// cron's mail, and a single line of pg_dump's can name every table of a database. What is left out is counted.
/// </summary>
internal static class Quotation
{
    /// <summary>The most characters of one line that are quoted.</summary>
    public const int LineLength = 500;

    /// <summary>The most characters of all lines of one quotation together, but for the count of what is left out.</summary>
    public const int Length = 4000;

    /// <summary>The start of a line, and how much more there was.</summary>
    public static string Line(string line, int most = LineLength)
    {
        if (line.Length <= most)
        {
            return line;
        }

        int end = char.IsHighSurrogate(line[most - 1]) ? most - 1 : most;
        return $"{line[..end]} ... ({More(line.Length - end)})";
    }

    /// <summary>The last lines, each cut; the first of them says how many are left out where these do not fit.</summary>
    /// <param name="lines">All that was said.</param>
    /// <param name="most">The most lines.</param>
    public static IReadOnlyList<string> Lines(IEnumerable<string> lines, int most)
    {
        string[] all = [.. lines];
        List<string> last = [];
        int length = 0;
        foreach (string line in all.Reverse().Take(most).Select(static l => Line(l)))
        {
            length += line.Length;
            if (last.Count > 0 && length > Length)
            {
                break;
            }

            last.Insert(0, line);
        }

        // The last ones are asked for; only what these lose by their length is worth a word.
        int lost = Math.Min(most, all.Length) - last.Count;
        return lost == 0 ? last : [string.Create(CultureInfo.InvariantCulture, $"({Words.Count(lost, "earlier line")} left out)"), .. last];
    }

    /// <summary>The same, for the end of a message.</summary>
    public static string Joined(IEnumerable<string> lines, int most, string separator = "\n  ") =>
        string.Join(separator, Lines(lines, most));

    private static string More(long characters) => string.Create(CultureInfo.InvariantCulture, $"{characters:N0} more characters");

    /// <summary>Takes the lines of a stream of characters, each bounded while it is read: a tool's line may be of any length.</summary>
    internal sealed class Reader(TextReader from)
    {
        // More than is quoted, since some of it is read by this program, and a secret is taken out of it whole before it is cut.
        private const int Kept = 16 * 1024;

        private readonly char[] buffer = new char[4096];
        private int next;
        private int count;
        private bool afterReturn;

        /// <summary>The next line without its end, or null at the end of the stream.</summary>
        public async Task<string?> ReadAsync()
        {
            var line = new StringBuilder();
            long left = 0;
            bool any = false;
            while (true)
            {
                if (next == count)
                {
                    (next, count) = (0, await from.ReadAsync(buffer));
                    if (count == 0)
                    {
                        return any ? Whole(line, left) : null;
                    }
                }

                if (afterReturn && buffer[next] == '\n')
                {
                    afterReturn = false;
                    next++;
                    continue;
                }

                afterReturn = false;
                int length = buffer.AsSpan(next..count).IndexOfAny('\r', '\n');
                bool ends = length >= 0;
                length = ends ? length : count - next;
                int kept = Math.Min(length, Kept - line.Length);
                line.Append(buffer, next, kept);
                left += length - kept;
                any = true;
                next += length;
                if (ends)
                {
                    afterReturn = buffer[next++] == '\r';
                    return Whole(line, left);
                }
            }
        }

        private static string Whole(StringBuilder line, long left) => left == 0 ? line.ToString() : $"{line} ... ({More(left)})";
    }
}
