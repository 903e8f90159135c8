using System.Text.Json.Serialization;

namespace PgBackup.Records;

/// <summary>How deep a check looks.</summary>
[JsonConverter(typeof(CheckDepthConverter))]
public enum CheckDepth
{
    /// <summary>Presence and sizes, from a listing.</summary>
    Present,

    /// <summary>Every stored byte against its digest; decrypted and decoded too where a private key is at hand.</summary>
    ReadData,

    /// <summary>Every byte, decrypted and decoded; without a key that fits, the check fails.</summary>
    Decode,
}

/// <summary>The words of <see cref="CheckDepth"/>.</summary>
public static class CheckDepths
{
    /// <summary>The word.</summary>
    public static string Word(this CheckDepth depth) =>
        depth switch
        {
            CheckDepth.Decode => "decode",
            CheckDepth.ReadData => "read-data",
            _ => "present",
        };
}

/// <summary>A <see cref="CheckDepth"/> in JSON. A depth of a newer version counts as the shallowest.</summary>
public sealed class CheckDepthConverter() : WordConverter<CheckDepth>(CheckDepths.Word, CheckDepth.Present);
