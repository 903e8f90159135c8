using PgBackup.Postgres;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Restore;

/// <summary>
/// A target that a restore has entered: its tools at once, a session when its server takes connections. Disposing it leaves it as it is.
/// </summary>
internal sealed class OpenTarget : IAsyncDisposable
{
    private readonly FoundTools found;
    private readonly Task ready;
    private PsqlSession? session;
    private ServerFacts? facts;

    private OpenTarget(FoundTools found, PostgresServer server, Task ready)
    {
        this.found = found;
        this.ready = ready;
        Server = server;
    }

    /// <summary>The server; its tools can be used before it takes connections.</summary>
    public PostgresServer Server { get; private set; }

    /// <summary>A session in a database that is not replaced.</summary>
    public PsqlSession Session => session ?? throw new InvalidOperationException("not connected yet");

    /// <summary>What the server says of itself and of the role.</summary>
    public ServerFacts Facts => facts ?? throw new InvalidOperationException("not connected yet");

    /// <summary>The time.</summary>
    public TimeProvider Clock => Server.Clock;

    /// <summary>Opens its tools.</summary>
    /// <param name="target">Which one.</param>
    /// <param name="replaced">Databases in which no session may stay.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">The tools are missing, or the container cannot be entered.</exception>
    public static async Task<OpenTarget> EnterAsync(
        RestoreTarget target,
        IReadOnlyList<string> replaced,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        (FoundTools found, PostgresServer server) = await target.OpenAsync(replaced, clock, cancel);
        return new OpenTarget(found, server, target.Ready);
    }

    /// <summary>Waits until the server takes connections, opens the session, and requires that server and tools can take the
    /// snapshot.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.TargetTooOld"/>, <see cref="ErrorCode.ToolVersion"/>, and those of
    /// connecting.</exception>
    public async Task ConnectAsync(Manifest manifest, CancellationToken cancel)
    {
        await ready.WaitAsync(cancel);
        session = await Server.ConnectAsync(TimeSpan.FromSeconds(30), cancel);
        facts = await PostgresServer.ReadFactsAsync(session, cancel);
        Server = Server.For(facts);
        int original = PostgresTools.MajorOf(manifest.ServerVersion);
        if (facts.Major < original)
        {
            throw new PgBackupException(
                ErrorCode.TargetTooOld,
                $"{Server.Description} runs Postgres {facts.Version}, and the snapshot is of Postgres {manifest.ServerVersion}: an "
                    + "older server does not take it whole.",
                $"Restore into Postgres {original} or newer."
            );
        }

        ToolFinder.RequireFit(Server.Tools, facts, Server.Description);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (session is not null)
        {
            await session.DisposeAsync();
        }

        await found.DisposeAsync();
    }
}
