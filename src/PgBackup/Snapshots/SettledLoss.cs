namespace PgBackup.Snapshots;

/// <summary>
/// From which snapshot on a thing is compared anew, because its loss there was announced or confirmed. Later manifests hand it on: that
/// snapshot may be removed while older ones, from before the loss, stay.
/// </summary>
public sealed record SettledLoss
{
    /// <summary>The database.</summary>
    public required string Database { get; init; }

    /// <summary>The table; null for the whole database.</summary>
    public string? Table { get; init; }

    /// <summary>The column; null for the whole table.</summary>
    public string? Column { get; init; }

    /// <summary>The snapshot in which it was settled.</summary>
    public required string Snapshot { get; init; }
}
