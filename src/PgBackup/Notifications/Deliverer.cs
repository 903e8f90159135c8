using PgBackup.Configuration;

namespace PgBackup.Notifications;

/// <summary>Delivers notices: each to its channel, all at the same time, again after a while where that may help.</summary>
/// <param name="channels">Those of the config.</param>
/// <param name="clock">The time.</param>
internal sealed class Deliverer(IReadOnlyList<NotifyConfig> channels, TimeProvider clock)
{
    // Of one attempt. A receiver that is well answers in a second.
    private static readonly TimeSpan AttemptTime = TimeSpan.FromSeconds(10);

    // A program may have a telephone to ring. It is not started again when this is over: it may have told somebody.
    private static readonly TimeSpan ProgramTime = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan EndTime = TimeSpan.FromMilliseconds(300);

    private static readonly TimeSpan[] Pauses =
    [
        TimeSpan.FromSeconds(1),
        TimeSpan.FromSeconds(3),
        TimeSpan.FromSeconds(10),
        TimeSpan.FromSeconds(30),
        TimeSpan.FromMinutes(1),
    ];

    /// <summary>Makes the channel of a config.</summary>
    internal Func<NotifyConfig, IChannel> Make { get; init; } = MakeChannel;

    /// <summary>Delivers, for as long as it is worth it.</summary>
    /// <param name="deliveries">What.</param>
    /// <param name="isStale">A newer notice has taken the place of one: it is not tried again.</param>
    /// <param name="longest">For how long at most.</param>
    /// <param name="cancel">Ends it before; what is on its way is not delivered then.</param>
    public async Task<IReadOnlyList<Delivered>> DeliverAsync(
        IReadOnlyList<Delivery> deliveries,
        Func<Delivery, bool> isStale,
        TimeSpan longest,
        CancellationToken cancel
    )
    {
        using var limit = new CancellationTokenSource(longest, clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancel);
        return await Task.WhenAll(deliveries.Select(d => DeliverAsync(d, isStale, stop.Token)));
    }

    private async Task<Delivered> DeliverAsync(Delivery delivery, Func<Delivery, bool> isStale, CancellationToken stop)
    {
        if (channels.FirstOrDefault(c => c.Name == delivery.Channel) is not { } config)
        {
            return new Delivered(delivery, "the config has no such channel any more");
        }

        IChannel channel = Make(config);
        string problem = "it did not answer in time";
        TimeSpan longest = config.Command is null ? AttemptTime : ProgramTime;
        for (int tries = 0; ; tries++)
        {
            if (isStale(delivery))
            {
                return new Delivered(delivery, problem);
            }

            Task<Attempt>? sending = null;
            using var time = new CancellationTokenSource(longest, clock);
            using var attempt = CancellationTokenSource.CreateLinkedTokenSource(stop, time.Token);
            try
            {
                // One that heeds no cancellation, as a program that cannot be killed, is left behind.
                sending = Task.Run(() => channel.SendAsync(delivery.Notice, attempt.Token), CancellationToken.None);
                Attempt result = await sending.WaitAsync(attempt.Token);
                if (result.Problem is null || !result.MayPass)
                {
                    return new Delivered(delivery, result.Problem, result.Arrived);
                }

                problem = result.Problem;
            }
            catch (OperationCanceledException) when (attempt.IsCancellationRequested)
            {
                // A program is being ended: this one must not end before.
                await Task.WhenAny(sending!, Task.Delay(EndTime, clock, CancellationToken.None));
                problem = stop.IsCancellationRequested ? problem : $"it did not answer within {longest.TotalSeconds:0} s";
                if (config.Command is not null)
                {
                    return new Delivered(delivery, problem);
                }
            }
            catch (Exception e)
            {
                // A defect in one channel keeps nothing from the others.
                return new Delivered(delivery, $"an unexpected error: {e.GetType().Name}: {Foreign.Line(e.Message)}");
            }

            try
            {
                await Task.Delay(Pauses[Math.Min(tries, Pauses.Length - 1)], clock, stop);
            }
            catch (OperationCanceledException)
            {
                return new Delivered(delivery, problem);
            }
        }
    }

    /// <summary>The channel of a config.</summary>
    internal static IChannel MakeChannel(NotifyConfig config) =>
        config.Smtp is { } smtp ? new MailChannel(smtp)
        : config.Command is { } command ? new CommandChannel(command)
        : new HttpChannel(config);
}
