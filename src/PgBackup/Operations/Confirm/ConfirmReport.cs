using PgBackup.Snapshots;

namespace PgBackup.Operations.Confirm;

/// <summary>What was confirmed.</summary>
public sealed record ConfirmReport
{
    /// <summary>The snapshot's id.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The losses that are confirmed now, and were not before; empty where all that was named was confirmed already.</summary>
    public required IReadOnlyList<Loss> Confirmed { get; init; }

    /// <summary>Those that were named and confirmed, or announced, before.</summary>
    public required IReadOnlyList<Loss> Before { get; init; }

    /// <summary>Losses of the snapshot that nobody has confirmed yet.</summary>
    public required IReadOnlyList<Finding> Left { get; init; }

    /// <summary>Who confirmed; null where the config says that records name nobody, and where nothing was left to confirm.</summary>
    public string? User { get; init; }

    /// <summary>Why, as it was recorded; null for nothing.</summary>
    public string? Note { get; init; }

    /// <summary>What became of it in each store, in the config's order.</summary>
    public required IReadOnlyList<ConfirmedStore> Stores { get; init; }

    /// <summary>What could not be read or written. It is confirmed all the same.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>A store lacks the record or a mark.</summary>
    public bool IsInPart => Stores.Any(static s => !s.IsWhole);
}

/// <summary>A confirmation in one store.</summary>
public sealed record ConfirmedStore
{
    /// <summary>The store.</summary>
    public required string Store { get; init; }

    /// <summary>It has the record of it, and every mark that follows from it.</summary>
    public required bool IsWhole { get; init; }

    /// <summary>The snapshots that got the mark <c>CONFIRMED</c> now: all that is red in them is confirmed.</summary>
    public required IReadOnlyList<string> Marked { get; init; }

    /// <summary>Those that stay red, oldest first.</summary>
    public required IReadOnlyList<string> Red { get; init; }
}
