using System.Text.Json.Serialization;

namespace PgBackup.Proofs;

/// <summary>
/// What a table looks like, beside its content: enough to see that a column is gone, and that a partition belongs to a table. It is no
/// part of the <see cref="Proof"/>, which compares contents.
/// </summary>
public sealed record TableShape
{
    /// <summary>The columns that the dump holds, without quotes, in the order of the dump. Generated columns are not among them: a dump
    /// has no values of them.</summary>
    [JsonConverter(typeof(OneLineConverter))]
    public required IReadOnlyList<string> Columns { get; init; }

    /// <summary>Of a partition, the table at the top that it is a part of, named as in the script; null for any other table.</summary>
    public string? Root { get; init; }

    /// <summary>Of a partition for a span of time, the first date in its bounds, or else in its name: the digits of a year, a month or a
    /// day (<c>20260301</c>). Such ones are dropped when they are old. Null for any other table.</summary>
    public string? Date { get; init; }
}
