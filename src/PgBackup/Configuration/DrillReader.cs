using PgBackup.Applications;
using PgBackup.Postgres;
using YamlDotNet.RepresentationModel;

namespace PgBackup.Configuration;

/// <summary>Reads <c>drill:</c>.</summary>
internal sealed class DrillReader(List<ConfigError> errors, Func<YamlSection, PgConnection?> readUrl)
{
    private static readonly DrillConfig Default = new();

    /// <summary>The section, or the defaults where there is none.</summary>
    /// <param name="root">The whole file.</param>
    /// <param name="maxAge">How old the newest snapshot may be where the section does not say it.</param>
    public DrillConfig Read(YamlSection root, TimeSpan maxAge)
    {
        if (root.Section("drill") is not { } section)
        {
            return Default with { Rpo = maxAge };
        }

        (string? scratch, PgConnection? target, string? passwordFile) = ReadScratch(section);
        TimeSpan timeout = ReadTimeout(section, "check_timeout", Default.CheckTimeout);
        var config = new DrillConfig
        {
            Rto = section.Span("rto", Default.Rto),
            Redeploy = section.Span("redeploy", Default.Redeploy),
            Rpo = section.Span("rpo", maxAge),
            Scratch = scratch,
            Target = target,
            TargetPasswordFile = passwordFile,
            Image = section.Text("image"),
            IdentityFile = section.Text("identity_file"),
            PassphraseFile = section.Text("passphrase_file"),
            Checks =
            [
                .. section.Items("checks").Select(item => ReadCheck(section, item.Node, item.Path, timeout)).OfType<DrillCheckConfig>(),
            ],
            BuiltinChecks = !section.Has("builtin_checks") || section.Flag("builtin_checks"),
            SkipChecks = section.Texts("skip_checks"),
            CheckTimeout = timeout,
            ApplicationKeys = new ApplicationKeyReader(errors).Read(section),
        };
        if (config.Image is not null && scratch == "host")
        {
            section.Error("image", "scratch: host uses the server of this host.", "Leave it out.");
        }

        section.RejectUnknown();
        return config;
    }

    private (string? Scratch, PgConnection? Target, string? PasswordFile) ReadScratch(YamlSection section)
    {
        if (!section.Has("scratch"))
        {
            return (Default.Scratch, null, null);
        }

        if (!section.IsText("scratch"))
        {
            if (section.Section("scratch") is not { } server)
            {
                return (null, null, null);
            }

            PgConnection? target = readUrl(server);
            string? passwordFile = server.Text("password_file");
            server.RejectUnknown();
            return (null, target, passwordFile);
        }

        string? word = section.Text("scratch");
        if (word is not ("podman" or "docker" or "host"))
        {
            section.Error(
                "scratch",
                $"\"{word}\" is not allowed.",
                "Write podman, docker, host, or { url: postgres://... } of a server to rehearse in."
            );
        }

        return (word, null, null);
    }

    private DrillCheckConfig? ReadCheck(YamlSection parent, YamlNode node, string path, TimeSpan timeout)
    {
        if (node is not YamlMappingNode mapping)
        {
            parent.Error(
                "checks",
                "each check is a mapping.",
                "Write - { database: ciam_kratos, sql: \"SELECT count(*) FROM identities\", expect: \"> 0\" }."
            );
            return null;
        }

        var section = new YamlSection(mapping, path, errors);
        string database = section.RequiredText("database", "Write the database's name.");
        string sql = section.RequiredText("sql", "Write a query whose first value counts.");
        string expect = section.RequiredText("expect", "Write the value, a comparison such as \"> 0\", or rows.");
        string name = section.Text("name") ?? sql;
        var expectation = Expectation.TryParse(expect);
        if (expect.Length > 0 && expectation is null)
        {
            section.Error(
                "expect",
                $"\"{expect}\" is not an expectation.",
                "Write the value, a comparison with a number such as \"> 0\", or rows."
            );
        }

        TimeSpan own = ReadTimeout(section, "timeout", timeout);
        section.RejectUnknown();
        return expectation is null
            ? null
            : new DrillCheckConfig
            {
                Name = name,
                Database = database,
                Sql = sql,
                Expect = expectation,
                Timeout = own,
            };
    }

    // To Postgres, 0 would be no limit, and it counts milliseconds in 31 bits.
    private static TimeSpan ReadTimeout(YamlSection section, string key, TimeSpan absent)
    {
        TimeSpan timeout = section.Span(key, absent);
        if (timeout > TimeSpan.Zero && timeout.TotalMilliseconds <= int.MaxValue)
        {
            return timeout;
        }

        section.Error(key, "it is out of bounds.", "Write something from 1s to 24d.");
        return absent;
    }
}
