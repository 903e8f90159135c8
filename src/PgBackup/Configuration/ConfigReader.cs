using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using PgBackup.Host;
using PgBackup.Postgres;
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
                : throw (Directory.Exists(chosen)
                    ? new PgBackupException(ErrorCode.ConfigMissing, $"{what} is a folder.", $"Name the file in it, for instance {ShellText.Word(Path.Combine(chosen, "config.yaml"))}.")
                    : new PgBackupException(ErrorCode.ConfigMissing, $"{what} does not exist.", "Check the path, or make one with `olympus-pgbackup init`."));
        }

        string[] places = ["olympus-pgbackup.yaml", "/etc/olympus-pgbackup/config.yaml"];
        return places.FirstOrDefault(File.Exists)
            ?? throw new PgBackupException(
                ErrorCode.ConfigMissing,
                "there is no config: neither ./olympus-pgbackup.yaml nor /etc/olympus-pgbackup/config.yaml exists.",
                "`olympus-pgbackup init` writes a commented one to start from; --config FILE or $OLYMPUS_PGBACKUP_CONFIG names another place. " +
                "`olympus-pgbackup demo` shows the whole cycle with made-up data, --help all verbs.");
    }

    /// <summary>Reads a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="forBackup">
    /// False for all that works on stores alone, on whatever host: then what concerns the source may be missing, and its secrets are not
    /// looked for.
    /// </param>
    /// <param name="cancel">Ends the wait for a pipe, which is ten minutes at most.</param>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.ConfigInvalid"/> with every error, its line and its remedy; <see cref="ErrorCode.UntrustedFile"/>.
    /// </exception>
    public static BackupConfig Read(string file, bool forBackup, CancellationToken cancel)
    {
        try
        {
            TrustedFile.Require(file, "config file");
            return Parse(SmallFile.Text(file, PatienceWithPipe, cancel), file, forBackup);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PgBackupException(ErrorCode.ConfigInvalid, $"the config file {file} cannot be read: {e.Message}", "Check its owner and mode.", e);
        }
    }

    /// <summary>Reads the text of a file.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ConfigInvalid"/>.</exception>
    public static BackupConfig Parse(string text, string file, bool forBackup = true)
    {
        var reader = new ConfigReader(forBackup);
        BackupConfig? config = reader.ReadDocument(text, file);
        if (reader.errors.Count == 0 && config is not null)
        {
            return config;
        }

        var message = new StringBuilder();
        message.Append(CultureInfo.InvariantCulture, $"{file} has {reader.errors.Count} {(reader.errors.Count == 1 ? "error" : "errors")}:");
        foreach (ConfigError error in reader.errors.OrderBy(static e => e.Line))
        {
            message.Append(CultureInfo.InvariantCulture, $"\n  line {error.Line}: {error.Key}: {error.What} {error.Remedy}");
        }

        throw new PgBackupException(ErrorCode.ConfigInvalid, message.ToString(), "docs/configuration.md explains every key; `olympus-pgbackup init` writes a commented example.");
    }

    private BackupConfig? ReadDocument(string text, string file)
    {
        YamlMappingNode root;
        try
        {
            RequireShallow(text);
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            if (stream.Documents.Count > 1)
            {
                errors.Add(new ConfigError
                {
                    Line = stream.Documents[1].RootNode.Start.Line,
                    Key = "(file)",
                    What = $"a second YAML document begins here, of {stream.Documents.Count}; one is expected.",
                    Remedy = "Remove the line `---` above it, or write a file for each.",
                });
                return null;
            }

            if (stream.Documents.Count != 1 || stream.Documents[0].RootNode is not YamlMappingNode mapping)
            {
                errors.Add(new ConfigError { Line = 1, Key = "(file)", What = "keys and values are expected.", Remedy = "Start from `olympus-pgbackup init`." });
                return null;
            }

            root = mapping;
        }
        catch (YamlException e)
        {
            string what = e.InnerException?.Message ?? e.Message;
            // The parser names the beginning of the mapping that the tab is in.
            int tab = what.Contains("tab", StringComparison.Ordinal) ? TabIndented().Match(text) is { Success: true } match ? 1 + text.AsSpan(0, match.Index).Count('\n') : 0 : 0;
            errors.Add(tab > 0
                ? new ConfigError { Line = tab, Key = "(YAML)", What = "the line is indented by a tab.", Remedy = "Indent it by blanks." }
                : new ConfigError { Line = e.Start.Line, Key = "(YAML)", What = what.EndsWith('.') ? what : what + ".", Remedy = "Check indentation, quotes and brackets there." });
            return null;
        }

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
        IReadOnlyList<StoreConfig> stores = new StoreReader(errors, encryption.Kind == "provider").Read(section);
        DrillConfig drill = new DrillReader(errors, url => ReadUrl(url, "url", url.Flag("accept_weak_tls"))).Read(section);
        foreach (string later in (string[])["schedule", "notify"])
        {
            if (section.Has(later))
            {
                notices.Add($"{later}: this version does not act on it yet.");
            }
        }

        section.RejectUnknown();
        IEnumerable<string?> secrets =
        [
            source.PasswordFile, .. databases.Select(static d => d.PasswordFile), encryption.IdentityFile, encryption.PassphraseFile,
                .. stores.Select(static s => s.RcloneConfig),
            drill.TargetPasswordFile, drill.IdentityFile, drill.PassphraseFile, .. drill.ApplicationKeys.Select(static k => k.SecretFile),
        ];
        notices.AddRange(secrets.Distinct(StringComparer.Ordinal).Select(TrustedFile.Warning).OfType<string>());
        return new BackupConfig
        {
            File = file,
            Cluster = cluster,
            Source = source,
            Databases = databases,
            Dump = dump,
            Encryption = encryption,
            Stores = stores,
            Drill = drill,
            Notices = notices,
        };
    }

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
                throw new YamlException(parser.Current.Start, parser.Current.End,
                    $"more than {DeepestNesting} brackets or levels lie one inside the other.");
            }
        }
    }

    private SourceConfig ReadSource(YamlSection root)
    {
        var nothing = new SourceConfig { Connection = PgConnection.InContainer("postgres", null), ConnectRetry = TimeSpan.Zero };
        YamlSection? section = root.Section("source");
        if (section is null)
        {
            if (!root.Has("source") && forBackup)
            {
                root.Error("source", "it is missing.", "Write source: { podman: { container: olympus-postgres } } or source: { url: postgres://... }.");
            }

            return nothing;
        }

        List<string> ways = [.. ((string[])["podman", "docker", "url"]).Where(section.Has)];
        if (ways.Count != 1)
        {
            section.Error(
                ways.Count == 0 ? "podman" : ways[1],
                ways.Count == 0 ? "nothing says where the databases are." : $"{string.Join(" and ", ways)} exclude each other.",
                "Write exactly one of podman:, docker: and url:.");
        }

        string? passwordFile = forBackup ? ReadableFile(section, "password_file") : section.Text("password_file");
        bool weakTls = section.Flag("accept_weak_tls");
        (string? image, bool hostOnly) = ReadTools(section);
        SourceConfig result = nothing with { PasswordFile = passwordFile, ToolsImage = image, HostToolsOnly = hostOnly };
        if (ways.Contains("url"))
        {
            PgConnection connection = ReadUrl(section, "url", weakTls) ?? nothing.Connection;
            result = result with
            {
                Connection = connection,
                ConnectRetry = section.Span("connect_retry", connection.IsRemote ? TimeSpan.FromSeconds(60) : TimeSpan.Zero),
            };
        }
        else if (ways.Count > 0)
        {
            string engine = ways[0];
            result = result with { Engine = engine, ConnectRetry = section.Span("connect_retry", TimeSpan.Zero) };
            if (section.IsText(engine))
            {
                result = result with { Container = section.Text(engine) };
            }
            else if (section.Section(engine) is { } container)
            {
                string name = container.RequiredText("container", "Write the container's name, for instance container: olympus-postgres.");
                string user = container.Text("user") ?? "postgres";
                if (user.Length == 0)
                {
                    container.Error("user", "it is empty.", "Write the role, or leave it out for postgres.");
                }

                container.RejectUnknown();
                result = result with { Container = name, Connection = PgConnection.InContainer(user, null) };
            }

            if (result.Container is { Length: > 0 } called && !ContainerName().IsMatch(called))
            {
                section.Error(engine, $"\"{called}\" is no name of a container.", "Write the name that `podman ps` shows.");
            }

            if (image is not null || hostOnly)
            {
                section.Error("tools", "it is for url: only.", $"Leave it out: with {engine}: the tools inside the container are used, which always fit its server.");
            }
        }

        section.RejectUnknown();
        return result;
    }

    private static (string? Image, bool HostOnly) ReadTools(YamlSection section)
    {
        if (!section.Has("tools"))
        {
            return (null, false);
        }

        if (section.IsText("tools"))
        {
            string? word = section.Text("tools");
            if (word != "host")
            {
                section.Error("tools", $"\"{word}\" is not allowed.", "Write host, or { image: \"postgres:17\" }.");
            }

            return (null, true);
        }

        YamlSection? tools = section.Section("tools");
        string? image = tools?.RequiredText("image", "Write the image, for instance image: \"postgres:17\".");
        tools?.RejectUnknown();
        return (image, false);
    }

    private PgConnection? ReadUrl(YamlSection section, string key, bool weakTls)
    {
        string url = section.RequiredText(key, "Write postgres://role@host/?sslmode=verify-full");
        if (url.Length == 0)
        {
            return null;
        }

        PgConnection connection;
        try
        {
            connection = PgConnection.Parse(url);
        }
        catch (FormatException e)
        {
            section.Error(key, $"it is no connection URL: {e.Message}.", "Write postgres://role@host:5432/?sslmode=verify-full");
            return null;
        }

        if (ConnectionPolicy.PoolerRemedy(connection) is { } direct)
        {
            section.Error(key, $"the host {connection.Host} is a connection pooler, which cannot hold the snapshot of a dump.", direct);
        }

        if (!weakTls && ConnectionPolicy.WeakTls(connection) is { } weak)
        {
            section.Error(key, weak, "Add ?sslmode=verify-full to the URL (and sslrootcert=system for a public authority), or write accept_weak_tls: true beside it.");
        }

        if (connection.Settings.ContainsKey("PGPASSWORD") && !section.Has("password_file"))
        {
            notices.Add($"{key}: the password stands in the config; password_file is safer.");
        }

        return connection;
    }

    private List<DatabaseConfig> ReadDatabases(YamlSection root, SourceConfig source)
    {
        List<DatabaseConfig> databases = [];
        foreach ((YamlNode node, string path) in root.Items("databases"))
        {
            if (node is YamlMappingNode mapping)
            {
                var section = new YamlSection(mapping, path, errors);
                string name = section.RequiredText("name", "Write the database's name.");
                PgConnection? own = null;
                if (section.Has("url"))
                {
                    own = ReadUrl(section, "url", section.Flag("accept_weak_tls"));
                    if (source.Engine is not null)
                    {
                        section.Error("url", "a database of its own URL needs a source with a URL.", $"Use source.url instead of source.{source.Engine}.");
                    }
                }

                string? passwordFile = forBackup ? ReadableFile(section, "password_file") : section.Text("password_file");
                section.RejectUnknown();
                databases.Add(new DatabaseConfig { Name = name, Connection = own, PasswordFile = passwordFile });
            }
            else if (root.Scalar(node, "databases") is { Length: > 0 } name)
            {
                databases.Add(new DatabaseConfig { Name = name });
            }
            else if (node is YamlScalarNode)
            {
                root.Error("databases", "a name is empty.", "Write the name, or remove the item.");
            }
        }

        foreach (DatabaseConfig odd in databases.Where(static d => d.Name.IndexOfAny(['\n', '\r']) >= 0))
        {
            root.Error("databases", $"\"{odd.Name.ReplaceLineEndings(" ")}\" has a line break in its name, which pg_restore refuses.",
                "Rename it: ALTER DATABASE ... RENAME TO.");
        }

        if (databases.Count == 0 && (forBackup || root.Has("databases")))
        {
            root.Error("databases", "no database is named.", "Write databases: [ciam_kratos, ciam_hydra, iam_kratos, iam_hydra, olympus].");
        }

        if (databases.Count > MostDatabases)
        {
            root.Error("databases", $"{databases.Count} databases are named, and all of them are held open at the same moment.",
                $"Name at most {MostDatabases} in one config; give the others one of their own.");
        }

        foreach (IGrouping<string, DatabaseConfig> twice in databases.GroupBy(static d => d.Name, StringComparer.Ordinal).Where(static g => g.Count() > 1))
        {
            root.Error("databases", $"\"{twice.Key}\" is named {twice.Count()} times.", "Name each database once.");
        }

        return databases;
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
            section.Error("compress", $"\"{compression}\" is not allowed.", "Write a method of pg_dump and perhaps a level: zstd:1, lz4, gzip:6 or none.");
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

    /// <summary>A file that must be there, or null when none is named. The remedy says how to come by it.</summary>
    internal static string? ReadableFile(YamlSection section, string key, string remedy = "Make it (mode 0600) with nothing but the password in it.")
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
