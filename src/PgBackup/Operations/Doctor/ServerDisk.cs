using PgBackup.Configuration;
using PgBackup.Tools;

namespace PgBackup.Operations.Doctor;

/// <summary>Whether stores lie on the disk of the server that they are to outlive. Known only where both are on this host.</summary>
internal sealed class ServerDisk(BackupConfig config, DoctorHost host, TimeProvider clock)
{
    /// <summary>Looks.</summary>
    /// <param name="dataFolder">Where the server says that its data is; null where it does not.</param>
    /// <param name="sheet">Where it is written down.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task RunAsync(Func<Task<string?>> dataFolder, Sheet sheet, CancellationToken cancel)
    {
        StoreConfig[] folders = [.. config.Stores.Where(static s => s.Path is not null)];
        if (folders.Length == 0)
        {
            return;
        }

        sheet.Doing = "looking for the disk of the server";
        string? data = config.Source.Engine is { } engine ? await InContainerAsync(engine, cancel) : await dataFolder();
        bool isHere = data is not null && (config.Source.Engine is not null || IsServersFolder(data));
        if (!isHere || host.Disk(data!) is not { } disk)
        {
            return;
        }

        StoreConfig[] same = [.. folders.Where(s => host.Disk(s.Path!) == disk)];
        sheet.Add("the stores are on another disk than the server", [.. same.Select(s => Found(s, data!, same.Length))]);
    }

    // A volume on this host, else the container's own layer. Null where the engine does not say: the examination of the server says why.
    private async Task<string?> InContainerAsync(string engine, CancellationToken cancel)
    {
        if (await new ContainerEngine(engine, clock).LookAsync(config.Source.Container!, cancel) is not { } container)
        {
            return null;
        }

        string folder = container.Environment.GetValueOrDefault("PGDATA", "/var/lib/postgresql/data");
        (string inside, string source) = container
            .Mounts.Where(m => folder == m.Inside || folder.StartsWith(m.Inside.TrimEnd('/') + "/", StringComparison.Ordinal))
            .OrderByDescending(static m => m.Inside.Length)
            .FirstOrDefault();
        return inside is null ? container.Layer : source;
    }

    // The path is the server's own: it may be in a container, or on another host behind a tunnel.
    private bool IsServersFolder(string data) => !config.Source.Connection.IsRemote && File.Exists(Path.Combine(data, "postmaster.pid"));

    private Finding Found(StoreConfig store, string data, int onThatDisk)
    {
        string what = $"the store {store.Name} ({store.Path}) is on the same disk as the server's data ({data})";
        bool others = onThatDisk < config.Stores.Count;
        string[] elsewhere =
        [
            .. config.Stores.Where(s => s.Path is null || host.Disk(s.Path) != host.Disk(data)).Select(static s => s.Name),
        ];
        return others
            ? Finding.Note(
                ErrorCode.StoreOnServersDisk,
                store.Name,
                what,
                $"when that disk fails, what {string.Join(" and ", elsewhere)} {(elsewhere.Length == 1 ? "has" : "have")} is left"
            )
            : Finding.Warning(
                ErrorCode.StoreOnServersDisk,
                store.Name,
                what,
                "when that disk fails, the databases and all their snapshots are lost together",
                "Add a store elsewhere, for instance - { name: offsite, rclone: \"b2:olympus-backups/olympus\" }, or move this one to "
                    + $"another disk: `df {ShellText.Word(store.Path!)} {ShellText.Word(data)}` shows both"
            );
    }
}
