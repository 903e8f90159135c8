using System.Text.Json;

namespace PgBackup.Notifications;

/// <summary>Who was told.</summary>
/// <param name="ConfigFile">The config file.</param>
/// <param name="Results">Each notice, and how its delivery ended.</param>
public sealed record NotifyReport(string ConfigFile, IReadOnlyList<Delivered> Results)
{
    /// <summary>What has not arrived yet and may still arrive.</summary>
    public IReadOnlyList<Delivery> Pending => [.. Results.Where(static r => !r.IsFinal).Select(static r => r.Delivery)];

    /// <summary>What arrived somewhere, and is remembered; null where nothing did.</summary>
    internal Notice? Told => Results.FirstOrDefault(static r => r.Problem is null && r.Delivery.After is not null)?.Delivery.Notice;

    /// <summary>What did not arrive, and will not before somebody mends it.</summary>
    public IEnumerable<Finding> Problems =>
        Results.Where(static r => r is { IsFinal: true, Problem: not null }).Select(static r => Problem(r.Delivery.Channel, r.Problem!));

    /// <summary>What <see cref="NotifyOperation.ContinueAsync"/> takes, for a process that goes on with what is pending.</summary>
    public string ToJson() =>
        JsonSerializer.Serialize(new Handover { Config = Path.GetFullPath(ConfigFile), Deliveries = Pending }, NoticeJson.Default.Handover);

    /// <summary>The channels of which this host knows that nothing arrives there.</summary>
    /// <param name="memory">What it remembers; null for nothing.</param>
    public static IReadOnlyList<Finding> Failing(NoticeMemory? memory) =>
        [
            .. (memory ?? new NoticeMemory())
                .Channels.Where(static c => c.Value.FailingSince is not null)
                .Select(static c => Problem(c.Key, c.Value.Problem ?? "for an unknown reason")),
        ];

    /// <summary>Notices that did not arrive in time, and that no process goes on with.</summary>
    public static IEnumerable<Finding> Late(IEnumerable<Delivery> pending) =>
        pending.Select(static d => Problem(d.Channel, "it did not take it in time; the next verb tells it again"));

    private static Finding Problem(string channel, string why) =>
        Finding.Warning(
            ErrorCode.NotifierFailing,
            channel,
            $"a notice could not be delivered: {channel}",
            why,
            "Mend it; `olympus-pgbackup doctor --notify` sends a test"
        );
}
