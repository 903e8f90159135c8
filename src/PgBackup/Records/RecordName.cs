using System.Text.RegularExpressions;
using PgBackup.Snapshots;

namespace PgBackup.Records;

/// <summary>
/// The name of a record in a store, <c>records/20260301T030000Z-run-0a1b2c3d.json</c>: when it began, what it is of, and eight random
/// digits, so that two hosts in one second do not overwrite each other. The same record has the same name in every store.
/// </summary>
public sealed partial record RecordName
{
    private RecordName() { }

    /// <summary>The name without its folder and extension: <c>20260301T030000Z-run-0a1b2c3d</c>.</summary>
    public required string Name { get; init; }

    /// <summary>When what it is of began, in UTC, to the second.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>What it is of; <see cref="RecordKind.Unknown"/> for a kind of a newer version.</summary>
    public required RecordKind Kind { get; init; }

    /// <summary>Its key in a store.</summary>
    public string Key => $"{SnapshotLayout.Records}/{Name}.json";

    /// <summary>Reads the key of an object; null for what is no record.</summary>
    public static RecordName? TryParse(string key) =>
        Shape().Match(key) is { Success: true } match && SnapshotId.TryParse(match.Groups["time"].Value) is { } id
            ? new RecordName
            {
                Name = match.Groups["name"].Value,
                Time = id.Time,
                Kind = RecordKinds.Of(match.Groups["kind"].Value),
            }
            : null;

    /// <summary>What it is of began later than a moment, by more than clocks of two hosts differ: a wrong clock, or a forged
    /// name.</summary>
    public bool IsAfter(DateTimeOffset moment) => SnapshotId.At(Time).IsAfter(moment);

    /// <summary>The name for a record.</summary>
    /// <param name="record">The record.</param>
    /// <param name="random">Eight hexadecimal digits in lower case.</param>
    internal static RecordName Of(Record record, string random) =>
        new()
        {
            Name = $"{SnapshotId.At(record.Started)}-{record.Kind.Word()}-{random}",
            Time = SnapshotId.At(record.Started).Time,
            Kind = record.Kind,
        };

    /// <summary>The newest first; of one second, in the same order in every store.</summary>
    public static IReadOnlyList<RecordName> NewestFirst(IEnumerable<RecordName> names) =>
        [.. names.OrderByDescending(static n => n.Time).ThenByDescending(static n => n.Name, StringComparer.Ordinal)];

    [GeneratedRegex(
        @"\A" + SnapshotLayout.Records + @"/(?<name>(?<time>[0-9]{8}T[0-9]{6}Z)-(?<kind>[a-z]{1,20}(?:-[a-z]{1,20})?)-[0-9a-f]{8})\.json\z"
    )]
    private static partial Regex Shape();
}
