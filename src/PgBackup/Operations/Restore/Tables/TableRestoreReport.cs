namespace PgBackup.Operations.Restore.Tables;

/// <summary>What a restore of single tables is going to do.</summary>
public sealed record TableRestorePlan
{
    /// <summary>The snapshot.</summary>
    public required string Snapshot { get; init; }

    /// <summary>How long ago it was taken.</summary>
    public required double AgeSeconds { get; init; }

    /// <summary>The store it comes from.</summary>
    public required string Store { get; init; }

    /// <summary>The target, without secrets.</summary>
    public required string Target { get; init; }

    /// <summary>The database in the snapshot.</summary>
    public required string Database { get; init; }

    /// <summary>The database at the target in which the tables will be.</summary>
    public required string Into { get; init; }

    /// <summary>That database is not there, and is made.</summary>
    public required bool MakesDatabase { get; init; }

    /// <summary>The new schema in which they will be; null for their own, in a database of their own.</summary>
    public string? Schema { get; init; }

    /// <summary>With a schema: the database in which they are restored and compared first, and which is dropped again.</summary>
    public string? Beside { get; init; }

    /// <summary>The tables, partitions included.</summary>
    public required IReadOnlyList<string> Tables { get; init; }

    /// <summary>Tables of which only the definition comes along, because the others need it.</summary>
    public required IReadOnlyList<string> Defined { get; init; }

    /// <summary>What belongs to the tables and does not come along, apart from owners and privileges.</summary>
    public required IReadOnlyList<string> Left { get; init; }

    /// <summary>What is known beforehand.</summary>
    public IReadOnlyList<Finding> Findings { get; init; } = [];
}

/// <summary>What a restore of single tables did, compared with the proof.</summary>
public sealed record TableRestoreReport
{
    /// <summary>What was to be done.</summary>
    public required TableRestorePlan Plan { get; init; }

    /// <summary>Each table that has rows of its own.</summary>
    public required IReadOnlyList<TableReport> Tables { get; init; }

    /// <summary>Seconds for reading and checking the stored objects, before the target was touched.</summary>
    public required double VerifySeconds { get; init; }

    /// <summary>Seconds in all.</summary>
    public required double TotalSeconds { get; init; }

    /// <summary><c>PGB-0073</c>: the restore, <c>PGB-0074</c>: the comparison; or null.</summary>
    public string? Code { get; init; }

    /// <summary>Errors and differences, and what was left behind by them; empty when all is well.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>Things that the operator should know though nothing failed.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>The statement that takes away what was restored.</summary>
    public required string Drop { get; init; }

    /// <summary>Every table is there and equals the snapshot.</summary>
    public bool Succeeded => Problems.Count == 0;
}

/// <summary>One table.</summary>
public sealed record TableReport
{
    /// <summary>Its name in the snapshot.</summary>
    public required string Table { get; init; }

    /// <summary>Its name at the target.</summary>
    public required string RestoredAs { get; init; }

    /// <summary>Its rows.</summary>
    public required long Rows { get; init; }

    /// <summary>Its bytes, in COPY text form.</summary>
    public required long Bytes { get; init; }
}
