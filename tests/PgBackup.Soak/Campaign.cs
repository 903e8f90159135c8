using System.Collections.Concurrent;
using System.Diagnostics;

namespace PgBackup.Soak;

/// <summary>Workers that take one fault after another until there were enough, and what came of it.</summary>
internal sealed class Campaign(Options options, IReadOnlyList<FaultKind> kinds)
{
    private readonly ConcurrentQueue<Strike> strikes = [];
    private readonly long start = Stopwatch.GetTimestamp();
    private int numbers;

    /// <summary>All faults until now.</summary>
    public IReadOnlyCollection<Strike> Strikes => strikes;

    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(start);

    /// <summary>Ends when there were enough faults, or no time is left.</summary>
    /// <param name="told">Called for each fault that ended, one at a time.</param>
    /// <param name="cancellationToken">No further fault begins.</param>
    public async Task RunAsync(Action<Strike> told, CancellationToken cancellationToken)
    {
        await using Keys keys = await Keys.MakeAsync();
        await using var gateway = new RadosGateway();
        int workers = options.Only > 0 ? 1 : options.Workers;
        await Task.WhenAll(
            Enumerable
                .Range(0, workers)
                .Select(_ => Task.Run(() => WorkAsync(keys, gateway, told, cancellationToken), CancellationToken.None))
        );
    }

    private async Task WorkAsync(Keys keys, RadosGateway gateway, Action<Strike> told, CancellationToken cancellationToken)
    {
        await using Site site = await Site.StartAsync(keys, gateway);
        // On a busy machine making the site may take all the time: one fault each is the least that tells anything.
        for (bool isFirst = true; !cancellationToken.IsCancellationRequested; isFirst = false)
        {
            if (!isFirst && options.Seconds > 0 && Elapsed.TotalSeconds >= options.Seconds)
            {
                return;
            }

            int number = Interlocked.Increment(ref numbers);
            if (options.Only > 0 ? number > 1 : options.Faults > 0 && number > options.Faults)
            {
                return;
            }

            var strike = new Strike(options.Seed, options.Only > 0 ? options.Only : number);
            strike.Kind = FaultKinds.Choose(kinds, strike.Random);
            try
            {
                await strike.Kind.StrikeAsync(strike, site);
            }
            catch (Exception e)
            {
                string? where = e
                    .StackTrace?.Split('\n')
                    .FirstOrDefault(static l => l.Contains("PgBackup.Soak", StringComparison.Ordinal))
                    ?.Trim();
                strike.Find(
                    Verdict.NotJudged,
                    $"the campaign itself failed: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" | ")} " + $"{where}"
                );
            }

            strikes.Enqueue(strike);
            lock (strikes)
            {
                told(strike);
            }
        }
    }
}
