using System.Globalization;

namespace PgBackup.Soak;

/// <summary>
/// What the campaign was asked for: <c>seed=1 seconds=120 faults=500 only=17 kind=killed workers=2</c>; what is empty or not there has its
/// default.
/// </summary>
internal sealed record Options
{
    public required int Seed { get; init; }

    /// <summary>No fault begins later than this; 0: no limit.</summary>
    public required int Seconds { get; init; }

    /// <summary>How many there are at most; 0: no limit.</summary>
    public required int Faults { get; init; }

    /// <summary>The number of the one fault to repeat; 0: all.</summary>
    public required int Only { get; init; }

    /// <summary>The beginning of the names of the kinds that take part.</summary>
    public required string Kind { get; init; }

    public required int Workers { get; init; }

    /// <exception cref="FormatException">A word is not understood.</exception>
    public static Options Read(IEnumerable<string> words)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string word in words)
        {
            if (word.Split('=', 2) is not [("seed" or "seconds" or "faults" or "only" or "kind" or "workers") and var name, var value])
            {
                throw new FormatException($"\"{word}\" is not seed=, seconds=, faults=, only=, kind= or workers= with a value");
            }

            values[name] = value;
        }

        int seconds = Number("seconds", 0);
        return new Options
        {
            Seed = Number("seed", Random.Shared.Next(1, 1_000_000)),
            Seconds = seconds,
            Faults = Number("faults", seconds > 0 ? 0 : 2000),
            Only = Number("only", 0),
            Kind = values.GetValueOrDefault("kind", ""),
            Workers = Number("workers", Environment.ProcessorCount + 1),
        };

        int Number(string name, int otherwise) =>
            values.GetValueOrDefault(name, "") is { Length: > 0 } text
                ? int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                    ? number
                    : throw new FormatException($"{name}={text}: a whole number is needed")
                : otherwise;
    }
}
