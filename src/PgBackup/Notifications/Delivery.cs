using System.Text.Json;

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

/// <summary>Deliveries for a process of its own. It reads no config, which may be the very thing that is broken.</summary>
public sealed record Handover
{
    /// <summary>The channels. The secrets of them are in files.</summary>
    public required NotifySettings Settings { get; init; }

    /// <summary>Who is told what.</summary>
    public required IReadOnlyList<Delivery> Deliveries { get; init; }

    /// <summary>For the process's stdin.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, NoticeJson.Default.Handover);

    /// <summary>Reads it.</summary>
    /// <returns>Null where it is something else.</returns>
    public static Handover? TryRead(string json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, NoticeJson.Default.Handover);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>How a delivery ended.</summary>
/// <param name="Delivery">Which.</param>
/// <param name="Problem">Why it did not arrive; null where it did.</param>
/// <param name="Arrived">It arrived, if not everywhere.</param>
public sealed record Delivered(Delivery Delivery, string? Problem, bool Arrived = false);
