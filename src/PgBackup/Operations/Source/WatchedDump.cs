using System.Text.Json;
using PgBackup.Postgres;
using PgBackup.Streams;

namespace PgBackup.Operations.Source;

/// <summary>
/// A dump whose silence is not waited for without end. While a read waits for a byte longer than the limit, the server is asked what it
/// does for the dump; when it twice does nothing, or cannot be asked, the dump is ended and the read throws.
/// </summary>
/// <remarks>
/// A dump may be silent for long and be right: the server reads through a large table without a row to send, or sorts catalogs. So the
/// time alone decides nothing. Only the time of a waiting read counts: what the store or the cipher takes is not the dump's.
/// </remarks>
internal sealed class WatchedDump : ForwardStream
{
    // Between two questions. A server between two statements of pg_dump is idle for a moment, and not after this.
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AskingTime = TimeSpan.FromSeconds(30);

    private readonly Stream dump;
    private readonly string what;
    private readonly Func<CancellationToken, Task<PsqlSession>> connect;
    private readonly string applicationName;
    private readonly TimeSpan limit;
    private readonly TimeProvider clock;
    private readonly CancellationTokenSource stop;
    private readonly Task watching;
    private long readingSince = long.MaxValue;
    private PgBackupException? stalled;

    /// <summary>Watches a dump that is started at its first read.</summary>
    /// <param name="start">Makes the dump's stream; its token ends the dump.</param>
    /// <param name="what">The tool and what it dumps, for messages.</param>
    /// <param name="connect">Opens a session in the database that the tool is connected to.</param>
    /// <param name="applicationName">What the server calls the sessions of this run.</param>
    /// <param name="limit">How long a silence is not asked about; 0 for never.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Ends the dump.</param>
    public WatchedDump(
        Func<CancellationToken, Stream> start,
        string what,
        Func<CancellationToken, Task<PsqlSession>> connect,
        string applicationName,
        TimeSpan limit,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        this.what = what;
        this.connect = connect;
        this.applicationName = applicationName;
        this.limit = limit;
        this.clock = clock;
        stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        dump = start(stop.Token);
        watching = limit > TimeSpan.Zero ? Task.Run(WatchAsync, CancellationToken.None) : Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Volatile.Write(ref readingSince, clock.GetTimestamp());
        try
        {
            return await dump.ReadAsync(buffer, cancellationToken);
        }
        catch (Exception e) when (stalled is not null && e is OperationCanceledException or PgBackupException)
        {
            throw stalled;
        }
        finally
        {
            Volatile.Write(ref readingSince, long.MaxValue);
        }
    }

    /// <inheritdoc/>
    protected override async ValueTask DisposeOnceAsync()
    {
        await stop.CancelAsync();
        await watching;
        await dump.DisposeAsync();
        stop.Dispose();
    }

    private async Task WatchAsync()
    {
        try
        {
            while (true)
            {
                TimeSpan silent = await SilentAsync(limit);
                if (await AskAsync() is not { } first)
                {
                    await SilentAsync(silent + limit);
                    continue;
                }

                TimeSpan later = await SilentAsync(silent + Between);
                if (later >= silent + Between && await AskAsync() is not null)
                {
                    stalled = new PgBackupException(
                        ErrorCode.DumpStalled,
                        $"{what} sent nothing for {later.TotalSeconds:0} s, and {first}.",
                        "Look for what lost the connection between this host and the server (a firewall, a proxy, a sleeping "
                            + "compute), and run the backup again. dump.stall_timeout is the time."
                    );
                    await stop.CancelAsync();
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // the dump has ended
        }
    }

    // Waits until the present read has waited that long, and returns how long it has.
    private async Task<TimeSpan> SilentAsync(TimeSpan atLeast)
    {
        while (true)
        {
            long since = Volatile.Read(ref readingSince);
            TimeSpan silent = since == long.MaxValue ? TimeSpan.Zero : clock.GetElapsedTime(since);
            if (silent >= atLeast)
            {
                return silent;
            }

            if (atLeast > limit && silent < limit)
            {
                return silent; // a byte came: the silence that was asked about is over
            }

            await Task.Delay(atLeast - silent, clock, stop.Token);
        }
    }

    // Null while the server works on the dump; else what it does instead.
    private async Task<string?> AskAsync()
    {
        using var limited = new CancellationTokenSource(AskingTime, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limited.Token, stop.Token);
        try
        {
            await using PsqlSession session = await connect(either.Token);
            JsonElement row = await session.QueryRowAsync(
                $"""
                SELECT count(*) FILTER (WHERE state = 'active' AND wait_event_type IS DISTINCT FROM 'Client') AS working
                  FROM pg_stat_activity
                WHERE application_name = {Sql.Literal(applicationName)} AND datname = current_database() AND pid <> pg_backend_pid()
                """,
                either.Token
            );
            return row.GetProperty("working").GetInt64() > 0 ? null : "the server does nothing for it";
        }
        catch (PgBackupException e) when (Connections.AreUsedUp(e.Message))
        {
            return null; // it answers, and has no connection left to say more
        }
        catch (PgBackupException e)
        {
            return $"the server cannot be asked why ({e.Message})";
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return $"the server did not answer within {AskingTime.TotalSeconds:0} s why";
        }
    }
}
