namespace PgBackup.Retention;

/// <summary>
/// What a store keeps: the <c>keep</c> of its config. A null tier is not used. Rules without any tier remove nothing.
/// </summary>
public sealed record RetentionRules
{
    /// <summary>The rules of a store whose config names none.</summary>
    public static RetentionRules Default { get; } =
        new()
        {
            All = RetentionLength.Of(3, RetentionUnit.Days),
            Daily = RetentionLength.Of(14, RetentionUnit.Days),
            Weekly = RetentionLength.Of(90, RetentionUnit.Days),
            Monthly = RetentionLength.Of(12, RetentionUnit.Months),
            Yearly = RetentionLength.Forever,
        };

    /// <summary>How long every snapshot is kept, complete or not.</summary>
    public RetentionLength? All { get; init; }

    /// <summary>How long the first complete snapshot of each UTC day is kept.</summary>
    public RetentionLength? Daily { get; init; }

    /// <summary>How long the first complete snapshot of each ISO week (from Monday 00:00 UTC) is kept.</summary>
    public RetentionLength? Weekly { get; init; }

    /// <summary>How long the first complete snapshot of each UTC month is kept.</summary>
    public RetentionLength? Monthly { get; init; }

    /// <summary>How long the first complete snapshot of each UTC calendar year is kept.</summary>
    public RetentionLength? Yearly { get; init; }

    /// <summary>Some tier is used.</summary>
    public bool HasTiers => this != new RetentionRules();

    /// <summary>For instance <c>all 3d, daily 14d, weekly 90d, monthly 12mo, yearly forever</c>; <c>everything</c> without tiers.</summary>
    public override string ToString()
    {
        (string Name, RetentionLength? Length)[] tiers =
        [
            ("all", All),
            ("daily", Daily),
            ("weekly", Weekly),
            ("monthly", Monthly),
            ("yearly", Yearly),
        ];
        return HasTiers
            ? string.Join(", ", tiers.Where(static t => t.Length is not null).Select(static t => $"{t.Name} {t.Length}"))
            : "everything";
    }
}
