namespace PgBackup.Notifications;

/// <summary>A way to tell somebody.</summary>
internal interface IChannel
{
    /// <summary>Tries once, for as long as it is not cancelled. Nothing but a cancellation is thrown.</summary>
    /// <param name="notice">What to tell.</param>
    /// <param name="cancel">Gives up.</param>
    Task<Attempt> SendAsync(Notice notice, CancellationToken cancel);
}

/// <summary>How an attempt to deliver a notice ended.</summary>
/// <param name="Problem">Why it was not delivered, or not to all, without a secret; null where it was.</param>
/// <param name="MayPass">Another attempt may succeed.</param>
/// <param name="Arrived">It arrived, if not everywhere.</param>
internal sealed record Attempt(string? Problem, bool MayPass, bool Arrived = false)
{
    /// <summary>It arrived.</summary>
    public static Attempt Delivered { get; } = new(null, false, true);

    /// <summary>It arrived, and not at all that it should.</summary>
    public static Attempt DeliveredInPart(string problem) => new(Foreign.Line(problem), false, true);

    /// <summary>It did not, and may later.</summary>
    public static Attempt Later(string problem) => new(Foreign.Line(problem), true);

    /// <summary>It did not, and will not before somebody mends it.</summary>
    public static Attempt Never(string problem) => new(Foreign.Line(problem), false);
}
