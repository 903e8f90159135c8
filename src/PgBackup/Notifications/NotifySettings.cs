using PgBackup.Configuration;

namespace PgBackup.Notifications;

/// <summary>Who is told of a cluster. A config with errors elsewhere has it too: that is told.</summary>
public sealed record NotifySettings
{
    /// <summary>The cluster's name.</summary>
    public required string Cluster { get; init; }

    /// <summary>The config file.</summary>
    public required string ConfigFile { get; init; }

    /// <summary>Notices name the host.</summary>
    public required bool NamesHost { get; init; }

    /// <summary>The channels.</summary>
    public required IReadOnlyList<NotifyConfig> Channels { get; init; }

    /// <summary>Those of a config.</summary>
    public static NotifySettings Of(BackupConfig config) =>
        new()
        {
            Cluster = config.Cluster,
            ConfigFile = config.File,
            NamesHost = config.RecordsNameWho,
            Channels = config.Notify,
        };
}
