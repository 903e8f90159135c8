using System.Collections;
using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Encryption;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace PgBackup.Configuration;

/// <summary>
/// One mapping of the file, read key by key. It never throws: what is wrong is added to the list of errors, with its place, and
/// reading continues, so that all errors are reported at once.
/// </summary>
internal sealed partial class YamlSection
{
    // Longer than any path, URL or query that a person writes.
    private const int LongestText = 20_000;

    private const decimal HighestPrice = 1_000_000;

    private readonly Dictionary<string, YamlNode> values = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Mark> places = new(StringComparer.Ordinal);
    private readonly HashSet<string> known = new(StringComparer.Ordinal);
    private readonly List<ConfigError> errors;
    private readonly string path;

    public YamlSection(YamlMappingNode node, string path, List<ConfigError> errors)
    {
        this.errors = errors;
        this.path = path;
        Line = node.Start.Line;
        foreach ((YamlNode key, YamlNode value) in node.Children)
        {
            if (key is YamlScalarNode { Value: { } name })
            {
                values[name] = value;
                places[name] = key.Start;
            }
        }
    }

    /// <summary>The line it starts in.</summary>
    public long Line { get; }

    /// <summary>The key is there, with any value.</summary>
    public bool Has(string key)
    {
        known.Add(key);
        return values.ContainsKey(key);
    }

    /// <summary>A text, or null when it is absent.</summary>
    public string? Text(string key)
    {
        known.Add(key);
        return values.TryGetValue(key, out YamlNode? node) ? Scalar(node, key) : null;
    }

    /// <summary>A text that must be there.</summary>
    public string RequiredText(string key, string remedy)
    {
        string? text = Text(key);
        if (string.IsNullOrEmpty(text) && (!values.ContainsKey(key) || text is not null))
        {
            Error(key, "it is missing.", remedy);
        }

        return text ?? "";
    }

    /// <summary>A length of time.</summary>
    public TimeSpan Span(string key, TimeSpan absent)
    {
        if (Text(key) is not { } text)
        {
            return absent;
        }

        if (Duration.TryParse(text) is { } span)
        {
            return span;
        }

        Error(key, $"\"{text}\" is not a length of time.", $"Write {Duration.Forms}.");
        return absent;
    }

    /// <summary>A whole number within bounds.</summary>
    public int Number(string key, int absent, int least, int most)
    {
        if (Text(key) is not { } text)
        {
            return absent;
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most)
        {
            return number;
        }

        Error(key, $"\"{text}\" is not allowed.", $"Write a whole number from {least} to {most}.");
        return absent;
    }

    /// <summary>A price, without a currency; null when it is absent.</summary>
    public decimal? Price(string key)
    {
        if (Text(key) is not { } text)
        {
            return null;
        }

        if (
            decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal price)
            && price <= HighestPrice
        )
        {
            return price;
        }

        Error(key, $"\"{text}\" is not a price.", "Write a number without a currency, for instance 0.006.");
        return null;
    }

    /// <summary>true or false.</summary>
    public bool Flag(string key)
    {
        string? text = Text(key);
        if (text is not (null or "true" or "false"))
        {
            Error(key, $"\"{text}\" is neither true nor false.", "Write true or false.");
        }

        return text == "true";
    }

    /// <summary>A mapping below this one, or null when it is absent or something else (which is then reported).</summary>
    public YamlSection? Section(string key)
    {
        known.Add(key);
        if (!values.TryGetValue(key, out YamlNode? node))
        {
            return null;
        }

        if (node is YamlMappingNode mapping)
        {
            return new YamlSection(mapping, Path(key), errors);
        }

        Error(
            key,
            $"keys and values are expected here, not {Kind(node)}.",
            $"Write its keys below {key}: with more indentation, or in braces."
        );
        return null;
    }

    /// <summary>The items of a list, each with its path; empty when it is absent or something else (which is then reported).</summary>
    public IReadOnlyList<(YamlNode Node, string Path)> Items(string key)
    {
        known.Add(key);
        if (!values.TryGetValue(key, out YamlNode? node))
        {
            return [];
        }

        if (node is YamlSequenceNode sequence)
        {
            return [.. sequence.Children.Select((item, i) => (item, string.Create(CultureInfo.InvariantCulture, $"{Path(key)}[{i}]")))];
        }

        Error(key, $"a list is expected here, not {Kind(node)}.", $"Write {key}: [ ... ], or one item a line, each behind a dash.");
        return [];
    }

    /// <summary>A list of texts.</summary>
    public IReadOnlyList<string> Texts(string key) => [.. Items(key).Select(item => Scalar(item.Node, key)).OfType<string>()];

    /// <summary>The kind of a value: is it one text (and not a mapping or a list)?</summary>
    public bool IsText(string key) => values.GetValueOrDefault(key) is YamlScalarNode;

    /// <summary>The line of a key that is there.</summary>
    public long LineOf(string key) => places[key].Line;

    /// <summary>Reports an error at a key (or at the section, if the key is absent).</summary>
    public void Error(string key, string what, string remedy) =>
        errors.Add(
            new ConfigError
            {
                Line = places.TryGetValue(key, out Mark mark) ? mark.Line : Line,
                Key = Path(key),
                What = what,
                Remedy = remedy,
            }
        );

    /// <summary>Reports every key that nobody asked for, with the nearest one that exists.</summary>
    public void RejectUnknown()
    {
        foreach (string key in values.Keys.Where(key => !known.Contains(key)))
        {
            string? near = known.Where(k => Words.Distance(k, key) <= 2).OrderBy(k => Words.Distance(k, key)).FirstOrDefault();
            Error(key, "there is no such key.", near is null ? $"Known here: {string.Join(", ", known)}." : $"Did you mean {near}?");
        }
    }

    /// <summary>The text of a scalar, with ${VARIABLES} of the environment put in.</summary>
    public string? Scalar(YamlNode node, string key)
    {
        if (node is not YamlScalarNode scalar)
        {
            Error(key, $"one value is expected here, not {Kind(node)}.", "Write it behind the key.");
            return null;
        }

        string text = Variable()
            .Replace(
                scalar.Value ?? "",
                match =>
                {
                    string name = match.Groups[1].Value;
                    string? value = Environment.GetEnvironmentVariable(name);
                    if (value is null)
                    {
                        errors.Add(
                            new ConfigError
                            {
                                Line = scalar.Start.Line,
                                Key = Path(key),
                                What = $"the environment variable {name} is not set.",
                                Remedy = $"Set {name} for the user (and in the crontab) that runs the backup, or write the value.",
                            }
                        );
                    }

                    return value ?? "";
                }
            );
        // Its text is in no message: these are printed, logged and mailed.
        if (PrivateKey.IsIn(text))
        {
            errors.Add(
                new ConfigError
                {
                    Line = scalar.Start.Line,
                    Key = Path(key),
                    What = PrivateKey.Refusal,
                    Remedy = PrivateKey.Remedy,
                }
            );
            return null;
        }

        if (text.Contains('\0', StringComparison.Ordinal) || text.Length > LongestText)
        {
            errors.Add(
                new ConfigError
                {
                    Line = scalar.Start.Line,
                    Key = Path(key),
                    What = text.Length > LongestText ? $"it has {text.Length} characters." : "there is a zero byte in it.",
                    Remedy = text.Length > LongestText ? $"Write at most {LongestText}." : "Write it without.",
                }
            );
            return null;
        }

        return text;
    }

    private static string Kind(YamlNode node) =>
        node switch
        {
            YamlMappingNode => "keys and values",
            IEnumerable and YamlSequenceNode => "a list",
            YamlScalarNode { Value: null or "" } => "nothing",
            _ => $"\"{node}\"",
        };

    private string Path(string key) => path.Length == 0 ? key : $"{path}.{key}";

    [GeneratedRegex(@"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")]
    private static partial Regex Variable();
}

/// <summary>One thing wrong in the file.</summary>
public sealed record ConfigError
{
    /// <summary>The line, from 1.</summary>
    public required long Line { get; init; }

    /// <summary>The key, with those above it.</summary>
    public required string Key { get; init; }

    /// <summary>What is wrong.</summary>
    public required string What { get; init; }

    /// <summary>What to write instead.</summary>
    public required string Remedy { get; init; }
}
