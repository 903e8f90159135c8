using PgBackup.Archives;
using YamlDotNet.RepresentationModel;

namespace PgBackup.Configuration;

/// <summary>Reads <c>losses:</c>.</summary>
internal sealed class LossReader(List<ConfigError> errors)
{
    private const string Form = "Write DATABASE.SCHEMA.TABLE, for instance olympus.public.jobs.";

    /// <summary>Reads the section; each name must be of a database of the config.</summary>
    public LossConfig Read(YamlSection? section, IReadOnlyList<DatabaseConfig> databases)
    {
        if (section is null)
        {
            return new LossConfig();
        }

        IReadOnlyList<string> ephemeral = Tables(section, "ephemeral", section.Items("ephemeral"), databases);
        IReadOnlyList<string> durable = Tables(section, "durable", section.Items("durable"), databases);
        foreach (string both in ephemeral.Intersect(durable, StringComparer.Ordinal))
        {
            section.Error("durable", $"{both} is in both lists.", "Write it in one.");
        }

        section.RejectUnknown();
        return new LossConfig { Ephemeral = ephemeral, Durable = durable };
    }

    private List<string> Tables(
        YamlSection section,
        string key,
        IReadOnlyList<(YamlNode Node, string Path)> items,
        IReadOnlyList<DatabaseConfig> databases
    )
    {
        List<string> tables = [];
        foreach ((YamlNode node, string path) in items)
        {
            if (section.Scalar(node, key) is not { } text)
            {
                continue; // an error already
            }

            // A database's name may have a dot in it: those of the config are known.
            string? database = databases
                .Select(static d => d.Name)
                .Where(d => text.StartsWith(d + ".", StringComparison.Ordinal))
                .MaxBy(static d => d.Length);
            if (database is null)
            {
                Add(node, path, $"\"{text}\" does not begin with a database of this config.", Form);
            }
            else if (TableName.Typed(text[(database.Length + 1)..]) is not ({ } schema, { } name))
            {
                Add(node, path, $"\"{text}\" does not name a schema and a table.", Form);
            }
            else
            {
                tables.Add($"{database}.{new TableName(schema, name)}");
            }
        }

        return tables;
    }

    private void Add(YamlNode node, string path, string what, string remedy) =>
        errors.Add(
            new ConfigError
            {
                Line = node.Start.Line,
                Key = path,
                What = what,
                Remedy = remedy,
            }
        );
}
