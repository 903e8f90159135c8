using System.Runtime.CompilerServices;
using PgBackup.Encryption;
using PgBackup.Operations.Doctor;
using PgBackup.Tests.Encryption;
using PgBackup.Tools;

namespace PgBackup.Tests.Operations.Doctor;

/// <summary>
/// Installations in which one thing is broken, each named with its code, its subject and what mends it. What only a real server or bucket
/// shows is among the integration tests (<c>DoctorTests</c>, <c>DoctorStoreTests</c>).
/// </summary>
public sealed partial class BrokenInstallationsTests : IDisposable
{
    private readonly Practice practice = new();

    public void Dispose() => practice.Dispose();

    [Fact]
    public async Task A_healthy_installation_has_nothing_above_a_note()
    {
        await practice.HealthyAsync();

        DoctorReport report = await practice.ExamineAsync();

        report.Findings.Where(static f => f.Severity > Severity.Note).Lines().ShouldBeEmpty();
        report.Findings.Lines().ShouldHaveSingleItem().ShouldStartWith("PGB-0215: no store locks what it is given");
        report.IsHealthy.ShouldBeTrue();
        report.Looked.Sum(static l => l.Findings).ShouldBe(report.Findings.Count);
        report.Looked.Select(static l => l.Area).Distinct().ShouldBe(Enum.GetValues<DoctorArea>());
        report.Looked.Select(static l => l.What).ShouldContain("shop: reader may read 14 tables, 3 sequences and 2 large objects");
        practice.Local.Puts.Count(static k => k.StartsWith("doctor-probe/", StringComparison.Ordinal)).ShouldBe(1);
        Directory.Exists(practice.Folder["local/doctor-probe"]).ShouldBeFalse();
    }

    [Fact]
    public async Task No_tool()
    {
        practice.Engine.Without("version");

        (await FoundAsync(ErrorCode.ToolMissing, Severity.Error, "olympus-postgres")).Text.ShouldContain(
            "there is no pg_dump in the container olympus-postgres"
        );
    }

    [Fact]
    public async Task A_tool_of_another_major()
    {
        practice.Engine.Answer("version", "pg_dump (PostgreSQL) 16.4");

        (await FoundAsync(ErrorCode.ToolVersion, Severity.Error, "shop")).Fix.ShouldNotBeNull().ShouldContain("postgresql-client-17");
    }

    [Fact]
    public async Task A_client_minor_older_than_the_servers()
    {
        practice.Engine.Answer("version", "pg_dump (PostgreSQL) 17.9");

        Finding finding = await FoundAsync(ErrorCode.ClientOlder, Severity.Warning, "the server in the container olympus-postgres");
        finding.What.ShouldBe("pg_dump in the container olympus-postgres is 17.9, older than the server's 17.11");
        finding.Fix.ShouldNotBeNull().ShouldContain("apt-get install --only-upgrade postgresql-client-17");
    }

    [Fact]
    public async Task A_container_that_is_missing()
    {
        practice.Engine.Broken("Error: no such container olympus-postgres", exitCode: 125);

        (await FoundAsync(ErrorCode.ContainerUnavailable, Severity.Error, "olympus-postgres"))
            .Fix.ShouldNotBeNull()
            .ShouldContain("ps --all");
    }

    [Fact]
    public async Task A_container_that_is_paused()
    {
        practice.Engine.Broken("paused 12");

        (await FoundAsync(ErrorCode.ContainerUnavailable, Severity.Error, "olympus-postgres")).Fix.ShouldBe(
            $"Resume it: {practice.Engine.Program} unpause olympus-postgres"
        );
    }

    [Fact]
    public async Task A_server_on_another_port()
    {
        string words = "connection to server on socket \"/run/postgresql/.s.PGSQL.5432\" failed: No such file or directory";
        practice.Engine.Refuses("shop", words);
        practice.Engine.Refuses("iam", words);

        (await FoundAsync(ErrorCode.Connection, Severity.Error, "shop")).Fix.ShouldNotBeNull().ShouldContain("add its port");
    }

    [Fact]
    public async Task Another_user()
    {
        practice.Engine.Refuses("shop", "connection to server failed: FATAL:  role \"reader\" does not exist");

        (await FoundAsync(ErrorCode.Connection, Severity.Error, "shop")).Fix.ShouldNotBeNull().ShouldContain("user: ROLE");
    }

    [Fact]
    public async Task A_database_that_does_not_let_the_role_in()
    {
        practice.Engine.Refuses("shop", "FATAL:  permission denied for database \"shop\"");

        (await FoundAsync(ErrorCode.Connection, Severity.Error, "shop")).Fix.ShouldBe(
            "As its owner or a superuser: GRANT CONNECT ON DATABASE shop TO reader;"
        );
    }

    [Theory]
    [InlineData("table", ErrorCode.TableUnreadable, "GRANT SELECT ON TABLE public.\"Odd one\" TO reader;")]
    [InlineData("sequence", ErrorCode.SequenceUnreadable, "GRANT SELECT ON SEQUENCE public.\"Odd one\" TO reader;")]
    public async Task No_SELECT_on_a_table_or_a_sequence(string kind, ErrorCode code, string grant)
    {
        practice.Engine.Answer("relations", Row(kind, "\"Odd one\"", enters: true, reads: false));

        Finding finding = await FoundAsync(code, Severity.Error, "shop");
        finding.What.ShouldBe($"shop: reader may not read 1 {kind}: public.\"Odd one\"");
        finding.Fix.ShouldNotBeNull().ShouldContain(grant);
        finding.Fix.ShouldContain("GRANT pg_read_all_data TO reader;");
    }

    [Fact]
    public async Task No_SELECT_on_a_large_object()
    {
        practice.Engine.Answer("large", """{"objects":2,"unreadable":1,"ids":[900002],"role":"reader"}""");

        (await FoundAsync(ErrorCode.LargeObjectUnreadable, Severity.Error, "shop"))
            .Fix.ShouldNotBeNull()
            .ShouldContain("GRANT SELECT ON LARGE OBJECT 900002 TO reader;");
    }

    [Fact]
    public async Task Row_level_security()
    {
        practice.Engine.Answer("relations", Row("table", "t", enters: true, reads: true, hides: true));

        (await FoundAsync(ErrorCode.RowsHidden, Severity.Error, "shop")).Fix.ShouldBe("As a superuser: ALTER ROLE reader BYPASSRLS;");
    }

    [Fact]
    public async Task A_role_that_is_read_only_by_its_settings()
    {
        practice.Engine.Answer("settings", """{"settings":{},"own":["default_transaction_read_only=on"],"lockable":1}""");

        (await FoundAsync(ErrorCode.SettingBites, Severity.Note, "shop"))
            .Fix.ShouldNotBeNull()
            .ShouldContain("export PGOPTIONS='-c default_transaction_read_only=off'");
    }

    [Fact]
    public async Task Settings_that_bite()
    {
        practice.Engine.Answer(
            "settings",
            """{"settings":{"zero_damaged_pages":{"setting":"on","source":"user"}},"own":["client_encoding=LATIN1"],"lockable":1}"""
        );

        DoctorReport report = await practice.ExamineAsync(DoctorArea.Source);

        Finding damaged = report.Findings.Single(static f => f is { Code: ErrorCode.SettingBites, Severity: Severity.Warning });
        (damaged.Subject, damaged.Fix).ShouldBe(("reader", "As a superuser: ALTER ROLE reader RESET zero_damaged_pages;"));
        report.Findings.ShouldContain(static f => f.Severity == Severity.Note && f.What.Contains("client_encoding=LATIN1"));
    }

    [Fact]
    public async Task A_lock_table_that_is_too_small()
    {
        practice.Engine.Answer(
            "settings",
            """{"settings":{"max_locks_per_transaction":{"setting":"10","source":"default"},"max_connections":{"setting":"20","source":"default"}},"own":[],"lockable":500}"""
        );

        (await FoundAsync(ErrorCode.SettingBites, Severity.Warning, "the server in the container olympus-postgres"))
            .Fix.ShouldNotBeNull()
            .ShouldContain("ALTER SYSTEM SET max_locks_per_transaction = 100;");
    }

    [Fact]
    public async Task A_pooler()
    {
        practice.Engine.Refuses("shop", "FATAL:  unsupported startup parameter: options");

        (await FoundAsync(ErrorCode.Connection, Severity.Error, "shop"))
            .Fix.ShouldNotBeNull()
            .ShouldContain("the port of the server itself");
    }

    [Fact]
    public async Task Weak_TLS()
    {
        practice.UseSource("{ url: \"postgres://reader@db.example.invalid/?sslmode=require\", accept_weak_tls: true, tools: host }");

        Finding finding = await FoundAsync(ErrorCode.ConnectionRefusedByPolicy, Severity.Warning, "postgres://reader@db.example.invalid");
        finding.What.ShouldContain("sslmode=require");
        finding.Fix.ShouldNotBeNull().ShouldContain("?sslmode=verify-full&sslrootcert=system");
    }

    [Fact]
    public async Task A_database_that_no_config_names()
    {
        practice.Engine.ClockIs(practice.Clock.GetUtcNow(), "\"iam\",\"postgres\",\"shop\",\"New one\"");

        (await FoundAsync(ErrorCode.DatabaseUncovered, Severity.Warning, "New one"))
            .Fix.ShouldNotBeNull()
            .ShouldContain("DROP DATABASE \"New one\";");
    }

    [Fact]
    public async Task A_database_that_is_missing()
    {
        practice.Engine.Refuses("shop", "FATAL:  database \"shop\" does not exist");

        (await FoundAsync(ErrorCode.DatabaseMissing, Severity.Error, "shop")).Fix.ShouldNotBeNull().ShouldContain("`psql -l`");
    }

    [Fact]
    public async Task No_recipient_that_is_known()
    {
        practice.Unusable = new PgBackupException(
            ErrorCode.RecipientUnusable,
            "the gpg recipient \"ops\" cannot be used: gpg knows no such key.",
            "Import it: gpg --import KEYFILE."
        );

        (await FoundAsync(ErrorCode.RecipientUnusable, Severity.Error, "encryption")).Fix.ShouldBe("Import it: gpg --import KEYFILE");
    }

    [Fact]
    public async Task A_subkey_that_has_expired()
    {
        Directory.CreateDirectory(practice.Folder["home"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await GpgKeys.GpgAsync(
            practice.Folder["home"],
            [
                "--faked-system-time",
                "20200101T000000",
                "--passphrase",
                "",
                "--quick-generate-key",
                "old@example.com",
                "future-default",
                "default",
                "1y",
            ]
        );
        try
        {
            await using var cipher = new GpgCipher(["old@example.com"], practice.Folder["home"], null, practice.Clock);
            practice.Unusable = await Should.ThrowAsync<PgBackupException>(() => cipher.CheckAsync(Cancel));

            Finding finding = await FoundAsync(ErrorCode.RecipientUnusable, Severity.Error, "encryption");
            finding.What.ShouldContain("expired on 2020-12-31");
            finding.Fix.ShouldNotBeNull().ShouldContain("gpg --quick-set-expire");
        }
        finally
        {
            await ToolProcess.TryReadAsync(
                new ToolCommand("gpgconf", "--homedir", practice.Folder["home"], "--kill", "all"),
                CancellationToken.None
            );
        }
    }

    [Fact]
    public async Task One_recipient_alone()
    {
        practice.Recipients = [Practice.Key("ops")];

        (await FoundAsync(ErrorCode.OneRecipient, Severity.Warning, "ops@example.com"))
            .Fix.ShouldNotBeNull()
            .ShouldContain("second recipient");
    }

    [Fact]
    public async Task A_key_that_was_never_tested()
    {
        await practice.TestedAsync(Practice.Key("ops"), daysAgo: 10);

        (await FoundAsync(ErrorCode.KeyUntested, Severity.Warning, "escrow@example.com"))
            .Fix.ShouldNotBeNull()
            .ShouldContain("`olympus-pgbackup keys test --identity FILE`");
    }

    [Fact]
    public async Task An_image_that_is_absent()
    {
        await practice.HealthyAsync();
        practice.Engine.Answer("no-image", "");

        (await FoundAsync(ErrorCode.ImageMissing, Severity.Warning, "docker.io/library/postgres:17")).Fix.ShouldBe(
            $"{practice.Engine.Program} pull docker.io/library/postgres:17"
        );
    }

    [Fact]
    public async Task Memory_that_is_too_small_for_a_drill()
    {
        practice.Meminfo("200000");

        (await FoundAsync(ErrorCode.MemoryShort, Severity.Warning, "drill")).Fix.ShouldNotBeNull().ShouldContain("ps aux --sort=-rss");
    }

    [Fact]
    public async Task A_disk_that_is_too_small_for_a_drill()
    {
        await practice.HealthyAsync();
        practice.Host = practice.Host with { Free = path => path == practice.Folder["volumes"] ? 1000 : 100L << 30 };

        (await FoundAsync(ErrorCode.DiskShort, Severity.Error, "drill")).Fix.ShouldNotBeNull().ShouldContain("df -h");
    }

    [Fact]
    public async Task A_config_that_others_may_write()
    {
        File.SetUnixFileMode(
            practice.Folder["config.yaml"],
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite
        );

        Finding finding = await FoundAsync(ErrorCode.UntrustedFile, Severity.Error, practice.Folder["config.yaml"]);
        finding.Fix.ShouldBe($"chmod go-w {practice.Folder["config.yaml"]}");
    }

    [Fact]
    public async Task A_secret_that_everybody_may_read()
    {
        string file = practice.Folder.Write("password", "secret");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        practice.Config = practice.Config with { Source = practice.Config.Source with { PasswordFile = file } };

        (await FoundAsync(ErrorCode.SecretReadable, Severity.Warning, file)).Fix.ShouldBe($"chmod 600 {file}");
    }

    [Fact]
    public async Task A_server_that_hangs_is_a_finding()
    {
        practice.Engine.Answer("hangs", "");
        Task<DoctorReport> examining = practice.ExamineAsync(DoctorArea.Source, DoctorArea.Files);
        while (!examining.IsCompleted)
        {
            await Task.Delay(100, Cancel);
            practice.Clock.Advance(TimeSpan.FromSeconds(1));
        }

        (await examining).Findings.Single(static f => f.Code == ErrorCode.ExaminationLate).Subject.ShouldBe("olympus-postgres");
    }

    private async Task<Finding> FoundAsync(ErrorCode code, Severity severity, string subject, [CallerMemberName] string test = "")
    {
        DoctorReport report = await practice.ExamineAsync();
        report.Looked.Sum(static l => l.Findings).ShouldBe(report.Findings.Count);
        Finding? found = report.Findings.FirstOrDefault(f => f.Code == code && f.Severity == severity && f.Subject == subject);
        found.ShouldNotBeNull($"{test}:\n{string.Join('\n', report.Findings.Select(static f => $"{f.Severity} {f.Subject} {f.Line}"))}");
        report.IsHealthy.ShouldBe(report.Findings.All(static f => f.Severity != Severity.Error));
        return found;
    }

    private static string Row(string kind, string name, bool enters, bool reads, bool hides = false) =>
        $$"""{"kind":"{{kind}}","schema":"public","enters":{{Json(enters)}},"reads":{{Json(reads)}},"hides":{{Json(hides)}},"objects":1,"names":["public.{{name.Replace("\"", "\\\"")}}"],"role":"reader"}""";

    private static string Json(bool value) => value ? "true" : "false";
}
