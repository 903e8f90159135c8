using System.Text.Json.Serialization;

namespace PgBackup.Records;

/// <summary>How what a <see cref="Record"/> is of ended.</summary>
[JsonConverter(typeof(RecordResultConverter))]
public enum RecordResult
{
    /// <summary>A word of a newer version.</summary>
    Unknown,

    /// <summary>All of it was done.</summary>
    Ok,

    /// <summary>Part of it failed.</summary>
    Partial,

    /// <summary>It failed.</summary>
    Failed,
}

/// <summary>The words of <see cref="RecordResult"/>.</summary>
public static class RecordResults
{
    /// <summary>The word in JSON.</summary>
    public static string Word(this RecordResult result) =>
        result switch
        {
            RecordResult.Ok => "ok",
            RecordResult.Partial => "partial",
            RecordResult.Failed => "failed",
            _ => "unknown",
        };
}

/// <summary>A <see cref="RecordResult"/> in JSON.</summary>
public sealed class RecordResultConverter() : WordConverter<RecordResult>(RecordResults.Word, RecordResult.Unknown);
