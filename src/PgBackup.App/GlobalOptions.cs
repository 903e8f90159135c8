using System.CommandLine;
using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Installations;
using PgBackup.Notifications;

namespace PgBackup.App;

/// <summary>The options that every verb has, or several have, and the installation of the config that they name.</summary>
/// <param name="clock">The time.</param>
internal sealed class GlobalOptions(TimeProvider clock)
{
    /// <summary>The config file.</summary>
    public Option<string?> Config { get; } =
        new("--config")
        {
            Description = "The config file (else $OLYMPUS_PGBACKUP_CONFIG, ./olympus-pgbackup.yaml, /etc/olympus-pgbackup/config.yaml)",
            HelpName = "FILE",
            Recursive = true,
        };

    /// <summary>Machine output.</summary>
    public Option<bool> Json { get; } = new("--json") { Description = "JSON on stdout; messages go to stderr", Recursive = true };

    /// <summary>Nothing but what is wrong: of the verbs that cron starts, which add it themselves.</summary>
    public Option<bool> Quiet { get; } =
        new("--quiet", "-q") { Description = "Print only warnings and errors: after a good night cron has nothing to mail" };

    private (Task Telling, CancellationTokenSource Stop)? started;

    /// <summary>Adds those that every verb has to the root, and by that to all verbs.</summary>
    public void AddTo(RootCommand root)
    {
        root.Options.Add(Config);
        root.Options.Add(Json);
    }

    /// <summary>What the verb works on; null before it has read the config.</summary>
    public Installation? Opened { get; private set; }

    /// <summary>Tells dead man's switches that a run starts, beside the run.</summary>
    public void TellStart(Installation installation)
    {
        var stop = new CancellationTokenSource();
        started = (installation.Notify().StartAsync(stop.Token), stop);
    }

    /// <summary>Ends what <see cref="TellStart"/> began: a start that arrives after the end would be one of a run that never
    /// ends.</summary>
    /// <param name="patience">How long it may still take.</param>
    public async Task EndStartAsync(TimeSpan patience)
    {
        if (started is not var (telling, stop))
        {
            return;
        }

        await Task.WhenAny(telling, Task.Delay(patience, clock, CancellationToken.None));
        await stop.CancelAsync();
        await telling;
        stop.Dispose();
        started = null;
    }

    /// <summary>Who is told of an error in the config itself; null where the config was read, or names nobody.</summary>
    public NotifySettings? Salvaged { get; private set; }

    /// <summary>The installation, for work on the source too. The notices of its config are printed: somebody relies on what it
    /// has.</summary>
    public Installation ReadForBackup(ParseResult parsed, CancellationToken cancel) =>
        Of(Read(parsed, static (file, c) => ConfigReader.ReadForBackup(file, c), cancel));

    /// <summary>The same for work on stores alone: the config may lack the source.</summary>
    public Installation ReadStores(ParseResult parsed, CancellationToken cancel) =>
        Of(Read(parsed, static (file, c) => ConfigReader.ReadStores(file, c), cancel));

    private BackupConfig Read(ParseResult parsed, Func<string, CancellationToken, BackupConfig> read, CancellationToken cancel)
    {
        string file = ConfigReader.Find(parsed.GetValue(Config));
        try
        {
            return read(file, cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ConfigInvalid)
        {
            if (ConfigReader.TryReadNotify(file) is var (cluster, channels))
            {
                Salvaged = new NotifySettings
                {
                    Cluster = cluster,
                    ConfigFile = file,
                    NamesHost = false,
                    Channels = channels,
                };
            }

            throw;
        }
    }

    private Installation Of(BackupConfig config)
    {
        foreach (string notice in config.Notices)
        {
            Terminal.Message($"note: {config.File}: {notice}");
        }

        return Opened = new Installation(config, clock);
    }
}
