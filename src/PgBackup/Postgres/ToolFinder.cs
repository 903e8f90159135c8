using PgBackup.Tools;

namespace PgBackup.Postgres;

/// <summary>
/// Finds the client tools for a server: those inside its container; or, for a URL, those of the server's own major version on this
/// host, else in a throw-away container of an image. A mismatch is an error, never silent.
/// </summary>
public static class ToolFinder
{
    /// <summary>The official image, without its version.</summary>
    private const string DefaultImage = "docker.io/library/postgres:";

    /// <summary>The image whose psql asks for the version when this host has no psql at all.</summary>
    private const int NewestKnownMajor = 18;

    // What a container of Postgres is usually called, or made of.
    private static readonly string[] Signs = ["postg", "pg", "timescale"];

    /// <summary>The running containers whose name, image or labels speak of Postgres. None where the engine is missing or fails.</summary>
    public static async Task<IReadOnlyList<RunningContainer>> ServersAsync(ContainerEngine engine, CancellationToken cancel) =>
        [
            .. (await engine.RunningAsync(cancel)).Where(static c =>
                Signs.Any(w => $"{c.Name} {c.Image} {c.Labels}".Contains(w, StringComparison.OrdinalIgnoreCase))
            ),
        ];

    /// <summary>The tools inside a running container.</summary>
    public static async Task<FoundTools> InContainerAsync(string engine, string container, TimeProvider clock, CancellationToken cancel)
    {
        ContainerTools host = await ContainerTools.EnterAsync(new ContainerEngine(engine, clock), container, cancel);
        try
        {
            return new FoundTools { Tools = await PostgresTools.AtAsync(host, cancel), Container = host };
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>The tools for the server behind a URL.</summary>
    /// <param name="connection">The server.</param>
    /// <param name="image">Use this image and nothing else, if not null.</param>
    /// <param name="hostOnly">Never use an image.</param>
    /// <param name="patience">How long a sleeping server is waited for.</param>
    /// <param name="clock">Time.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ToolVersion"/>, <see cref="ErrorCode.ToolMissing"/> and those of
    /// connecting.</exception>
    public static async Task<FoundTools> ForUrlAsync(
        PgConnection connection,
        string? image,
        bool hostOnly,
        TimeSpan patience,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        if (image is not null)
        {
            return await OfImageAsync(connection, image, clock, cancel);
        }

        IReadOnlyList<PostgresTools> onHost = await PostgresTools.OnHostAsync(clock, cancel);
        if (onHost.Count == 0)
        {
            return hostOnly
                ? throw new PgBackupException(
                    ErrorCode.ToolMissing,
                    "there are no client tools of Postgres on this host.",
                    "Install postgresql-client of the server's major version, or use tools: { image: \"postgres:17\" }."
                )
                : await ByAskingAsync(connection, patience, clock, cancel);
        }

        return await AmongAsync(onHost, connection, hostOnly, patience, clock, cancel);
    }

    /// <summary>Those of some tools on this host (at least one) that fit the server; else, if that is allowed, those of an image.</summary>
    internal static async Task<FoundTools> AmongAsync(
        IReadOnlyList<PostgresTools> onHost,
        PgConnection connection,
        bool hostOnly,
        TimeSpan patience,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        ServerFacts facts = await AskAsync(onHost[0], connection, patience, clock, cancel);
        PostgresTools? fitting = onHost.FirstOrDefault(t => t.Major == facts.Major);
        if (fitting is not null)
        {
            return new FoundTools { Tools = fitting };
        }

        string found = string.Join(", ", onHost.Select(static t => $"{t.Version} {t.Host.Place}"));
        if (hostOnly || await ContainerEngine.FindAsync(clock, cancel) is null)
        {
            throw new PgBackupException(
                ErrorCode.ToolVersion,
                $"the server runs Postgres {facts.Version}, and this host has no client tools of version {facts.Major}; found: {found}.",
                $"Install postgresql-client-{facts.Major}, or (with podman) name an image: {ImageAdvice(facts.Major)}."
            );
        }

        try
        {
            return await OfImageAsync(connection, $"{DefaultImage}{facts.Major}", clock, cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ContainerUnavailable)
        {
            throw new PgBackupException(
                ErrorCode.ToolVersion,
                $"the server runs Postgres {facts.Version}; this host has client tools of {found}, and the image cannot be used "
                    + $"either: {e.Message}",
                $"Install postgresql-client-{facts.Major}, or name an image that is here: {ImageAdvice(facts.Major)}.",
                e
            );
        }
    }

    /// <summary>Refuses tools of another major version than the server's.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ToolVersion"/>.</exception>
    public static void RequireFit(PostgresTools tools, ServerFacts facts, string server)
    {
        if (tools.Major != facts.Major)
        {
            throw new PgBackupException(
                ErrorCode.ToolVersion,
                $"{server} runs Postgres {facts.Version}, but pg_dump {tools.Host.Place} is {tools.Version}.",
                $"Use client tools of version {facts.Major}: install postgresql-client-{facts.Major}, or name an image: "
                    + $"{ImageAdvice(facts.Major)}."
            );
        }
    }

    private static string ImageAdvice(int major) =>
        $"tools: {{ image: \"postgres:{major}\" }} below source, or --tools-image for the target of a restore";

    // The newest psql asks any server for its version; its pg_dump would write what an older server cannot read back.
    private static async Task<FoundTools> ByAskingAsync(
        PgConnection connection,
        TimeSpan patience,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        FoundTools newest = await OfImageAsync(connection, $"{DefaultImage}{NewestKnownMajor}", clock, cancel);
        ServerFacts facts;
        try
        {
            facts = await AskAsync(newest.Tools, connection, patience, clock, cancel);
        }
        catch
        {
            await newest.DisposeAsync();
            throw;
        }

        if (facts.Major == newest.Tools.Major)
        {
            return newest;
        }

        await newest.DisposeAsync();
        return await OfImageAsync(connection, $"{DefaultImage}{facts.Major}", clock, cancel);
    }

    private static async Task<ServerFacts> AskAsync(
        PostgresTools tools,
        PgConnection connection,
        TimeSpan patience,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        var server = new PostgresServer(tools, connection, "olympus-pgbackup", clock);
        await using PsqlSession session = await server.ConnectAsync(patience, cancel);
        return await PostgresServer.ReadFactsAsync(session, cancel);
    }

    /// <summary>The tools of an image, in a throw-away container on the network of this host.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ContainerUnavailable"/> or <see cref="ErrorCode.ToolMissing"/>.</exception>
    public static async Task<FoundTools> OfImageAsync(PgConnection connection, string image, TimeProvider clock, CancellationToken cancel)
    {
        ContainerEngine engine =
            await ContainerEngine.FindAsync(clock, cancel)
            ?? throw new PgBackupException(
                ErrorCode.ToolMissing,
                $"the image {image} needs podman or docker, and neither works here.",
                "Install podman, or the client tools of the server's version."
            );
        string[] files = ["PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL", "PGPASSFILE"];
        IEnumerable<string> mounts = files
            .Select(f => connection.Settings.GetValueOrDefault(f))
            .OfType<string>()
            .Where(File.Exists)
            .Select(Path.GetFullPath);
        ContainerTools host = await ContainerTools.StartAsync(engine, image, mounts, cancel);
        try
        {
            return new FoundTools { Tools = await PostgresTools.AtAsync(host, cancel), Container = host };
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }
}

/// <summary>Tools, and the hold on the container they are in.</summary>
public sealed record FoundTools : IAsyncDisposable
{
    /// <summary>The tools.</summary>
    public required PostgresTools Tools { get; init; }

    /// <summary>The container to let go of in the end, or null for tools on the host.</summary>
    public ContainerTools? Container { get; init; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Container is not null)
        {
            await Container.DisposeAsync();
        }
    }
}
