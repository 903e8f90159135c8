namespace PgBackup.Soak;

/// <summary>One idea of what goes wrong. It does it once, and judges what the product made of it.</summary>
internal abstract class FaultKind
{
    /// <summary>A few words, the same in every campaign: <c>KIND=</c> selects by their beginning.</summary>
    public abstract string Name { get; }

    /// <summary>How many of a thousand faults are of this kind; only the ratio counts.</summary>
    public abstract int Share { get; }

    public abstract Task StrikeAsync(Strike strike, Site site);
}
