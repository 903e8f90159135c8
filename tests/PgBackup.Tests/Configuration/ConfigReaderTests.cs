using PgBackup.App.Verbs;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Retention;
using PgBackup.Storage.S3;
using static PgBackup.Tests.Configuration.ConfigText;

namespace PgBackup.Tests.Configuration;

public sealed class ConfigReaderTests
{
    [Fact]
    public void The_template_of_init_is_a_config_without_errors()
    {
        BackupConfig config = ConfigReader.ParseForBackup(InitVerb.Template, "olympus-pgbackup.yaml");

        config.Cluster.ShouldBe("olympus");
        config.Databases.Select(static d => d.Name).ShouldBe(["ciam_kratos", "ciam_hydra", "iam_kratos", "iam_hydra", "olympus"]);
        (config.Source.Engine, config.Source.Container, config.Source.Connection.User).ShouldBe(("podman", "olympus-postgres", "postgres"));
        config.Dump.LockTimeout.ShouldBe(TimeSpan.FromSeconds(30));
        config.Dump.Jobs.ShouldBe(5);
        (config.Encryption.Kind, config.Encryption.Recipients.Count).ShouldBe((EncryptionKind.Gpg, 2));
        config.Stores.ShouldBe([new StoreConfig { Name = "local", Path = "/backups" }]);
        config.Notices.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("\nrecords: {}\n", true)]
    [InlineData("\nrecords: { who: true }\n", true)]
    [InlineData("\nrecords: { who: false }\n", false)]
    public void Records_name_who_ran_the_program_unless_the_config_says_otherwise(string added, bool who) =>
        ConfigReader.ParseForBackup(Right + added, "test.yaml").RecordsNameWho.ShouldBe(who);

    [Fact]
    public void Records_know_no_other_key() =>
        ErrorsOf(Right + "\nrecords: { who: perhaps, whom: x }\n")
            .ShouldBe([
                "line 9: records.who: \"perhaps\" is neither true nor false. Write true or false.",
                "line 9: records.whom: there is no such key. Did you mean who?",
            ]);

    [Theory]
    [InlineData("          podman: {", "          # podman: {", "          # url:", "          url:")]
    [InlineData("          podman: {", "          # podman: {", "          # docker:", "          docker:")]
    [InlineData("          gpg: {", "          # gpg: {", "          # age: {", "          age: {")]
    [InlineData("          # compress:", "          compress:", "          # jobs:", "          jobs:")]
    [InlineData("          # - { name: usb", "          - { name: usb", "          # - { name: offsite", "          - { name: offsite")]
    [InlineData("          # compress:", "          compress:", "        # neon: {", "        neon: {")]
    [InlineData("          # - { name: ceph", "          - { name: ceph", "          # - { name: b2", "          - { name: b2")]
    public void What_the_template_offers_in_comments_is_right_too(string off, string on, string from, string to)
    {
        static string Plain(string text) => text["        ".Length..];
        string text = InitVerb.Template;
        text.ShouldContain(Plain(off));
        text.ShouldContain(Plain(from));

        Should.NotThrow(() =>
            ConfigReader.ParseForBackup(text.Replace(Plain(off), Plain(on)).Replace(Plain(from), Plain(to)), "olympus-pgbackup.yaml")
        );
    }

    [Fact]
    public void The_drill_that_the_template_offers_in_comments_is_right_too()
    {
        string[] parts = InitVerb.Template.Split("# drill:");
        string text = parts[0] + "drill:" + parts[1].Replace("\n#   ", "\n  ");

        DrillConfig drill = ConfigReader.ParseForBackup(text, "olympus-pgbackup.yaml").Drill;

        (drill.Scratch, drill.Rto, drill.IdentityFile).ShouldBe(("podman", TimeSpan.FromMinutes(30), "/keys/drill.key"));
        drill.Checks.ShouldHaveSingleItem().Expect.Text.ShouldBe(">= 2");
    }

    [Fact]
    public void Every_value_is_read()
    {
        using var folder = new TestFolder();
        string password = folder.Write("password", "secret\n");

        BackupConfig config = ConfigReader.ParseForBackup(
            $$"""
            cluster: olympus.eu-1
            source:
              url: postgres://reader@ep-x.eu-central-1.aws.neon.tech/?sslmode=verify-full
              password_file: {{password}}
              tools: { image: "postgres:17" }
              connect_retry: 5m
            databases:
              - ciam_kratos
              - { name: "My Db", url: "postgres://other@db2/?sslmode=verify-full", password_file: {{password}} }
            dump: { compress: "zstd:3", jobs: 2, lock_timeout: 90s, stall_timeout: 10m }
            encryption:
              gpg: { recipients: [ops@example.com], home: /keys/gpg, identity_file: /keys/secret, passphrase_file: /keys/pass }
            stores:
              - { name: local, path: /backups, keep: { all: 14d, yearly: forever } }
            schedule: { run: "0 3 * * *", time_zone: Europe/Berlin }
            """,
            "x.yaml"
        );

        config.File.ShouldBe("x.yaml");
        config.Cluster.ShouldBe("olympus.eu-1");
        (config.Source.Connection.Host, config.Source.PasswordFile, config.Source.ToolsImage, config.Source.ConnectRetry).ShouldBe(
            ("ep-x.eu-central-1.aws.neon.tech", password, "postgres:17", TimeSpan.FromMinutes(5))
        );
        (config.Databases[1].Name, config.Databases[1].Connection?.Host, config.Databases[1].PasswordFile).ShouldBe(
            ("My Db", "db2", password)
        );
        config.Dump.ShouldBe(
            new DumpConfig
            {
                Compression = "zstd:3",
                Jobs = 2,
                LockTimeout = TimeSpan.FromSeconds(90),
                StallTimeout = TimeSpan.FromMinutes(10),
            }
        );
        (config.Encryption.HomeFolder, config.Encryption.IdentityFile, config.Encryption.PassphraseFile).ShouldBe(
            ("/keys/gpg", "/keys/secret", "/keys/pass")
        );
        config.Stores[0].Keep.ToString().ShouldBe("all 14d, yearly forever");
        config.Schedule.ShouldNotBeNull().Jobs.Single().Arguments.ShouldBe(["run", "--quiet"]);
    }

    [Fact]
    public void What_tables_may_lose_is_read_without_quotes()
    {
        LossConfig losses = ConfigReader
            .ParseForBackup(
                Right
                    + "\n"
                    + """
                    losses:
                      ephemeral: [olympus.public.jobs, 'olympus."My.Schema"."T x"']
                      durable: [ciam_kratos.public.notes]

                    """,
                "x"
            )
            .Losses;

        losses.Ephemeral.ShouldBe(["olympus.public.jobs", "olympus.My.Schema.T x"]);
        losses.Durable.ShouldBe(["ciam_kratos.public.notes"]);
        ConfigReader.ParseForBackup(Right, "x").Losses.Ephemeral.ShouldBeEmpty();
    }

    [Fact]
    public void Stores_of_every_kind_are_read_with_their_rules()
    {
        using var folder = new TestFolder();
        string secret = folder.Write("secret", "s3cret\n");

        IReadOnlyList<StoreConfig> stores = ConfigReader
            .ParseForBackup(
                With(
                    "- { name: local, path: /backups }",
                    $$"""
                    - { name: local, path: /backups, keep: { all: 14d } }
                      - { name: offsite, rclone: "b2:olympus-backups", rclone_config: {{secret}} }
                      - name: s3
                        s3:
                          bucket: olympus-backups
                          prefix: /ciam/night/
                          region: eu-central-1
                          endpoint: https://s3.example.com:9000
                          access_key_id: AK
                          secret_access_key_file: {{secret}}
                          storage_class: STANDARD_IA
                          sse: "aws:kms"
                          kms_key: k1
                          object_lock: governance
                        keep: { all: 3d, daily: 14d, weekly: 90d, monthly: 12mo, yearly: forever }
                      - { name: aws, s3: { bucket: other } }
                    """
                ),
                "x"
            )
            .Stores;

        stores[0].Keep.ToString().ShouldBe("all 14d");
        (stores[1].Rclone, stores[1].RcloneConfig, stores[1].Keep).ShouldBe(("b2:olympus-backups", secret, RetentionRules.Default));
        stores[2]
            .S3.ShouldBe(
                new S3Settings
                {
                    Bucket = "olympus-backups",
                    Prefix = "ciam/night",
                    Region = "eu-central-1",
                    Endpoint = new Uri("https://s3.example.com:9000"),
                    PathStyle = true,
                    AccessKey = "AK",
                    SecretKey = "s3cret",
                    StorageClass = "STANDARD_IA",
                    Encryption = "aws:kms",
                    KmsKey = "k1",
                    ObjectLock = "GOVERNANCE",
                }
            );
        stores[2].Keep.ShouldBe(RetentionRules.Default);
        stores[3].S3.ShouldBe(new S3Settings { Bucket = "other" });
    }

    [Fact]
    public void What_is_left_out_has_its_default()
    {
        BackupConfig config = ConfigReader.ParseForBackup(Right, "x.yaml");

        config.Dump.ShouldBe(
            new DumpConfig
            {
                Compression = null,
                Jobs = 2,
                LockTimeout = TimeSpan.FromSeconds(30),
            }
        );
        config.Source.ConnectRetry.ShouldBe(TimeSpan.Zero);
        config.Source.HostToolsOnly.ShouldBeFalse();
        ConfigReader
            .ParseForBackup(With("podman: { container: olympus-postgres, user: backup }", "url: postgres://r@db/?sslmode=verify-full"), "x")
            .Source.ConnectRetry.ShouldBe(TimeSpan.FromSeconds(60));
        ConfigReader
            .ParseForBackup(With("podman: { container: olympus-postgres, user: backup }", "docker: olympus-postgres"), "x")
            .Source.Container.ShouldBe("olympus-postgres");
        ConfigReader
            .ParseForBackup(
                With("age: { recipients: [age1x, age1y], identity_file: /keys/age }", "").Replace("encryption:", "encryption: none"),
                "x"
            )
            .Encryption.Kind.ShouldBe(EncryptionKind.None);
    }

    [Fact]
    public void Variables_of_the_environment_are_put_in()
    {
        Environment.SetEnvironmentVariable("PGBT_CONTAINER", "pg-1");

        BackupConfig config = ConfigReader.ParseForBackup(With("user: backup", "user: \"x-${PGBT_CONTAINER}-$HOME\""), "x");

        config.Source.Connection.User.ShouldBe("x-pg-1-$HOME");
    }

    [Fact]
    public void A_password_in_a_url_is_taken_with_a_word_of_warning()
    {
        BackupConfig config = ConfigReader.ParseForBackup(
            With("podman: { container: olympus-postgres, user: backup }", "url: postgres://r:hunter2@localhost/"),
            "x"
        );

        config.Source.Connection.Settings["PGPASSWORD"].ShouldBe("hunter2");
        config.Notices.ShouldHaveSingleItem().ShouldBe("url: the password is in the config; password_file is safer.");
    }

    [Fact]
    public void A_named_file_that_is_missing_is_said_to_be()
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => ConfigReader.Find("/nowhere/config.yaml"));

        error.Code.ShouldBe(ErrorCode.ConfigMissing);
        error.ExitCode.ShouldBe(2);
        error.Message.ShouldBe("the config file /nowhere/config.yaml (from --config) does not exist.");
        error.Remedy.ShouldNotBeNull().ShouldContain("olympus-pgbackup init");
    }

    [Fact]
    public void A_named_folder_is_said_to_be_one()
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => ConfigReader.Find("/usr"));

        error.Code.ShouldBe(ErrorCode.ConfigMissing);
        error.Message.ShouldBe("the config file /usr (from --config) is a folder.");
        error.Remedy.ShouldBe("Name the file in it, for instance /usr/config.yaml.");
    }

    [Fact]
    public void A_file_that_cannot_be_read_is_said_to_be()
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => ConfigReader.ReadForBackup("/", Cancel));

        error.Code.ShouldBe(ErrorCode.ConfigInvalid);
        error.Message.ShouldStartWith("the config file / cannot be read: ");
    }
}
