using YamlDotNet.RepresentationModel;

namespace PgBackup.Configuration;

/// <summary>Reads <c>drill.application_keys</c>. The files it names are not looked for: they are on the host that rehearses.</summary>
internal sealed class ApplicationKeyReader(List<ConfigError> errors)
{
    /// <summary>The items, or none.</summary>
    public IReadOnlyList<ApplicationKeyConfig> Read(YamlSection drill)
    {
        List<ApplicationKeyConfig> keys = [];
        foreach ((YamlNode node, string path) in drill.Items("application_keys"))
        {
            if (node is not YamlMappingNode mapping)
            {
                drill.Error(
                    "application_keys",
                    "each key is a mapping.",
                    "Write - { service: hydra, database: ciam_hydra, secret_file: /run/secrets/ciam_hydra_system }."
                );
                continue;
            }

            var section = new YamlSection(mapping, path, errors);
            ApplicationKeyConfig key = ReadKey(section);
            if (keys.Any(k => (k.Service, k.Database, k.Table) == (key.Service, key.Database, key.Table)))
            {
                section.Error(
                    "service",
                    $"{key.Service} in {key.Database} is named twice.",
                    "Write all its secrets into one secret_file, one a line, the present one first."
                );
            }

            keys.Add(key);
        }

        return keys;
    }

    private static ApplicationKeyConfig ReadKey(YamlSection section)
    {
        string service = section.RequiredText("service", "Write hydra, kratos or settings.");
        if (service is not ("" or "hydra" or "kratos" or "settings"))
        {
            section.Error("service", $"\"{service}\" is not known.", "Write hydra, kratos or settings.");
        }

        string database = section.RequiredText("database", "Write the database's name.");
        string? algorithm = section.Text("algorithm");
        if (algorithm is not null && service != "kratos")
        {
            section.Error("algorithm", "only Kratos has several.", "Leave it out.");
        }
        else if (algorithm is not (null or "aes" or "xchacha20-poly1305" or "noop"))
        {
            section.Error(
                "algorithm",
                $"\"{algorithm}\" is not known.",
                "Write what ciphers.algorithm in kratos.yml says: aes, xchacha20-poly1305 or noop."
            );
        }

        string? table = section.Text("table");
        if (service == "settings" && string.IsNullOrEmpty(table))
        {
            section.Error("table", "it is missing.", "Write the table's name, for instance ciam_settings.");
        }
        else if (table is not null && service != "settings")
        {
            section.Error("table", "only settings have a choice of tables.", "Leave it out.");
        }

        string? file =
            algorithm == "noop"
                ? section.Text("secret_file")
                : section.RequiredText(
                    "secret_file",
                    "Write the path of a file (mode 0600) with nothing but the service's secrets in it, one a line."
                );
        if (file is not null && file.StartsWith('~'))
        {
            section.Error("secret_file", "~ is only known to shells.", "Write the whole path, or ${HOME}/...");
        }

        section.RejectUnknown();
        return new ApplicationKeyConfig
        {
            Service = service,
            Database = database,
            Table = table,
            SecretFile = file,
            Algorithm = algorithm ?? "aes",
        };
    }
}
