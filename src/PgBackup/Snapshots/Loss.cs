using System.Globalization;
using System.Text.Json.Serialization;

namespace PgBackup.Snapshots;

/// <summary>
/// What a snapshot has less of than an earlier one: nothing failed, and yet somebody should look before the earlier ones are gone. It is
/// written into the manifest when the snapshot is made, and never changes; whether somebody confirmed it stands in the records.
/// </summary>
public sealed record Loss
{
    /// <summary>What is lost.</summary>
    public required LossKind Kind { get; init; }

    /// <summary>The database.</summary>
    public required string Database { get; init; }

    /// <summary>The table as the proof names it (<c>public.identities</c>), for a partition its root; null for a whole database.</summary>
    public string? Table { get; init; }

    /// <summary>The column; null for a whole table or database.</summary>
    public string? Column { get; init; }

    /// <summary>The rows in <see cref="Since"/>.</summary>
    public required long Before { get; init; }

    /// <summary>The rows in this snapshot; 0 for what is gone.</summary>
    public required long Now { get; init; }

    /// <summary>The snapshot that it is compared with.</summary>
    public required string Since { get; init; }

    /// <summary>How much it matters while nobody confirms it: <see cref="Severity.Error"/>, or <see cref="Severity.Warning"/> for a table
    /// of which nobody said whether it may shrink.</summary>
    public required Severity Severity { get; init; }

    /// <summary>It was announced by <c>run --expect-loss</c>, and counts as confirmed.</summary>
    public bool IsExpected { get; init; }

    /// <summary>Of a table that is gone, a new one with the same rows: it looks renamed. Null where there is none.</summary>
    public string? RenamedTo { get; init; }

    /// <summary>Its name in findings and on the command line: <c>database</c>, <c>database.schema.table</c> or
    /// <c>database.schema.table.column</c>.</summary>
    [JsonIgnore]
    public string Subject =>
        Table is null ? Database
        : Column is null ? $"{Database}.{Table}"
        : $"{Database}.{Table}.{Column}";

    /// <summary>The text of the mark <c>LOSS</c>, a line for each that somebody has to look at.</summary>
    internal static string Text(IEnumerable<Loss> losses)
    {
        List<Loss> grave = [.. losses.Where(static l => l is { Severity: Severity.Error, IsExpected: false })];
        IEnumerable<string> lines = grave
            .Take(MostLines)
            .Select(static l =>
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{l.Kind.Word()}: {Short(l.Subject)}, {l.Before} rows in {Short(l.Since)}, {l.Now} now\n"
                )
            );
        string more = grave.Count > MostLines ? string.Create(CultureInfo.InvariantCulture, $"and {grave.Count - MostLines} more\n") : "";
        return string.Concat(lines) + more;
    }

    // Of the mark, which a person reads in a store: the manifest has all of them.
    private const int MostLines = 100;
    private const int LongestName = 300;

    private static string Short(string name) => Foreign.Line(name.Length > LongestName ? name[..LongestName] + "..." : name);
}
