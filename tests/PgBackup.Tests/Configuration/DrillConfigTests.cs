using PgBackup.Configuration;
using static PgBackup.Tests.Configuration.ConfigText;

namespace PgBackup.Tests.Configuration;

public sealed class DrillConfigTests
{
    private const string StoresAlone = "cluster: olympus\nstores: [{ name: local, path: /backups }]\n";

    [Fact]
    public void Without_a_section_podman_half_an_hour_and_26_hours_are_meant()
    {
        DrillConfig drill = ConfigReader.ParseForBackup(Right, "x").Drill;

        (drill.Scratch, drill.Image, drill.Target, drill.IdentityFile).ShouldBe(("podman", null, null, null));
        (drill.Rto, drill.Redeploy, drill.Rpo).ShouldBe((TimeSpan.FromMinutes(30), TimeSpan.FromMinutes(30), TimeSpan.FromHours(26)));
        drill.Checks.ShouldBeEmpty();
        (drill.BuiltinChecks, drill.CheckTimeout, drill.SkipChecks.Count, drill.ApplicationKeys.Count).ShouldBe(
            (true, TimeSpan.FromMinutes(5), 0, 0)
        );
    }

    [Fact]
    public void Every_key_is_read()
    {
        DrillConfig drill = Read(
            """
              rto: 20m
              redeploy: 1h
              rpo: 2d
              scratch: docker
              image: "postgres:17"
              identity_file: /keys/drill
              passphrase_file: /keys/phrase
              checks:
                - { name: people, database: ciam_kratos, sql: SELECT count(*) FROM identities, expect: "> 0" }
                - { database: olympus, sql: SELECT 1, expect: 1 }
            """
        );

        (drill.Rto, drill.Redeploy, drill.Rpo).ShouldBe((TimeSpan.FromMinutes(20), TimeSpan.FromHours(1), TimeSpan.FromDays(2)));
        (drill.Scratch, drill.Image, drill.IdentityFile, drill.PassphraseFile).ShouldBe(
            ("docker", "postgres:17", "/keys/drill", "/keys/phrase")
        );
        drill
            .Checks.Select(static c => $"{c.Name}|{c.Database}|{c.Sql}|{c.Expect.Text}")
            .ShouldBe(["people|ciam_kratos|SELECT count(*) FROM identities|> 0", "SELECT 1|olympus|SELECT 1|1"]);
    }

    [Fact]
    public void Built_in_checks_can_be_left_out_and_every_check_has_a_limit_of_its_own_or_the_common_one()
    {
        DrillConfig drill = Read(
            """
              builtin_checks: false
              skip_checks: ["there are identities", "schema version"]
              check_timeout: 30s
              checks:
                - { database: a, sql: x, expect: rows }
                - { database: a, sql: y, expect: rows, timeout: 2h }
            """
        );

        drill.BuiltinChecks.ShouldBeFalse();
        drill.SkipChecks.ShouldBe(["there are identities", "schema version"]);
        drill.CheckTimeout.ShouldBe(TimeSpan.FromSeconds(30));
        drill.Checks.Select(static c => c.Timeout).ShouldBe([TimeSpan.FromSeconds(30), TimeSpan.FromHours(2)]);
    }

    [Fact]
    public void The_keys_of_the_applications_are_named_by_their_files_which_need_not_be_on_this_host()
    {
        DrillConfig drill = Read(
            """
              application_keys:
                - { service: hydra, database: ciam_hydra, secret_file: /run/secrets/hydra }
                - { service: kratos, database: ciam_kratos, secret_file: /run/secrets/kratos, algorithm: xchacha20-poly1305 }
                - { service: kratos, database: iam_kratos, algorithm: noop }
                - { service: settings, database: olympus, table: ciam_settings, secret_file: /run/secrets/settings }
                - { service: settings, database: olympus, table: iam_settings, secret_file: /run/secrets/settings }
            """
        );

        drill
            .ApplicationKeys.Select(static k => $"{k.Service}|{k.Database}|{k.Table}|{k.SecretFile}|{k.Algorithm}")
            .ShouldBe([
                "hydra|ciam_hydra||/run/secrets/hydra|aes",
                "kratos|ciam_kratos||/run/secrets/kratos|xchacha20-poly1305",
                "kratos|iam_kratos|||noop",
                "settings|olympus|ciam_settings|/run/secrets/settings|aes",
                "settings|olympus|iam_settings|/run/secrets/settings|aes",
            ]);
    }

    [Fact]
    public void A_server_to_rehearse_in_has_its_password_in_a_file()
    {
        DrillConfig drill = Read(
            "  scratch: { url: \"postgres://postgres@localhost/\", password_file: /run/secrets/p }\n  image: \"postgres:17\""
        );

        (drill.Scratch, drill.Target!.Host, drill.TargetPasswordFile, drill.Image).ShouldBe(
            (null, "localhost", "/run/secrets/p", "postgres:17")
        );
    }

    [Theory]
    [InlineData("rto: soon", "line 4: drill.rto: \"soon\" is not a length of time. Write a number with s, m, h, d or w")]
    [InlineData("rpo: 26", "line 4: drill.rpo: \"26\" is not a length of time.")]
    [InlineData("redeploi: 1h", "line 4: drill.redeploi: there is no such key. Did you mean redeploy?")]
    [InlineData(
        "scratch: kubernetes",
        "line 4: drill.scratch: \"kubernetes\" is not allowed. Write podman, docker, host, or { url: postgres://... }"
    )]
    [InlineData("scratch: [podman]", "line 4: drill.scratch: keys and values are expected here, not a list.")]
    [InlineData("scratch: { ulr: x }", "line 4: drill.scratch.ulr: there is no such key. Did you mean url?")]
    [InlineData("scratch: { image: x }", "line 4: drill.scratch.url: it is missing. Write postgres://role@host/?sslmode=verify-full")]
    [InlineData(
        "scratch: { url: \"postgres://r@db/\" }",
        "line 4: drill.scratch.url: db is another machine, and the connection would use no sslmode"
    )]
    [InlineData(
        "scratch: { url: \"postgres://r@ep-x-pooler.neon.tech/?sslmode=verify-full\" }",
        "line 4: drill.scratch.url: the host ep-x-pooler.neon.tech is a connection pooler"
    )]
    [InlineData("scratch: host\n  image: x", "line 5: drill.image: scratch: host uses the server of this host. Leave it out.")]
    [InlineData("checks: x", "line 4: drill.checks: a list is expected here, not \"x\".")]
    [InlineData("checks: [x]", "line 4: drill.checks: each check is a mapping. Write - { database: ciam_kratos, sql:")]
    [InlineData("checks:\n    - { sql: x, expect: rows }", "line 5: drill.checks[0].database: it is missing. Write the database's name.")]
    [InlineData(
        "checks:\n    - { database: x, expect: rows }",
        "line 5: drill.checks[0].sql: it is missing. Write a query whose first value counts."
    )]
    [InlineData(
        "checks:\n    - { database: x, sql: y }",
        "line 5: drill.checks[0].expect: it is missing. Write the value, a comparison such as \"> 0\", or rows."
    )]
    [InlineData(
        "checks:\n    - { database: x, sql: y, expect: \"> many\" }",
        "line 5: drill.checks[0].expect: \"> many\" is not an expectation. Write the value, a comparison with a number"
    )]
    [InlineData(
        "checks:\n    - { database: x, sql: y, expects: rows }",
        "line 5: drill.checks[0].expects: there is no such key. Did you mean expect?"
    )]
    [InlineData("builtin_checks: no", "line 4: drill.builtin_checks: \"no\" is neither true nor false.")]
    [InlineData("skip_checks: x", "line 4: drill.skip_checks: a list is expected here, not \"x\".")]
    [InlineData("check_timeout: 0s", "line 4: drill.check_timeout: it is out of bounds. Write something from 1s to 24d.")]
    [InlineData("check_timeout: 4w", "line 4: drill.check_timeout: it is out of bounds.")]
    [InlineData(
        "checks:\n    - { database: x, sql: y, expect: rows, timeout: 5 }",
        "line 5: drill.checks[0].timeout: \"5\" is not a length of time."
    )]
    [InlineData("application_keys: x", "line 4: drill.application_keys: a list is expected here, not \"x\".")]
    [InlineData("application_keys: [x]", "line 4: drill.application_keys: each key is a mapping. Write - { service: hydra,")]
    [InlineData(
        "application_keys:\n    - { database: x, secret_file: /y }",
        "line 5: drill.application_keys[0].service: it is missing. Write hydra, kratos or settings."
    )]
    [InlineData(
        "application_keys:\n    - { service: keto, database: x, secret_file: /y }",
        "line 5: drill.application_keys[0].service: \"keto\" is not known. Write hydra, kratos or settings."
    )]
    [InlineData(
        "application_keys:\n    - { service: hydra, secret_file: /y }",
        "line 5: drill.application_keys[0].database: it is missing."
    )]
    [InlineData(
        "application_keys:\n    - { service: hydra, database: x }",
        "line 5: drill.application_keys[0].secret_file: it is missing. Write the path of a file (mode 0600)"
    )]
    [InlineData(
        "application_keys:\n    - { service: hydra, database: x, secret_file: ~/y }",
        "line 5: drill.application_keys[0].secret_file: ~ is only known to shells."
    )]
    [InlineData(
        "application_keys:\n    - { service: hydra, database: x, secret: abc }",
        "line 5: drill.application_keys[0].secret: there is no such key."
    )]
    [InlineData(
        "application_keys:\n    - { service: hydra, database: x, secret_file: /y, table: z }",
        "line 5: drill.application_keys[0].table: only settings have a choice of tables. Leave it out."
    )]
    [InlineData(
        "application_keys:\n    - { service: hydra, database: x, secret_file: /y, algorithm: aes }",
        "line 5: drill.application_keys[0].algorithm: only Kratos has several."
    )]
    [InlineData(
        "application_keys:\n    - { service: kratos, database: x, secret_file: /y, algorithm: des }",
        "line 5: drill.application_keys[0].algorithm: \"des\" is not known. Write what ciphers.algorithm in kratos.yml says"
    )]
    [InlineData(
        "application_keys:\n    - { service: settings, database: x, secret_file: /y }",
        "line 5: drill.application_keys[0].table: it is missing. Write the table's name, for instance ciam_settings."
    )]
    [InlineData(
        "application_keys:\n    - { service: hydra, database: x, secret_file: /y }\n    - { service: hydra, database: x, secret_file: /z }",
        "line 6: drill.application_keys[1].service: hydra in x is named twice. Write all its secrets into one secret_file"
    )]
    public void An_error_says_where_it_is_and_what_to_write(string section, string error)
    {
        PgBackupException refused = Should.Throw<PgBackupException>(() => Read("  " + section));

        refused.Code.ShouldBe(ErrorCode.ConfigInvalid);
        refused.Message.ShouldContain(error);
    }

    [Fact]
    public void A_config_of_cluster_and_stores_is_enough_for_everything_but_a_backup()
    {
        BackupConfig config = ConfigReader.ParseStores(StoresAlone, "x");

        (config.Cluster, config.Stores.Count, config.Databases.Count).ShouldBe(("olympus", 1, 0));
        string message = Should.Throw<PgBackupException>(() => ConfigReader.ParseForBackup(StoresAlone, "x")).Message;
        foreach (string missing in (string[])["source: it is missing.", "databases: no database is named.", "encryption: it is missing."])
        {
            message.ShouldContain(missing);
        }
    }

    [Fact]
    public void A_password_file_of_another_host_is_an_error_for_a_backup_only()
    {
        string text = With(
            "podman: { container: olympus-postgres, user: backup }",
            "url: postgres://reader@localhost/\n  password_file: /nowhere/password"
        );

        ConfigReader.ParseStores(text, "x").Source.PasswordFile.ShouldBe("/nowhere/password");
        ErrorsOf(text).ShouldHaveSingleItem().ShouldContain("/nowhere/password does not exist");
    }

    [Fact]
    public void What_is_there_must_be_right_for_every_verb() =>
        Should
            .Throw<PgBackupException>(() =>
                ConfigReader.ParseStores(StoresAlone + "databases: [a, a]\nencryption: rot13\nsource: {}\n", "x")
            )
            .Message.Split('\n')
            .Length.ShouldBe(4);

    private static DrillConfig Read(string section) => ConfigReader.ParseStores($"{StoresAlone}drill:\n{section}\n", "x").Drill;
}
