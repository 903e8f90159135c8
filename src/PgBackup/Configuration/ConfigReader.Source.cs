using PgBackup.Postgres;
using YamlDotNet.RepresentationModel;

namespace PgBackup.Configuration;

public sealed partial class ConfigReader
{
    private SourceConfig ReadSource(YamlSection root)
    {
        var nothing = new SourceConfig { Connection = PgConnection.InContainer("postgres", null), ConnectRetry = TimeSpan.Zero };
        YamlSection? section = root.Section("source");
        if (section is null)
        {
            if (!root.Has("source") && forBackup)
            {
                root.Error(
                    "source",
                    "it is missing.",
                    "Write source: { podman: { container: olympus-postgres } } or source: { url: postgres://... }."
                );
            }

            return nothing;
        }

        List<string> ways = [.. ((string[])["podman", "docker", "url"]).Where(section.Has)];
        if (ways.Count != 1)
        {
            section.Error(
                ways.Count == 0 ? "podman" : ways[1],
                ways.Count == 0 ? "nothing says where the databases are." : $"{string.Join(" and ", ways)} exclude each other.",
                "Write exactly one of podman:, docker: and url:."
            );
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
                section.Error(engine, $"\"{called}\" is not the name of a container.", "Write the name that `podman ps` shows.");
            }

            if (image is not null || hostOnly)
            {
                section.Error(
                    "tools",
                    "it is for url: only.",
                    $"Leave it out: with {engine}: the tools inside the container are used, which always fit its server."
                );
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

    private PgConnection? ReadScratchUrl(YamlSection scratch) => ReadUrl(scratch, "url", scratch.Flag("accept_weak_tls"));

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
            section.Error(key, $"it is not a connection URL: {e.Message}.", "Write postgres://role@host:5432/?sslmode=verify-full");
            return null;
        }

        if (ConnectionPolicy.PoolerRemedy(connection) is { } direct)
        {
            section.Error(key, $"the host {connection.Host} is a connection pooler, which cannot hold the snapshot of a dump.", direct);
        }

        if (!weakTls && ConnectionPolicy.WeakTls(connection) is { } weak)
        {
            section.Error(
                key,
                weak,
                "Add ?sslmode=verify-full to the URL (and sslrootcert=system for a public authority), or write accept_weak_tls: true "
                    + "beside it."
            );
        }

        if (connection.Settings.ContainsKey("PGPASSWORD") && !section.Has("password_file"))
        {
            notices.Add($"{key}: the password is in the config; password_file is safer.");
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
                        section.Error(
                            "url",
                            "a database of its own URL needs a source with a URL.",
                            $"Use source.url instead of source.{source.Engine}."
                        );
                    }
                }

                string? passwordFile = forBackup ? ReadableFile(section, "password_file") : section.Text("password_file");
                section.RejectUnknown();
                databases.Add(
                    new DatabaseConfig
                    {
                        Name = name,
                        Connection = own,
                        PasswordFile = passwordFile,
                    }
                );
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
            root.Error(
                "databases",
                $"\"{odd.Name.ReplaceLineEndings(" ")}\" has a line break in its name, which pg_restore refuses.",
                "Rename it: ALTER DATABASE ... RENAME TO."
            );
        }

        if (databases.Count == 0 && (forBackup || root.Has("databases")))
        {
            root.Error("databases", "no database is named.", "Write databases: [ciam_kratos, ciam_hydra, iam_kratos, iam_hydra, olympus].");
        }

        if (databases.Count > MostDatabases)
        {
            root.Error(
                "databases",
                $"{databases.Count} databases are named, and all of them are held open at the same moment.",
                $"Name at most {MostDatabases} in one config; give the others one of their own."
            );
        }

        foreach (
            IGrouping<string, DatabaseConfig> twice in databases
                .GroupBy(static d => d.Name, StringComparer.Ordinal)
                .Where(static g => g.Count() > 1)
        )
        {
            root.Error("databases", $"\"{twice.Key}\" is named {twice.Count()} times.", "Name each database once.");
        }

        return databases;
    }
}
