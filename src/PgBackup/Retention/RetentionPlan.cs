namespace PgBackup.Retention;

/// <summary>What becomes of each snapshot of a store at one moment.</summary>
public sealed record RetentionPlan
{
    /// <summary>The rules.</summary>
    public required RetentionRules Rules { get; init; }

    /// <summary>The moment for which it was made.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>One for each snapshot, oldest first.</summary>
    public required IReadOnlyList<RetentionDecision> Decisions { get; init; }

    /// <summary>The decisions on those that stay, oldest first.</summary>
    public IEnumerable<RetentionDecision> Kept => Decisions.Where(static d => d.IsKept);

    /// <summary>The decisions on those that go, oldest first.</summary>
    public IEnumerable<RetentionDecision> Removed => Decisions.Where(static d => !d.IsKept);

    /// <summary>Stored bytes of those that go.</summary>
    public long BytesFreed => Removed.Sum(static d => d.Snapshot.Bytes);
}
