using PgBackup.Records;

namespace PgBackup.App.Render;

/// <summary>What <c>log --json</c> prints for a record.</summary>
internal sealed record LoggedRecord
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>When what it is of began, by its name.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>What it is of, by its name.</summary>
    public required RecordKind Kind { get; init; }

    /// <summary>The stores that have it.</summary>
    public required IReadOnlyList<string> Stores { get; init; }

    /// <summary>What it says; absent where it cannot be read.</summary>
    public Record? Record { get; init; }

    /// <summary>Of an entry of the log.</summary>
    public static LoggedRecord Of(RecordEntry entry) =>
        new()
        {
            Name = entry.Name.Name,
            Time = entry.Name.Time,
            Kind = entry.Name.Kind,
            Stores = entry.Stores,
            Record = entry.Record,
        };
}
