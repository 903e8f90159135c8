using System.Globalization;
using PgBackup.Configuration;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Tools;

namespace PgBackup.Operations;

/// <summary>The server that a drill restores into: one that is started and thrown away, or one that the config names.</summary>
internal sealed class DrillServer
{
    private readonly TimeProvider clock;

    private DrillServer(TimeProvider clock) => this.clock = clock;

    /// <summary>For messages and the report.</summary>
    public required string Description { get; init; }

    /// <summary>The same for the restore.</summary>
    public required RestoreTarget Target { get; init; }

    /// <summary>For questions.</summary>
    public required PostgresServer Server { get; init; }

    private ScratchServer? Started { get; init; }

    private FoundTools? Tools { get; init; }

    // Of a server that the config names: what the drill makes there, and what was there before.
    private IReadOnlyList<string> Databases { get; init; } = [];

    private Belongings? Before { get; init; }

    /// <summary>Starts one as the config says, or connects to the one that it names.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.ScratchFailed"/>, <see cref="ErrorCode.ToolMissing"/>; <see cref="ErrorCode.TargetNotEmpty"/> when the server that the
    /// config names has one of the databases. Nothing is left then.
    /// </exception>
    public static async Task<DrillServer> StartAsync(DrillConfig config, Manifest manifest, bool keep, TimeProvider clock, CancellationToken cancel)
    {
        if (config.Target is { } connection)
        {
            var target = new RestoreTarget { Connection = connection.WithPasswordOf(config.TargetPasswordFile), ToolsImage = config.Image };
            return await NamedAsync(target, manifest, clock, cancel);
        }

        int major = PostgresTools.MajorOf(manifest.ServerVersion);
        ScratchServer started = config.Scratch == "host"
            ? await ScratchServer.OnHostAsync(clock, cancel, major)
            : await ScratchServer.InContainerAsync(
                new ContainerEngine(config.Scratch ?? "podman"), config.Image ?? string.Create(CultureInfo.InvariantCulture, $"docker.io/library/postgres:{major}"), keep, clock, cancel);
        return new DrillServer(clock)
        {
            Description = started.Description,
            Server = started.Server,
            Started = started,
            Target = started.Container is { } container
                ? new RestoreTarget { Engine = started.Tools.Container!.EngineProgram, Container = container, Connection = started.Server.Connection }
                : new RestoreTarget { Connection = started.Server.Connection },
        };
    }

    /// <summary>Removes the server, or what the drill made in it. With <paramref name="keep"/>, returns how to reach it and to remove it instead.</summary>
    /// <param name="keep">Leave it.</param>
    /// <param name="notes">What could not be removed, or is not as it was, is added here.</param>
    public async Task<string?> EndAsync(bool keep, List<string> notes)
    {
        if (Started is { } started)
        {
            if (keep && started.Container is { } container)
            {
                string engine = started.Tools.Container!.EngineProgram;
                await started.LeaveAsync();
                return $"The scratch server is still there: {engine} exec -it {container} psql -U postgres\nRemove it: {engine} rm --force --volumes {container}";
            }

            await started.DisposeAsync();
            return null;
        }

        try
        {
            if (keep)
            {
                return $"The databases and roles are still in {Description}; drop them when you are done: the next drill there is refused while a database is there.";
            }

            await using PsqlSession session = await Server.ConnectAsync(Server.MaintenanceDatabase, TimeSpan.FromSeconds(30), clock, CancellationToken.None);
            await RemoveAsync(session, notes);
        }
        catch (PgBackupException e)
        {
            notes.Add($"not everything could be removed from {Description}: {e.Message}");
        }
        finally
        {
            await Tools!.DisposeAsync();
        }

        return null;
    }

    private static async Task<DrillServer> NamedAsync(RestoreTarget target, Manifest manifest, TimeProvider clock, CancellationToken cancel)
    {
        (FoundTools found, PostgresServer server) = await target.OpenAsync([], clock, cancel);
        try
        {
            await using PsqlSession session = await server.ConnectAsync(server.MaintenanceDatabase, TimeSpan.FromSeconds(30), clock, cancel);
            HashSet<string> there = await NamesAsync(session, "SELECT datname AS name FROM pg_database", cancel);
            IReadOnlyList<string> databases = [.. manifest.Databases.Select(static p => p.Database!)];
            List<string> inTheWay = [.. databases.Where(there.Contains)];
            return inTheWay.Count == 0
                ? new DrillServer(clock)
                {
                    Description = server.Description,
                    Target = target,
                    Server = server,
                    Tools = found,
                    Databases = databases,
                    Before = await Belongings.ReadAsync(session, cancel),
                }
                : throw new PgBackupException(
                    ErrorCode.TargetNotEmpty,
                    $"{server.Description} has {string.Join(", ", inTheWay)} already; a drill makes the databases and removes them again, and touches no others.",
                    "Name a server in drill.scratch that has none of the databases, or write scratch: podman.");
        }
        catch
        {
            await found.DisposeAsync();
            throw;
        }
    }

    // A restore that was stopped may have left backends: FORCE ends them.
    private async Task RemoveAsync(PsqlSession session, List<string> notes)
    {
        foreach (string database in Databases)
        {
            await session.ExecuteAsync($"DROP DATABASE IF EXISTS {Sql.Name(database)} WITH (FORCE)", CancellationToken.None);
        }

        var now = await Belongings.ReadAsync(session, CancellationToken.None);
        foreach (string tablespace in now.Tablespaces.Except(Before!.Tablespaces))
        {
            await session.ExecuteAsync($"DROP TABLESPACE {Sql.Name(tablespace)}", CancellationToken.None);
        }

        string made = string.Join(", ", now.Roles.Keys.Except(Before.Roles.Keys).Select(Sql.Name));
        if (made.Length > 0)
        {
            // Their privileges on what is shared (settings, for instance) would hold them.
            await session.ExecuteAsync($"DROP OWNED BY {made}", CancellationToken.None);
            await session.ExecuteAsync($"DROP ROLE {made}", CancellationToken.None);
        }

        List<string> changed = [.. Before.Roles.Where(r => now.Roles.TryGetValue(r.Key, out string? digest) && digest != r.Value).Select(static r => r.Key)];
        if (changed.Count > 0)
        {
            notes.Add($"these roles were in {Description} before, and have the attributes and passwords of the snapshot now: {string.Join(", ", changed)}");
        }
    }

    private static async Task<HashSet<string>> NamesAsync(PsqlSession session, string select, CancellationToken cancel) =>
        [.. (await session.QueryAsync(select, cancel)).Select(static r => r.GetProperty("name").GetString()!)];

    private sealed record Belongings(IReadOnlyDictionary<string, string> Roles, IReadOnlySet<string> Tablespaces)
    {
        public static async Task<Belongings> ReadAsync(PsqlSession session, CancellationToken cancel)
        {
            bool whole = (await session.QueryRowAsync("SELECT has_table_privilege('pg_authid', 'SELECT') AS may", cancel)).GetProperty("may").GetBoolean();
            IReadOnlyList<System.Text.Json.JsonElement> roles = await session.QueryAsync($"SELECT rolname AS name, md5(r::text) AS digest FROM {(whole ? "pg_authid" : "pg_roles")} r", cancel);
            return new Belongings(
                roles.ToDictionary(static r => r.GetProperty("name").GetString()!, static r => r.GetProperty("digest").GetString()!, StringComparer.Ordinal),
                await NamesAsync(session, "SELECT spcname AS name FROM pg_tablespace", cancel));
        }
    }
}
