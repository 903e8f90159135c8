using System.Globalization;
using PgBackup.Archives;
using PgBackup.Configuration;
using PgBackup.Operations.Restore;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Tools;

namespace PgBackup.Operations.Drill;

/// <summary>The server that a drill restores into: one that is started and thrown away, or one that the config names.</summary>
internal sealed class DrillServer
{
    private DrillServer() { }

    /// <summary>For messages and the report.</summary>
    public required string Description { get; init; }

    /// <summary>The same for the restore.</summary>
    public required RestoreTarget Target { get; init; }

    /// <summary>For questions.</summary>
    public required PostgresServer Server { get; init; }

    /// <summary>Ends when it takes connections; what is thrown is why it never will, and it has to be ended all the same.</summary>
    public Task Ready => Target.Ready;

    private ScratchServer? Started { get; init; }

    private FoundTools? Tools { get; init; }

    // Of a server that the config names: what the drill makes there, and what was there before.
    private IReadOnlyList<string> Databases { get; init; } = [];

    private ServerBelongings? Before { get; init; }

    /// <summary>Starts one as the config says, which may still be coming up then (<see cref="Ready"/>), or connects to the one that it
    /// names.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.ScratchFailed"/>, <see cref="ErrorCode.ToolMissing"/>; <see cref="ErrorCode.TargetNotEmpty"/> when the server
    /// that the config names has one of the databases. Nothing is left then.
    /// </exception>
    public static async Task<DrillServer> StartAsync(
        DrillConfig config,
        Manifest manifest,
        bool keep,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        if (config.Target is { } connection)
        {
            var target = new RestoreTarget { Connection = connection.WithPasswordOf(config.TargetPasswordFile), ToolsImage = config.Image };
            return await NamedAsync(target, manifest, clock, cancel);
        }

        int major = PostgresTools.MajorOf(manifest.ServerVersion);
        long locks = manifest.Databases.Sum(static p => LockTable.AtMost(p.Proof));
        // A server lets only its first superuser grant as the first superuser: one of the same name has the grants as they were.
        string superuser = manifest.BootstrapSuperuser ?? "postgres";
        ScratchServer started =
            config.Scratch == "host"
                ? await ScratchServer.OnHostAsync(locks, clock, cancel, major, superuser)
                : await ScratchServer.InContainerAsync(
                    new ContainerEngine(config.Scratch ?? "podman", clock),
                    config.Image ?? string.Create(CultureInfo.InvariantCulture, $"docker.io/library/postgres:{major}"),
                    locks,
                    keep,
                    cancel,
                    superuser
                );
        return new DrillServer
        {
            Description = started.Description,
            Server = started.Server.ForSuperuser(major),
            Started = started,
            Target = started.Container is { } container
                ? new RestoreTarget
                {
                    Engine = started.Tools.Container!.EngineProgram,
                    Container = container,
                    Connection = started.Server.Connection,
                    Entered = started.Tools.Tools,
                    Ready = started.Ready,
                }
                : new RestoreTarget { Connection = started.Server.Connection },
        };
    }

    /// <summary>Removes the server, or what the drill made in it. With <paramref name="keep"/>, returns how to reach it and to remove it
    /// instead.</summary>
    /// <param name="keep">Leave it.</param>
    /// <param name="made">What the restore was to make; null where it was never begun.</param>
    /// <param name="findings">What could not be removed, or is not as it was, is added here.</param>
    public async Task<string?> EndAsync(bool keep, GlobalNames? made, List<Finding> findings)
    {
        if (Started is { } started)
        {
            if (keep && started.Container is { } container)
            {
                string engine = started.Tools.Container!.EngineProgram;
                await started.LeaveAsync();
                return $"The scratch server is still there: {engine} exec -it {container} psql -U "
                    + $"{ShellText.Word(started.Server.Connection.User!)} -d postgres\nRemove it: {engine} rm --force --volumes "
                    + $"{container}";
            }

            await started.DisposeAsync();
            return null;
        }

        try
        {
            if (keep)
            {
                return $"The databases and roles are still in {Description}; drop them when you are done: the next drill there is "
                    + $"refused while a database is there.";
            }

            if (made is not null)
            {
                IReadOnlyList<string> left = await new DrillCleanup(Server, Databases, made, Before!).RunAsync();
                findings.AddRange(left.Select(l => Finding.Warning(ErrorCode.DrillLeftover, Description, l)));
            }
        }
        catch (PgBackupException e)
        {
            string what = $"not everything could be removed from {Description}";
            findings.Add(Finding.Warning(ErrorCode.DrillLeftover, Description, what, e.Message, e.Remedy));
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
            await using PsqlSession session = await server.ConnectAsync(TimeSpan.FromSeconds(30), cancel);
            server = server.For(await PostgresServer.ReadFactsAsync(session, cancel));
            HashSet<string> there = await ServerCatalog.DatabasesAsync(session, cancel);
            IReadOnlyList<string> databases = [.. manifest.Databases.Select(static p => p.Database!)];
            List<string> inTheWay = [.. databases.Where(there.Contains)];
            return inTheWay.Count == 0
                ? new DrillServer
                {
                    Description = server.Description,
                    Target = target,
                    Server = server,
                    Tools = found,
                    Databases = databases,
                    Before = await ServerBelongings.ReadAsync(session, cancel),
                }
                : throw new PgBackupException(
                    ErrorCode.TargetNotEmpty,
                    $"{server.Description} has {string.Join(", ", inTheWay)} already; a drill makes the databases and removes them "
                        + $"again, and touches no others.",
                    "Name a server in drill.scratch that has none of the databases, or write scratch: podman."
                );
        }
        catch
        {
            await found.DisposeAsync();
            throw;
        }
    }
}
