using System.Text.Json.Serialization;

namespace PgBackup;

/// <summary>How much a finding matters, from harmless to grave.</summary>
[JsonConverter(typeof(SeverityConverter))]
public enum Severity
{
    /// <summary>All is well: a step that is done.</summary>
    Ok,

    /// <summary>Worth knowing; nobody has to do anything.</summary>
    Note,

    /// <summary>Somebody should look, or it becomes an error one day.</summary>
    Warning,

    /// <summary>Something is wrong.</summary>
    Error,
}

/// <summary>The words of <see cref="Severity"/>.</summary>
public static class Severities
{
    /// <summary>The word in JSON.</summary>
    public static string Word(this Severity severity) =>
        severity switch
        {
            Severity.Ok => "ok",
            Severity.Note => "note",
            Severity.Error => "error",
            _ => "warning",
        };
}

/// <summary>A <see cref="Severity"/> in JSON. A word of a newer version counts as a warning.</summary>
public sealed class SeverityConverter() : WordConverter<Severity>(Severities.Word, Severity.Warning);
