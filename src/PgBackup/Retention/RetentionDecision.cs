namespace PgBackup.Retention;

/// <summary>What becomes of one snapshot, and why.</summary>
public sealed record RetentionDecision
{
    /// <summary>The snapshot.</summary>
    public required RetainedSnapshot Snapshot { get; init; }

    /// <summary>Why it is kept, in the order of <see cref="KeepReasonKind"/>; empty when it is not.</summary>
    public required IReadOnlyList<KeepReason> Reasons { get; init; }

    /// <summary>It stays.</summary>
    public bool IsKept => Reasons.Count > 0;

    /// <summary>
    /// The moment at which the last reason ends, if all have an end: as things stand, the snapshot is removed then. Null when it is kept
    /// for ever or until something else changes, and when it is not kept.
    /// </summary>
    public DateTimeOffset? KeptUntil => Reasons.All(static r => r.Until is not null) ? Reasons.Max(static r => r.Until) : null;

    /// <summary>For people: the reasons, <c>daily until 2026-03-15; yearly, for ever</c>, or that there is none.</summary>
    public string Why => IsKept ? string.Join("; ", Reasons) : "nothing keeps it";
}
