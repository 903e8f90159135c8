using PgBackup.Encryption;
using PgBackup.Postgres;
using PgBackup.Retention;
using PgBackup.Storage.S3;

namespace PgBackup.Configuration;

/// <summary>A configuration without errors. docs/configuration.md explains every key.</summary>
public sealed record BackupConfig
{
    /// <summary>The file it was read from.</summary>
    public required string File { get; init; }

    /// <summary>The cluster's name, written into every manifest.</summary>
    public required string Cluster { get; init; }

    /// <summary>Where the databases are.</summary>
    public required SourceConfig Source { get; init; }

    /// <summary>The databases, in the order of the file.</summary>
    public required IReadOnlyList<DatabaseConfig> Databases { get; init; }

    /// <summary>How dumps are made.</summary>
    public required DumpConfig Dump { get; init; }

    /// <summary>How they are encrypted.</summary>
    public required EncryptionConfig Encryption { get; init; }

    /// <summary>Where they are kept; the first is the primary.</summary>
    public required IReadOnlyList<StoreConfig> Stores { get; init; }

    /// <summary>How old the newest complete snapshot of every store may be.</summary>
    public TimeSpan MaxAge { get; init; } = DefaultMaxAge;

    /// <summary>A night, and two hours for a run that takes longer than the one before.</summary>
    public static TimeSpan DefaultMaxAge { get; } = TimeSpan.FromHours(26);

    /// <summary>How restores are rehearsed.</summary>
    public required DrillConfig Drill { get; init; }

    /// <summary>What tables may lose.</summary>
    public LossConfig Losses { get; init; } = new();

    /// <summary><c>records.who</c>: records in the stores name the user and the host, and have notes.</summary>
    public bool RecordsNameWho { get; init; } = true;

    /// <summary><c>metrics.textfile</c>: a file of figures for Prometheus, written after each verb that does something; null for
    /// none.</summary>
    public string? MetricsFile { get; init; }

    /// <summary><c>notify</c>: who is told, and how.</summary>
    public IReadOnlyList<NotifyConfig> Notify { get; init; } = [];

    /// <summary><c>neon</c>: the project of Neon that the databases are in; null where they are elsewhere, or Neon is not asked.</summary>
    public NeonConfig? Neon { get; init; }

    /// <summary><c>schedule</c>: when <c>serve</c> does what; null for nothing.</summary>
    public ScheduleConfig? Schedule { get; init; }

    /// <summary><c>serve</c>: how it is reached.</summary>
    public ServeConfig Serve { get; init; } = new();

    /// <summary>What the file has that this version does not act on yet; said at every run, so that nobody relies on it.</summary>
    public required IReadOnlyList<string> Notices { get; init; }
}

/// <summary>A container (by exec) or a URL.</summary>
public sealed record SourceConfig
{
    /// <summary><c>podman</c> or <c>docker</c>, or null for a URL.</summary>
    public string? Engine { get; init; }

    /// <summary>The container's name.</summary>
    public string? Container { get; init; }

    /// <summary>How to connect: inside the container, or by the URL.</summary>
    public required PgConnection Connection { get; init; }

    /// <summary>A file with the password, read at each run.</summary>
    public string? PasswordFile { get; init; }

    /// <summary>An image whose client tools are used; null looks on the host first.</summary>
    public string? ToolsImage { get; init; }

    /// <summary><c>tools: host</c>: never fall back to an image.</summary>
    public bool HostToolsOnly { get; init; }

    /// <summary>How long a sleeping compute is waited for.</summary>
    public required TimeSpan ConnectRetry { get; init; }
}

/// <summary>One database, and how to reach it if not through the source.</summary>
public sealed record DatabaseConfig
{
    /// <summary>The name in the server.</summary>
    public required string Name { get; init; }

    /// <summary>Its own connection, or null for the source's.</summary>
    public PgConnection? Connection { get; init; }

    /// <summary>Its own password file, or null.</summary>
    public string? PasswordFile { get; init; }
}

/// <summary>How dumps are made.</summary>
public sealed record DumpConfig
{
    /// <summary>pg_dump's <c>--compress</c>, or null for the best that the client has.</summary>
    public string? Compression { get; init; }

    /// <summary>How many databases are dumped at the same time.</summary>
    public required int Jobs { get; init; }

    /// <summary>How long a dump waits for a locked table before it gives up.</summary>
    public required TimeSpan LockTimeout { get; init; }

    /// <summary>How long a dump may be silent before the server is asked whether it still works on it; 0 for ever.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>gpg, age, the stores, or none.</summary>
public sealed record EncryptionConfig
{
    /// <summary><c>gpg</c>, <c>age</c>, <c>provider</c> (the stores encrypt) or <c>none</c>.</summary>
    public required EncryptionKind Kind { get; init; }

    /// <summary>Fingerprints, key ids or addresses (gpg), or public keys (age).</summary>
    public IReadOnlyList<string> Recipients { get; init; } = [];

    /// <summary>gpg's home folder, or null for its default.</summary>
    public string? HomeFolder { get; init; }

    /// <summary>The private key that <c>check</c> and <c>restore</c> use when none is named; normally not on the backup host.</summary>
    public string? IdentityFile { get; init; }

    /// <summary>A file with the passphrase of the gpg key.</summary>
    public string? PassphraseFile { get; init; }
}

/// <summary>A store, and how long it keeps what. Exactly one of <see cref="Path"/>, <see cref="Rclone"/> and <see cref="S3"/> is
/// set.</summary>
public sealed record StoreConfig
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its folder.</summary>
    public string? Path { get; init; }

    /// <summary>A remote of rclone, as rclone writes it.</summary>
    public string? Rclone { get; init; }

    /// <summary>rclone's own config file, or null for its default.</summary>
    public string? RcloneConfig { get; init; }

    /// <summary>A bucket.</summary>
    public S3Settings? S3 { get; init; }

    /// <summary>Its folder is never made by a backup: one that is not there is a disk that is not mounted.</summary>
    public bool MustExist { get; init; }

    /// <summary>What a GB (10^9 bytes) costs a month, in any currency; null where that is not said.</summary>
    public decimal? PricePerGb { get; init; }

    /// <summary>How long it keeps snapshots.</summary>
    public RetentionRules Keep { get; init; } = RetentionRules.Default;
}
