using System.Text.Json;
using System.Text.Json.Serialization;
using PgBackup.Snapshots;

namespace PgBackup.Records;

/// <summary>
/// What one use of this program did: <c>records/TIME-KIND-RANDOM.json</c> in every store that took it. Never edited, never removed. It
/// holds no secret, and of persons the login name of who ran the program alone.
/// </summary>
public sealed record Record
{
    /// <summary>The format that this version writes, and the newest that it reads.</summary>
    public const int CurrentFormat = 1;

    /// <summary>The format.</summary>
    public required int Format { get; init; }

    /// <summary>What was done.</summary>
    public required RecordKind Kind { get; init; }

    /// <summary>The cluster's name in the config.</summary>
    public required string Cluster { get; init; }

    /// <summary>When it began, in UTC. The name of the record has this time, to the second.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>When it ended, in UTC.</summary>
    public required DateTimeOffset Finished { get; init; }

    /// <summary>The login name of who ran the program; null where the config says that records name nobody.</summary>
    public string? User { get; init; }

    /// <summary>The host; null where the config says that records name nobody.</summary>
    public string? Host { get; init; }

    /// <summary>The version of olympus-pgbackup.</summary>
    public required string Tool { get; init; }

    /// <summary>SHA-256 of the program's file in lower-case hexadecimal; null where it could not be read.</summary>
    public string? Binary { get; init; }

    /// <summary>How it ended.</summary>
    public required RecordResult Result { get; init; }

    /// <summary>What was done, in a sentence without names of persons or servers.</summary>
    public required string Summary { get; init; }

    /// <summary>The snapshot that was made, restored, rehearsed, tested or confirmed; null where there was none.</summary>
    public string? Snapshot { get; init; }

    /// <summary>The store that it was done with; null for all of them.</summary>
    public string? Store { get; init; }

    /// <summary><c>backup</c> for a snapshot that was no nightly run; null for that, and for all other kinds.</summary>
    public string? Verb { get; init; }

    /// <summary>How deep a check looked; null for one that could not look, and for all other kinds.</summary>
    public CheckDepth? Depth { get; init; }

    /// <summary>What was found, and for a failure why; the gravest first, capped when it is written.</summary>
    public IReadOnlyList<Finding> Findings
    {
        get;
        init => field = value ?? [];
    } = [];

    /// <summary>How many findings more there were than a record has room for.</summary>
    public int FindingsOmitted { get; init; }

    /// <summary>The losses that a person confirmed; empty for all other kinds.</summary>
    public IReadOnlyList<Loss> Confirmed
    {
        get;
        init => field = value ?? [];
    } = [];

    /// <summary>What the person who confirmed, or pinned, wrote about it; null for nothing.</summary>
    public string? Note { get; init; }

    /// <summary>As JSON in UTF-8. What is not ASCII is escaped: a terminal that shows the file obeys nothing of it.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, RecordJson.Default.Record);

    /// <summary>Reads one; null where it is none, has empty entries, or is of a newer format.</summary>
    public static Record? TryRead(byte[] json)
    {
        try
        {
            Record? record = JsonSerializer.Deserialize(json, RecordJson.Default.Record);
            return record is { Format: > 0 and <= CurrentFormat } && !HasNull(record) ? record : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // The reader of JSON lets an empty entry of a list pass.
    private static bool HasNull(Record record) =>
        ((IEnumerable<object?>)[.. record.Findings, .. record.Confirmed]).Any(static e => e is null);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    WriteIndented = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true
)]
[JsonSerializable(typeof(Record))]
internal sealed partial class RecordJson : JsonSerializerContext;
