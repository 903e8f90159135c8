using System.CommandLine;
using System.Text;
using PgBackup.App.Render;

namespace PgBackup.App.Verbs;

/// <summary><c>init</c>: a commented config.</summary>
internal static class InitVerb
{
    /// <summary>The commented example; what is not commented out is valid once the recipient exists.</summary>
    internal const string Template = """
        # olympus-pgbackup: what is backed up, how it is encrypted, where it is kept.
        # ${NAME} is replaced by the environment variable NAME. docs/configuration.md explains every key.

        cluster: olympus                          # the name of this cluster, written into every snapshot

        source:
          podman: { container: olympus-postgres, user: postgres }      # by `podman exec`; nothing needs to be published
          # docker: { container: olympus-postgres, user: postgres }    # the same with docker
          # url: postgres://reader@ep-x.eu-central-1.aws.neon.tech/?sslmode=verify-full   # Neon: the host WITHOUT -pooler
          # password_file: /run/secrets/reader    # the password of the role, alone in a file of mode 0600
          # tools: host                           # only client tools of this host; or: { image: "postgres:17" }
          # connect_retry: 60s                    # how long a sleeping compute is waited for
          # accept_weak_tls: true                 # allows a remote host with less than sslmode=verify-full

        databases: [ciam_kratos, ciam_hydra, iam_kratos, iam_hydra, olympus]

        dump:
          lock_timeout: 30s                       # how long a dump waits behind a migration before it gives up
          # compress: "zstd:1"                    # the default; gzip before Postgres 16
          # jobs: 5                               # databases dumped at the same time (default: all, at most 8)

        encryption:                               # only public keys here; the private ones stay off this host
          gpg: { recipients: [ops@example.com, escrow@example.com] }
          # age: { recipients: [age1...] }
        # encryption: none                        # clear text, if the disk itself is safe enough

        stores:                                   # the first one gets each snapshot, every other one a copy of it
          - name: local
            path: /backups
            keep: { all: 3d, daily: 14d, weekly: 90d, monthly: 12mo, yearly: forever }    # the default too; {} removes nothing
          # - { name: usb, path: /mnt/usb/backups, keep: { all: 7d, weekly: 12mo } }
          # - { name: offsite, s3: { bucket: olympus-backups, prefix: olympus, region: eu-central-1 } } # credentials: environment, ~/.aws
          # - { name: ceph, s3: { bucket: olympus-backups, endpoint: "https://s3.example.com" } }    # access_key_id, secret_access_key_file
          # - { name: b2, rclone: "b2:olympus-backups/olympus" }             # any remote of rclone; rclone_config names its file

        # max_age: 26h                            # older than that, the newest snapshot is TOO OLD in every report

        # losses: { ephemeral: ["olympus.public.jobs"], durable: [] }    # tables that may shrink, and tables that must not

        # neon: { project: wispy-wind-123456, api_key_file: /etc/olympus-pgbackup/neon.key, window: 7d }    # how far back Neon reaches

        # drill:                                  # how `olympus-pgbackup drill` rehearses a restore; on a host that has a private key
        #   rto: 30m                              # how long the whole restore may take
        #   redeploy: 30m                         # how long deploying everything else takes, for the sum in the report
        #   rpo: 26h                              # how old the newest snapshot may be (default: max_age)
        #   scratch: podman                       # or docker, host, { url: "postgres://postgres@rehearsal/?sslmode=verify-full" }
        #   identity_file: /keys/drill.key        # or --identity
        #   checks:                               # asked in addition to what is asked of every Kratos, Hydra and Olympus
        #     - { database: ciam_kratos, name: admins, sql: "SELECT count(*) FROM identities WHERE schema_id = 'admin'", expect: ">= 2" }
        #   application_keys:                     # proves that these decrypt what the services stored; one a line, the present one first
        #     - { service: hydra, database: ciam_hydra, secret_file: /run/secrets/ciam_hydra_system }
        #     - { service: kratos, database: ciam_kratos, secret_file: /run/secrets/ciam_kratos_cipher, algorithm: aes }
        #     - { service: settings, database: olympus, table: ciam_settings, secret_file: /run/secrets/ciam_encryption_key }

        """;

    /// <summary>The verb.</summary>
    public static Command Command()
    {
        var file = new Argument<string>("FILE")
        {
            Description = "Where to write it",
            DefaultValueFactory = static _ => "olympus-pgbackup.yaml",
        };
        var command = new VerbCommand("init", "Writes a config with comments to start from")
        {
            Examples = """
                olympus-pgbackup init
                olympus-pgbackup init /etc/olympus-pgbackup/config.yaml
                """,
            ExitCodes = """
                0  written
                2  the file exists, or cannot be written
                """,
        };
        command.Add(file);
        command.SetAction(
            async (parsed, cancel) =>
            {
                string path = parsed.GetValue(file)!;
                try
                {
                    await using var stream = new FileStream(
                        path,
                        new FileStreamOptions
                        {
                            Mode = FileMode.CreateNew,
                            Access = FileAccess.Write,
                            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                        }
                    );
                    await stream.WriteAsync(Encoding.UTF8.GetBytes(Template), cancel);
                }
                catch (IOException e) when (File.Exists(path))
                {
                    throw new PgBackupException(
                        ErrorCode.Usage,
                        $"{path} exists already.",
                        "Name another file, or remove that one first.",
                        e
                    );
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    throw new PgBackupException(ErrorCode.Usage, $"{path} cannot be written: {e.Message}", "Name another file.", e);
                }

                Terminal.Line(
                    $"Wrote {path}. Set source, recipients and stores in it; then "
                        + $"`olympus-pgbackup{(path == "olympus-pgbackup.yaml" ? "" : $" --config {path}")}` takes the first snapshot."
                );
                return 0;
            }
        );
        return command;
    }
}
