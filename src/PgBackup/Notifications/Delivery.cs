namespace PgBackup.Notifications;

/// <summary>A notice on its way to a channel.</summary>
public sealed record Delivery
{
    /// <summary>The channel's name.</summary>
    public required string Channel { get; init; }

    /// <summary>What it is told.</summary>
    public required Notice Notice { get; init; }

    /// <summary>What is remembered of it when it has arrived; null where nothing is.</summary>
    public ChannelMemory? After { get; init; }
}

/// <summary>Deliveries that another process goes on with.</summary>
internal sealed record Handover
{
    /// <summary>The config file, as a whole path.</summary>
    public required string Config { get; init; }

    /// <summary>What is still on its way.</summary>
    public required IReadOnlyList<Delivery> Deliveries { get; init; }
}

/// <summary>How a delivery ended.</summary>
/// <param name="Delivery">Which.</param>
/// <param name="Problem">Why it did not arrive; null where it did.</param>
/// <param name="IsFinal">Nobody tries again: it arrived, or will not before somebody mends what is wrong.</param>
public sealed record Delivered(Delivery Delivery, string? Problem, bool IsFinal);
