using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using PgBackup.Encryption;
using PgBackup.Host;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace PgBackup.Configuration;

/// <summary>Finds and reads the configuration, and reports everything that is wrong with it at once.</summary>
public sealed partial class ConfigReader
{
    // No key lies deeper than six.
    private const int DeepestNesting = 50;

    // One session is held open for each, all at the same time.
    private const int MostDatabases = 1000;

    // A person may have to unlock what writes into a pipe.
    private static readonly TimeSpan PatienceWithPipe = TimeSpan.FromMinutes(10);

    private readonly List<ConfigError> errors = [];
    private readonly List<string> notices = [];

    private readonly bool forBackup;

    private ConfigReader(bool forBackup) => this.forBackup = forBackup;

    /// <summary>
    /// The file to use: the one named, or <c>$OLYMPUS_PGBACKUP_CONFIG</c>, <c>./olympus-pgbackup.yaml</c>,
    /// <c>/etc/olympus-pgbackup/config.yaml</c>; the first that is there.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ConfigMissing"/>.</exception>
    public static string Find(string? named)
    {
        string? byVariable = Environment.GetEnvironmentVariable("OLYMPUS_PGBACKUP_CONFIG");
        if ((named ?? byVariable) is { Length: > 0 } chosen)
        {
            string what = $"the config file {chosen} ({(named is null ? "from $OLYMPUS_PGBACKUP_CONFIG" : "from --config")})";
            return File.Exists(chosen)
                ? chosen
                : throw (
                    Directory.Exists(chosen)
                        ? new PgBackupException(
                            ErrorCode.ConfigMissing,
                            $"{what} is a folder.",
                            $"Name the file in it, for instance {ShellText.Word(Path.Combine(chosen, "config.yaml"))}."
                        )
                        : new PgBackupException(
                            ErrorCode.ConfigMissing,
                            $"{what} does not exist.",
                            "Check the path, or make one with `olympus-pgbackup init`."
                        )
                );
        }

        string[] places = ["olympus-pgbackup.yaml", "/etc/olympus-pgbackup/config.yaml"];
        return places.FirstOrDefault(File.Exists)
            ?? throw new PgBackupException(
                ErrorCode.ConfigMissing,
                "there is no config: neither ./olympus-pgbackup.yaml nor /etc/olympus-pgbackup/config.yaml exists.",
                "`olympus-pgbackup init` writes a commented one to start from; --config FILE or $OLYMPUS_PGBACKUP_CONFIG names "
                    + "another place. "
                    + "`olympus-pgbackup demo` shows the whole cycle with made-up data, --help all verbs."
            );
    }

    /// <summary>Reads a file for a backup: all of it must be there, the files of secrets too.</summary>
    /// <param name="file">The file.</param>
    /// <param name="cancel">Ends the wait for a pipe, which is ten minutes at most.</param>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.ConfigInvalid"/> with every error, its line and its remedy; <see cref="ErrorCode.UntrustedFile"/>.
    /// </exception>
    public static BackupConfig ReadForBackup(string file, CancellationToken cancel) => Read(file, forBackup: true, cancel);

    /// <summary>Reads a file for all that works on stores alone, on whatever host: what concerns the source may be missing, and its secrets
    /// are not looked for.</summary>
    /// <param name="file">The file.</param>
    /// <param name="cancel">Ends the wait for a pipe, which is ten minutes at most.</param>
    /// <exception cref="PgBackupException">As of <see cref="ReadForBackup"/>.</exception>
    public static BackupConfig ReadStores(string file, CancellationToken cancel) => Read(file, forBackup: false, cancel);

    /// <summary>Reads the text of a file, as <see cref="ReadForBackup"/> does.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ConfigInvalid"/>.</exception>
    public static BackupConfig ParseForBackup(string text, string file) => Parse(text, file, forBackup: true);

    /// <summary>Reads the text of a file, as <see cref="ReadStores"/> does.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ConfigInvalid"/>.</exception>
    public static BackupConfig ParseStores(string text, string file) => Parse(text, file, forBackup: false);

    /// <summary>The cluster's name and who is told, of a file that has errors elsewhere: somebody should hear of those.</summary>
    /// <param name="file">The file.</param>
    /// <returns>Null where these have errors themselves, or nobody is told.</returns>
    public static (string Cluster, IReadOnlyList<NotifyConfig> Channels)? TryReadNotify(string file)
    {
        try
        {
            // A pipe has been read already, and is not asked again.
            if (TrustedFile.Problem(file) is not null || !NamedFile.IsRegular(file).GetValueOrDefault())
            {
                return null;
            }

            var reader = new ConfigReader(forBackup: false);
            if (reader.LoadRoot(SmallFile.Text(file)) is not { } root)
            {
                return null;
            }

            var section = new YamlSection(root, "", reader.errors);
            string cluster = section.RequiredText("cluster", "");
            IReadOnlyList<NotifyConfig> channels = new NotifyReader(reader.errors).Read(section);
            return reader.errors.Count == 0 && ClusterName().IsMatch(cluster) && channels.Count > 0 ? (cluster, channels) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    private static BackupConfig Read(string file, bool forBackup, CancellationToken cancel)
    {
        try
        {
            TrustedFile.Require(file, "config file");
            return Parse(SmallFile.Text(file, PatienceWithPipe, cancel), file, forBackup);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PgBackupException(
                ErrorCode.ConfigInvalid,
                $"the config file {file} cannot be read: {e.Message}",
                "Check its owner and mode.",
                e
            );
        }
    }

    private static BackupConfig Parse(string text, string file, bool forBackup)
    {
        var reader = new ConfigReader(forBackup);
        BackupConfig? config = reader.ReadDocument(text, file);
        if (reader.errors.Count == 0 && config is not null)
        {
            return config;
        }

        var message = new StringBuilder();
        message.Append(
            CultureInfo.InvariantCulture,
            $"{file} has {reader.errors.Count} {(reader.errors.Count == 1 ? "error" : "errors")}:"
        );
        foreach (ConfigError error in reader.errors.OrderBy(static e => e.Line))
        {
            message.Append(CultureInfo.InvariantCulture, $"\n  line {error.Line}: {error.Key}: {error.What} {error.Remedy}");
        }

        throw new PgBackupException(
            ErrorCode.ConfigInvalid,
            message.ToString(),
            "docs/configuration.md explains every key; `olympus-pgbackup init` writes a commented example."
        );
    }

    private BackupConfig? ReadDocument(string text, string file) => LoadRoot(text) is { } root ? ReadRoot(root, file) : null;

    // Null for what is no single mapping: that is an error.
    private YamlMappingNode? LoadRoot(string text)
    {
        try
        {
            RequireShallow(text);
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            if (stream.Documents.Count > 1)
            {
                errors.Add(
                    new ConfigError
                    {
                        Line = stream.Documents[1].RootNode.Start.Line,
                        Key = "(file)",
                        What = $"a second YAML document begins here, of {stream.Documents.Count}; one is expected.",
                        Remedy = "Remove the line `---` above it, or write a file for each.",
                    }
                );
                return null;
            }

            if (stream.Documents is [{ RootNode: YamlMappingNode root }])
            {
                return root;
            }

            errors.Add(
                new ConfigError
                {
                    Line = 1,
                    Key = "(file)",
                    What = "keys and values are expected.",
                    Remedy = "Start from `olympus-pgbackup init`.",
                }
            );
        }
        catch (YamlException e)
        {
            errors.Add(ErrorOf(e, text));
        }

        return null;
    }

    private static ConfigError ErrorOf(YamlException e, string text)
    {
        string what = e.InnerException?.Message ?? e.Message;
        // The parser names the beginning of the mapping that the tab is in.
        if (what.Contains("tab", StringComparison.Ordinal) && TabIndented().Match(text) is { Success: true } tab)
        {
            return new ConfigError
            {
                Line = 1 + text.AsSpan(0, tab.Index).Count('\n'),
                Key = "(YAML)",
                What = "the line is indented by a tab.",
                Remedy = "Indent it by blanks.",
            };
        }

        return new ConfigError
        {
            Line = e.Start.Line,
            Key = "(YAML)",
            What = what.EndsWith('.') ? what : what + ".",
            Remedy = "Check indentation, quotes and brackets there.",
        };
    }

    private BackupConfig ReadRoot(YamlMappingNode root, string file)
    {
        var section = new YamlSection(root, "", errors);
        string cluster = section.RequiredText("cluster", "Write a name for this cluster, for instance cluster: olympus.");
        if (cluster.Length > 0 && !ClusterName().IsMatch(cluster))
        {
            section.Error("cluster", $"\"{cluster}\" is not allowed.", "Use letters, digits, dots, dashes and underscores.");
        }

        SourceConfig source = ReadSource(section);
        IReadOnlyList<DatabaseConfig> databases = ReadDatabases(section, source);
        DumpConfig dump = ReadDump(section.Section("dump"), databases.Count);
        EncryptionConfig encryption = new EncryptionReader(errors, forBackup).Read(section);
        IReadOnlyList<StoreConfig> stores = new StoreReader(errors, encryption.Kind == EncryptionKind.Provider).Read(section);
        TimeSpan maxAge = section.Span("max_age", BackupConfig.DefaultMaxAge);
        if (maxAge <= TimeSpan.Zero)
        {
            section.Error("max_age", "no snapshot can be so young.", "Write how old the newest one may be, for instance max_age: 26h.");
        }

        DrillConfig drill = new DrillReader(errors, ReadScratchUrl).Read(section, maxAge);
        LossConfig losses = new LossReader(errors).Read(section.Section("losses"), databases);
        bool recordsNameWho = ReadRecords(section.Section("records"));
        string? metricsFile = ReadMetrics(section.Section("metrics"));
        IReadOnlyList<NotifyConfig> notify = new NotifyReader(errors).Read(section);
        NeonConfig? neon = NeonReader.Read(section);
        ScheduleConfig? schedule = ScheduleReader.Read(section);
        ServeConfig serve = ScheduleReader.ReadServe(section);
        section.RejectUnknown();
        var config = new BackupConfig
        {
            File = file,
            Cluster = cluster,
            Source = source,
            Databases = databases,
            Dump = dump,
            Encryption = encryption,
            Stores = stores,
            MaxAge = maxAge,
            Drill = drill,
            Losses = losses,
            RecordsNameWho = recordsNameWho,
            MetricsFile = metricsFile,
            Notify = notify,
            Neon = neon,
            Schedule = schedule,
            Serve = serve,
            Notices = notices,
        };
        notices.AddRange(SecretFiles(config).Distinct(StringComparer.Ordinal).Select(TrustedFile.Warning).OfType<string>());
        return config;
    }

    /// <summary>The files with secrets that a config names; null where it names none.</summary>
    internal static IEnumerable<string?> SecretFiles(BackupConfig config) =>
        [
            config.Source.PasswordFile,
            .. config.Databases.Select(static d => d.PasswordFile),
            config.Encryption.IdentityFile,
            config.Encryption.PassphraseFile,
            .. config.Stores.Select(static s => s.RcloneConfig),
            config.Drill.TargetPasswordFile,
            config.Drill.IdentityFile,
            config.Drill.PassphraseFile,
            .. config.Drill.ApplicationKeys.Select(static k => k.SecretFile),
            .. config.Notify.SelectMany(static n => (string?[])[n.PingFile, n.WebhookFile, n.Smtp?.PasswordFile]),
            config.Neon?.KeyFile,
        ];

    // The document is read by recursion, which must end before the stack does.
    private static void RequireShallow(string text)
    {
        var parser = new Parser(new StringReader(text));
        int depth = 0;
        while (parser.MoveNext())
        {
            depth += parser.Current!.NestingIncrease;
            if (depth > DeepestNesting)
            {
                throw new YamlException(
                    parser.Current.Start,
                    parser.Current.End,
                    $"more than {DeepestNesting} brackets or levels lie one inside the other."
                );
            }
        }
    }

    private static DumpConfig ReadDump(YamlSection? section, int databases)
    {
        if (section is null)
        {
            return new DumpConfig { Jobs = Math.Clamp(databases, 1, 8), LockTimeout = TimeSpan.FromSeconds(30) };
        }

        string? compression = section.Text("compress");
        if (compression is not null && !Compression().IsMatch(compression))
        {
            section.Error(
                "compress",
                $"\"{compression}\" is not allowed.",
                "Write a method of pg_dump and perhaps a level: zstd:1, lz4, gzip:6 or none."
            );
        }

        var config = new DumpConfig
        {
            Compression = compression,
            Jobs = section.Number("jobs", Math.Clamp(databases, 1, 8), 1, 64),
            LockTimeout = section.Span("lock_timeout", TimeSpan.FromSeconds(30)),
            StallTimeout = section.Span("stall_timeout", TimeSpan.FromMinutes(5)),
        };
        section.RejectUnknown();
        return config;
    }

    private static bool ReadRecords(YamlSection? section)
    {
        bool who = section is null || !section.Has("who") || section.Flag("who");
        section?.RejectUnknown();
        return who;
    }

    private static string? ReadMetrics(YamlSection? section)
    {
        string? file = section?.RequiredText("textfile", "Write the whole path of a file whose name ends in .prom.");
        if (file is { Length: > 0 } && (!Path.IsPathRooted(file) || !file.EndsWith(".prom", StringComparison.Ordinal)))
        {
            section!.Error(
                "textfile",
                $"\"{file}\" is not the whole path of a file whose name ends in .prom.",
                "The textfile collector reads no other: textfile: /var/lib/prometheus/node-exporter/olympus.prom."
            );
        }

        section?.RejectUnknown();
        return file;
    }

    /// <summary>A file that must be there, or null when none is named. The remedy says how to come by it.</summary>
    internal static string? ReadableFile(
        YamlSection section,
        string key,
        string remedy = "Make it (mode 0600) with nothing but the password in it."
    )
    {
        string? file = section.Text(key);
        if (file is not null && file.StartsWith('~'))
        {
            section.Error(key, "~ is only known to shells.", "Write the whole path, or ${HOME}/...");
        }
        else if (!string.IsNullOrEmpty(file) && !File.Exists(file))
        {
            section.Error(key, $"the file {file} does not exist.", remedy);
        }
        else if (!string.IsNullOrEmpty(file) && TrustedFile.Problem(file) is var (what, better))
        {
            section.Error(key, $"the file {what}", better);
        }

        return string.IsNullOrEmpty(file) ? null : file;
    }

    [GeneratedRegex(@"^ *\t\s*\S", RegexOptions.Multiline)]
    private static partial Regex TabIndented();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    private static partial Regex ClusterName();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    private static partial Regex ContainerName();

    [GeneratedRegex(@"^((gzip|lz4|zstd)(:(level=)?\d{1,2}(,long)?)?|none|[0-9])$")]
    private static partial Regex Compression();
}
