using System.CommandLine;

namespace PgBackup.App;

/// <summary>The options that every verb has.</summary>
internal sealed class GlobalOptions
{
    /// <summary>The config file.</summary>
    public Option<string?> Config { get; } = new("--config")
    {
        Description = "The config file (else $OLYMPUS_PGBACKUP_CONFIG, ./olympus-pgbackup.yaml, /etc/olympus-pgbackup/config.yaml)",
        HelpName = "FILE",
        Recursive = true,
    };

    /// <summary>Machine output.</summary>
    public Option<bool> Json { get; } = new("--json") { Description = "Machine output on stdout; messages go to stderr", Recursive = true };

    /// <summary>Adds them to the root, and by that to all verbs.</summary>
    public void AddTo(RootCommand root)
    {
        root.Options.Add(Config);
        root.Options.Add(Json);
    }
}
