namespace PgBackup.Proofs;

/// <summary>What changed in a database between two moments, as its proofs show.</summary>
public sealed record ProofDiff
{
    /// <summary>Every table of either, changed or not, by name.</summary>
    public required IReadOnlyList<TableDiff> Tables { get; init; }

    /// <summary>The sequences that differ, by name.</summary>
    public required IReadOnlyList<SequenceDiff> Sequences { get; init; }

    /// <summary>The large objects together: each counts as a row.</summary>
    public required TableDiff LargeObjects { get; init; }

    /// <summary>Definitions, owners, privileges and comments differ; null when other major versions word them differently.</summary>
    public required bool? SchemaChanged { get; init; }

    /// <summary>Owner, privileges, settings or comment of the database itself differ; null as above.</summary>
    public required bool? SettingsChanged { get; init; }

    /// <summary>Everything that could be compared is the same.</summary>
    public bool IsSame =>
        Tables.All(static t => t.Change == TableDiff.Same)
        && Sequences.Count == 0
        && LargeObjects.Change == TableDiff.Same
        && SchemaChanged is not true
        && SettingsChanged is not true;

    /// <summary>Compares the earlier with the later.</summary>
    public static ProofDiff Between(Proof before, Proof after)
    {
        bool comparable = before.DumpMajor == after.DumpMajor;
        return new ProofDiff
        {
            Tables =
            [
                .. before
                    .Tables.Keys.Union(after.Tables.Keys)
                    .Order(StringComparer.Ordinal)
                    .Select(name => TableDiff.Between(name, before.Tables.GetValueOrDefault(name), after.Tables.GetValueOrDefault(name))),
            ],
            Sequences =
            [
                .. before
                    .Sequences.Keys.Union(after.Sequences.Keys)
                    .Order(StringComparer.Ordinal)
                    .Select(name => new SequenceDiff
                    {
                        Name = name,
                        Before = before.Sequences.GetValueOrDefault(name),
                        After = after.Sequences.GetValueOrDefault(name),
                    })
                    .Where(static s => s.Before != s.After),
            ],
            LargeObjects = TableDiff.Between("large objects", before.LargeObjects, after.LargeObjects),
            SchemaChanged = comparable ? before.Schema != after.Schema : null,
            SettingsChanged = comparable ? before.Database != after.Database : null,
        };
    }
}

/// <summary>One table at two moments. It has no rows and bytes where it did not exist.</summary>
public sealed record TableDiff
{
    /// <summary>Both have it, with the same content.</summary>
    public const string Same = "same";

    /// <summary>Both have it, with other content, whatever the number of rows.</summary>
    public const string Changed = "changed";

    /// <summary>Only the later one has it.</summary>
    public const string New = "new";

    /// <summary>Only the earlier one has it.</summary>
    public const string Gone = "gone";

    /// <summary>As the dump names it: <c>public.identities</c>.</summary>
    public required string Name { get; init; }

    /// <summary>One of the constants.</summary>
    public required string Change { get; init; }

    /// <summary>Rows in the earlier one.</summary>
    public long? RowsBefore { get; init; }

    /// <summary>Rows in the later one.</summary>
    public long? RowsAfter { get; init; }

    /// <summary>Bytes in the earlier one, as COPY writes them.</summary>
    public long? BytesBefore { get; init; }

    /// <summary>Bytes in the later one.</summary>
    public long? BytesAfter { get; init; }

    /// <summary>Rows gained, or lost.</summary>
    public long RowsDelta => (RowsAfter ?? 0) - (RowsBefore ?? 0);

    /// <summary>Bytes gained, or lost.</summary>
    public long BytesDelta => (BytesAfter ?? 0) - (BytesBefore ?? 0);

    /// <summary>Compares; one of the two may be missing.</summary>
    internal static TableDiff Between(string name, TableProof? before, TableProof? after) =>
        new()
        {
            Name = name,
            Change =
                before is null ? New
                : after is null ? Gone
                : before == after ? Same
                : Changed,
            RowsBefore = before?.Rows,
            RowsAfter = after?.Rows,
            BytesBefore = before?.Bytes,
            BytesAfter = after?.Bytes,
        };
}

/// <summary>A sequence at two moments: <c>last_value,is_called</c>, or null where it did not exist.</summary>
public sealed record SequenceDiff
{
    /// <summary>As the dump names it.</summary>
    public required string Name { get; init; }

    /// <summary>Its state in the earlier one.</summary>
    public required string? Before { get; init; }

    /// <summary>Its state in the later one.</summary>
    public required string? After { get; init; }
}
