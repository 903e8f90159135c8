namespace PgBackup.Notifications;

/// <summary>Who was told.</summary>
/// <param name="Results">Each notice, and how its delivery ended.</param>
public sealed record NotifyReport(IReadOnlyList<Delivered> Results)
{
    /// <summary>What did not arrive.</summary>
    public IEnumerable<Finding> Problems =>
        Results.Where(static r => r.Problem is not null).Select(static r => Problem(r.Delivery.Channel, r.Problem!));

    /// <summary>The channels of which this host knows that nothing arrives there.</summary>
    /// <param name="memory">What it remembers; null for nothing.</param>
    public static IReadOnlyList<Finding> Failing(NoticeMemory? memory) =>
        [
            .. (memory ?? new NoticeMemory())
                .Channels.Where(static c => c.Value.FailingSince is not null)
                .Select(static c => Problem(c.Key, c.Value.Problem ?? "for an unknown reason")),
        ];

    private static Finding Problem(string channel, string why) =>
        Finding.Warning(
            ErrorCode.NotifierFailing,
            channel,
            $"a notice could not be delivered: {channel}",
            why,
            "Mend it; `olympus-pgbackup doctor --notify` sends a test"
        );
}
