using System.Text.Json;
using System.Text.Json.Serialization;

namespace PgBackup.Operations.Keys;

/// <summary>A private key decrypted a real part of a snapshot: the evidence, <c>keys/tested-FINGERPRINT-TIME.json</c> in every
/// store.</summary>
public sealed record KeyTest
{
    /// <summary>The format that this version writes.</summary>
    public const int CurrentFormat = 1;

    /// <summary>What <see cref="How"/> says of <c>keys test</c>.</summary>
    public const string ByKeysTest = "keys test";

    /// <summary>What it says of a drill.</summary>
    public const string ByDrill = "drill";

    /// <summary>The format.</summary>
    public required int Format { get; init; }

    /// <summary>When, in UTC.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The recipient whose private key it was.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>What the config called that recipient.</summary>
    public required string Name { get; init; }

    /// <summary>The snapshot of which a part was decrypted.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The store it came from.</summary>
    public required string Store { get; init; }

    /// <summary>The host that had the key.</summary>
    public required string Host { get; init; }

    /// <summary>The version of olympus-pgbackup.</summary>
    public required string Tool { get; init; }

    /// <summary><see cref="ByKeysTest"/> or <see cref="ByDrill"/>.</summary>
    public required string How { get; init; }

    /// <summary>As JSON in UTF-8.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, KeyTestJson.Default.KeyTest);

    /// <summary>Reads one; null where it is none, or of a newer format.</summary>
    public static KeyTest? TryRead(byte[] json)
    {
        try
        {
            KeyTest? test = JsonSerializer.Deserialize(json, KeyTestJson.Default.KeyTest);
            return test is { Format: > 0 and <= CurrentFormat } ? test : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    WriteIndented = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true
)]
[JsonSerializable(typeof(KeyTest))]
internal sealed partial class KeyTestJson : JsonSerializerContext;
