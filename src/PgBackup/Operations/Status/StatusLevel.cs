using System.Text.Json.Serialization;

namespace PgBackup.Operations.Status;

/// <summary>How something stands, from good to worst.</summary>
[JsonConverter(typeof(StatusLevelConverter))]
public enum StatusLevel
{
    /// <summary>All is well, and it is known.</summary>
    Green,

    /// <summary>Nobody knows: it was never tried, or no store could be read. Never taken for well.</summary>
    Unknown,

    /// <summary>Somebody should look.</summary>
    Yellow,

    /// <summary>Something is wrong.</summary>
    Red,
}

/// <summary>The words of <see cref="StatusLevel"/>.</summary>
public static class StatusLevels
{
    /// <summary>The word in JSON and on the screen.</summary>
    public static string Word(this StatusLevel level) =>
        level switch
        {
            StatusLevel.Green => "green",
            StatusLevel.Yellow => "yellow",
            StatusLevel.Red => "red",
            _ => "unknown",
        };

    /// <summary>The level that findings make: errors red, warnings yellow, anything else green.</summary>
    public static StatusLevel Of(IEnumerable<Finding> findings) =>
        findings.Select(static f => f.Severity).DefaultIfEmpty(Severity.Ok).Max() switch
        {
            Severity.Error => StatusLevel.Red,
            Severity.Warning => StatusLevel.Yellow,
            _ => StatusLevel.Green,
        };
}

/// <summary>A <see cref="StatusLevel"/> in JSON.</summary>
public sealed class StatusLevelConverter() : WordConverter<StatusLevel>(StatusLevels.Word, StatusLevel.Unknown);
