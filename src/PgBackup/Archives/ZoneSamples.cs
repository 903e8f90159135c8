using System.Text;
using System.Text.RegularExpressions;

namespace PgBackup.Archives;

/// <summary>
/// Times with their offsets from UTC, out of the rows of a script: one for each month and offset. They show in which zone the rows were
/// written.
/// </summary>
internal sealed partial class ZoneSamples
{
    private const int Most = 2000;
    private const int Longest = 64; // bytes of one value with what stands around it

    private readonly Dictionary<string, string> times = new(StringComparer.Ordinal);

    /// <summary>As COPY writes them: <c>2026-07-01 14:00:00+02</c>.</summary>
    public IReadOnlyCollection<string> Times => times.Values;

    /// <summary>Reads a script to its end.</summary>
    public async Task ReadAsync(Stream script, CancellationToken cancel)
    {
        byte[] buffer = new byte[256 * 1024];
        int kept = 0;
        int count;
        while ((count = await script.ReadAsync(buffer.AsMemory(kept), cancel)) > 0)
        {
            string text = Encoding.Latin1.GetString(buffer, 0, kept + count);
            foreach (Match match in Value().Matches(text))
            {
                string time = match.Groups["time"].Value;
                if (times.Count < Most)
                {
                    times.TryAdd(time[..7] + match.Groups["offset"].Value, time);
                }
            }

            int start = Math.Max(0, kept + count - Longest);
            kept = kept + count - start;
            buffer.AsSpan(start, kept).CopyTo(buffer);
        }
    }

    // A whole column; within others, times may be anybody's.
    [GeneratedRegex(
        @"[\t\n](?<time>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}(?:\.[0-9]{1,6})?(?<offset>[+-][0-9]{2}(?::[0-9]{2}){0,2}))(?=[\t\n])"
    )]
    private static partial Regex Value();
}
