using System.Text.Json;
using System.Text.Json.Serialization;
using PgBackup.Encryption;
using PgBackup.Operations.Restore;

namespace PgBackup.Operations.Drill;

/// <summary>What a drill did and found: the evidence, <c>drills/TIME.json</c> in every store. Times are UTC, lengths seconds.</summary>
public sealed record DrillReport
{
    /// <summary>The format that this version writes.</summary>
    public const int CurrentFormat = 1;

    /// <summary>What the version and the encryption of a snapshot are that could not even be found.</summary>
    public const string Unknown = "unknown";

    /// <summary>The format.</summary>
    public required int Format { get; init; }

    /// <summary>The cluster's name.</summary>
    public required string Cluster { get; init; }

    /// <summary>The snapshot that was restored.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The store from which it came.</summary>
    public required string Store { get; init; }

    /// <summary>Where that is.</summary>
    public required string Location { get; init; }

    /// <summary>The host that carried it out.</summary>
    public required string Host { get; init; }

    /// <summary>The version of olympus-pgbackup.</summary>
    public required string Tool { get; init; }

    /// <summary>The version of the server that the snapshot was taken from.</summary>
    public required string ServerVersion { get; init; }

    /// <summary>The server that it was restored into.</summary>
    public required string Target { get; init; }

    /// <summary>How it was encrypted.</summary>
    public required string Encryption { get; init; }

    /// <summary>Who could have decrypted it; one of them did.</summary>
    public required IReadOnlyList<Recipient> Recipients { get; init; }

    /// <summary>The fingerprints of those whose private key did; none when it was not restored, or it is not known.</summary>
    public IReadOnlyList<string> DecryptedBy
    {
        get;
        init => field = value ?? [];
    } = [];

    /// <summary>When the private key of each fingerprint was tested last, this drill included; one that is not here never was.</summary>
    public IReadOnlyDictionary<string, DateTimeOffset> KeysTested
    {
        get;
        init => field = value ?? new Dictionary<string, DateTimeOffset>();
    } = new Dictionary<string, DateTimeOffset>();

    /// <summary>When it began.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>When it ended, everything removed again.</summary>
    public required DateTimeOffset Finished { get; init; }

    /// <summary>The phases, one after another; together they are the whole time.</summary>
    public required IReadOnlyList<DrillPhase> Phases { get; init; }

    /// <summary>What the restore took: all phases up to the last comparison.</summary>
    public required double RestoreSeconds { get; init; }

    /// <summary>What it may take.</summary>
    public required double RtoSeconds { get; init; }

    /// <summary>How old the data was when the drill began: what a disaster at that moment would have cost.</summary>
    public required double DataAgeSeconds { get; init; }

    /// <summary>How old it may be.</summary>
    public required double RpoSeconds { get; init; }

    /// <summary>The operator's own figure for deploying everything else.</summary>
    public required double RedeploySeconds { get; init; }

    /// <summary>Each database: restored, compared with its proof.</summary>
    public required IReadOnlyList<DrillDatabase> Databases { get; init; }

    /// <summary>The questions that were asked.</summary>
    [JsonPropertyName("checks")]
    public required IReadOnlyList<DrillQuestion> Questions { get; init; }

    /// <summary>Whether the applications' own keys decrypt what they stored encrypted.</summary>
    /// <remarks>A report from before there was this has none; the generated reader then sets null.</remarks>
    public IReadOnlyList<SecretTest> ApplicationKeys
    {
        get;
        init => field = value ?? [];
    } = [];

    /// <summary>What is wrong (<see cref="Severity.Error"/>: then the drill failed), and what is worth knowing.</summary>
    public IReadOnlyList<Finding> Findings
    {
        get;
        init => field = value ?? [];
    } = [];

    /// <summary>What is wrong, as sentences, in reports that were written before there were findings; null in others.</summary>
    [JsonPropertyName("failures")]
    public IReadOnlyList<string>? EarlierFailures { get; init; }

    /// <summary>What is worth knowing, in the same reports.</summary>
    [JsonPropertyName("notes")]
    public IReadOnlyList<string>? EarlierNotes { get; init; }

    /// <summary>Everything that is wrong; empty when the drill passed.</summary>
    [JsonIgnore]
    public IReadOnlyList<Finding> Failures =>
        [
            .. Findings.Where(static f => f.Severity == Severity.Error),
            .. (EarlierFailures ?? []).Select(static f => Finding.Earlier(Severity.Error, f)),
        ];

    /// <summary>Everything else.</summary>
    [JsonIgnore]
    public IReadOnlyList<Finding> Notes =>
        [
            .. Findings.Where(static f => f.Severity != Severity.Error),
            .. (EarlierNotes ?? []).Select(static n => Finding.Earlier(Severity.Note, n)),
        ];

    /// <summary>Restored, equal, in time, every check passed, and no key was wrong.</summary>
    public bool Passed => Failures.Count == 0;

    /// <summary>The restore and the rest of the deployment.</summary>
    public double RecoverySeconds => RestoreSeconds + RedeploySeconds;

    /// <summary>As JSON in UTF-8.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, DrillJson.Default.DrillReport);

    /// <summary>Reads one; null where it is none, or of a newer format.</summary>
    public static DrillReport? TryRead(byte[] json)
    {
        try
        {
            DrillReport? report = JsonSerializer.Deserialize(json, DrillJson.Default.DrillReport);
            return report is { Format: > 0 and <= CurrentFormat } && !HasNull(report) && Times(report).All(IsTime) ? report : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // Thirty years: whoever can write into the store could put anything there.
    private static bool IsTime(double seconds) => seconds is >= -1e9 and <= 1e9;

    private static IEnumerable<double> Times(DrillReport report) =>
        [
            report.RestoreSeconds,
            report.RtoSeconds,
            report.DataAgeSeconds,
            report.RpoSeconds,
            report.RedeploySeconds,
            .. report.Phases.Select(static p => p.Seconds),
            .. report.Databases.SelectMany(static d => (double[])[d.RestoreSeconds, d.CompareSeconds]),
        ];

    // The reader of JSON lets an empty entry of a list pass.
    private static bool HasNull(DrillReport report) =>
        (
            (IEnumerable<object?>)
                [
                    .. report.Findings,
                    .. report.EarlierFailures ?? [],
                    .. report.EarlierNotes ?? [],
                    .. report.Databases,
                    .. report.Databases.SelectMany(static d => d?.Problems ?? []),
                    .. report.Questions,
                    .. report.ApplicationKeys,
                    .. report.Phases,
                    .. report.Recipients,
                    .. report.DecryptedBy,
                ]
        ).Any(static e => e is null);
}

/// <summary>One phase of a drill.</summary>
public sealed record DrillPhase
{
    /// <summary>What was done.</summary>
    public required string Name { get; init; }

    /// <summary>How long.</summary>
    public required double Seconds { get; init; }
}

/// <summary>One database of a drill.</summary>
public sealed record DrillDatabase
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Tables in it.</summary>
    public required int Tables { get; init; }

    /// <summary>Rows in it.</summary>
    public required long Rows { get; init; }

    /// <summary>Seconds for restoring; several databases are restored at the same time.</summary>
    public required double RestoreSeconds { get; init; }

    /// <summary>Seconds for comparing.</summary>
    public required double CompareSeconds { get; init; }

    /// <summary>Whether it equals its proof.</summary>
    public required RestoreVerdict Verdict { get; init; }

    /// <summary>The code of its failure; null where it did not fail, and in reports that were written before there was this.</summary>
    [JsonConverter(typeof(CodeTextConverter))]
    public ErrorCode? Code { get; init; }

    /// <summary>The first errors and differences.</summary>
    public required IReadOnlyList<string> Problems { get; init; }
}

/// <summary>One question to a restored database.</summary>
public sealed record DrillQuestion
{
    /// <summary>The database.</summary>
    public required string Database { get; init; }

    /// <summary>What was asked.</summary>
    public required string Name { get; init; }

    /// <summary>What was expected; null when any answer is right.</summary>
    public string? Expected { get; init; }

    /// <summary>The answer; null for none.</summary>
    public string? Answer { get; init; }

    /// <summary>It is as expected.</summary>
    public required bool Passed { get; init; }

    /// <summary>Why there is no answer, or null.</summary>
    public string? Problem { get; init; }
}

/// <summary>The values that one service stored encrypted, and its key.</summary>
public sealed record SecretTest
{
    /// <summary><c>hydra</c>, <c>kratos</c> or <c>settings</c>.</summary>
    public required string Service { get; init; }

    /// <summary>The database.</summary>
    public required string Database { get; init; }

    /// <summary>The table.</summary>
    public required string Table { get; init; }

    /// <summary>How many encrypted values are stored; null where it is not known.</summary>
    public long? Values { get; init; }

    /// <summary>Whether the key decrypts them.</summary>
    public required SecretVerdict Verdict { get; init; }

    /// <summary>How many were tried and with which of the secrets, or why not; never a value or a secret.</summary>
    public required string Detail { get; init; }

    /// <summary>It is no reason to fail a drill.</summary>
    [JsonIgnore]
    public bool Passed => Verdict is not (SecretVerdict.WrongKey or SecretVerdict.Failed);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    WriteIndented = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true
)]
[JsonSerializable(typeof(DrillReport))]
internal sealed partial class DrillJson : JsonSerializerContext;
