using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Postgres;

namespace PgBackup.Operations.Doctor;

/// <summary>The files that decide what is done, and to whom is encrypted: nobody else may change them, and nobody else read the secrets
/// among them.</summary>
internal sealed class FilesExamination(BackupConfig config, DoctorHost host)
{
    private static readonly string[] Certificates = ["PGSSLROOTCERT", "PGSSLCERT", "PGSSLCRL"];

    private static readonly string[] Keys = ["PGSSLKEY", "PGPASSFILE"];

    /// <summary>Those that others may change. It asks the file system alone, and takes no noticeable time: a run does it too.</summary>
    public IReadOnlyList<Finding> Untrusted() =>
        [
            .. from file in All()
            let problem = TrustedFile.Problem(file.Path)
            where problem is not null
            select Finding.Error(
                ErrorCode.UntrustedFile,
                file.Path,
                $"the {file.What} {problem.Value.What}",
                "who changes it decides what is backed up, and who can decrypt it",
                problem.Value.Remedy
            ),
        ];

    /// <summary>Looks at all of it, and writes it down.</summary>
    public Task RunAsync(Sheet sheet)
    {
        List<(string Path, string What, bool IsSecret)> all = [.. All()];
        sheet.Add($"{Words.Count(all.Count, "file")}, the config among them: others may not change any", Untrusted());
        sheet.Add(
            $"{Words.Count(all.Count(static f => f.IsSecret), "secret")} in files: others may not read any",
            [
                .. all.Where(static f => f.IsSecret && TrustedFile.Warning(f.Path) is not null)
                    .Select(static f =>
                        Finding.Warning(
                            ErrorCode.SecretReadable,
                            f.Path,
                            $"every user of this host may read the {f.What} {f.Path}",
                            null,
                            $"chmod 600 {ShellText.Word(f.Path)}"
                        )
                    ),
            ]
        );
        return Task.CompletedTask;
    }

    private IEnumerable<(string Path, string What, bool IsSecret)> All() =>
        Named()
            .Where(static f => f.Path is { Length: > 0 })
            .Select(static f => (f.Path!, f.What, f.IsSecret))
            .DistinctBy(static f => f.Item1);

    private IEnumerable<(string? Path, string What, bool IsSecret)> Named()
    {
        yield return (config.File, "config file", false);
        yield return (host.Program, "program", false);
        foreach (string? secret in ConfigReader.SecretFiles(config))
        {
            yield return (secret, "secret file", true);
        }

        if (config.Encryption.Kind == EncryptionKind.Gpg)
        {
            string home =
                config.Encryption.HomeFolder
                ?? Environment.GetEnvironmentVariable("GNUPGHOME")
                ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".gnupg");
            // Of either version of gpg's keyring.
            yield return (Path.Combine(home, "pubring.kbx"), "keyring", false);
            yield return (Path.Combine(home, "pubring.gpg"), "keyring", false);
        }

        PgConnection?[] connections = [config.Source.Connection, config.Drill.Target, .. config.Databases.Select(static d => d.Connection)];
        foreach (PgConnection connection in connections.OfType<PgConnection>().Select(static c => c.WithSurroundings()))
        {
            foreach (string variable in Certificates)
            {
                yield return (connection.Settings.GetValueOrDefault(variable), "certificate file", false);
            }

            foreach (string variable in Keys)
            {
                yield return (connection.Settings.GetValueOrDefault(variable), "secret file", true);
            }
        }
    }
}
