using System.Text.RegularExpressions;
using PgBackup.Configuration;
using PgBackup.Installations;
using PgBackup.Operations;
using PgBackup.Operations.Backup;
using PgBackup.Operations.Doctor;

namespace PgBackup.IntegrationTests.Environments;

/// <summary>What a doctor says of a real server, and whether the statements that it prints mend it.</summary>
public sealed partial class DoctorTests
{
    private const string Role = "Night reader";

    [Fact]
    public async Task What_a_role_may_not_read_is_named_and_mended_by_the_statements_as_they_are_printed()
    {
        await using PostgresContainer server = await PostgresContainer.StartAsync("doctor");
        await server.SqlAsync("postgres", $"CREATE DATABASE shop; CREATE ROLE \"{Role}\" LOGIN; CREATE ROLE owner");
        await server.SqlAsync(
            "shop",
            $$""""
            CREATE TABLE plain (n int); CREATE TABLE "It's ""odd""" (n int); CREATE SEQUENCE s; CREATE SEQUENCE "S 2";
            CREATE SCHEMA "Closed"; CREATE TABLE "Closed".t (n serial);
            CREATE VIEW v AS SELECT 1 AS n; CREATE MATERIALIZED VIEW m AS SELECT 1 AS n; CREATE UNLOGGED TABLE u (n int);
            CREATE TABLE parts (n int) PARTITION BY LIST (n); CREATE TABLE part PARTITION OF parts DEFAULT;
            CREATE TABLE hidden (n int); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; GRANT SELECT ON hidden TO "{{Role}}";
            SELECT lo_create(900001); SELECT lo_create(900002); GRANT SELECT ON LARGE OBJECT 900001 TO PUBLIC
            """"
        );
        using Workspace night = Workspace.ForContainer(server.Name, "none", ["shop"], user: $"\"{Role}\"");
        (await DumpAsync(server)).ExitCode.ShouldNotBe(0);

        DoctorReport broken = await ExamineAsync(night);

        broken
            .Findings.Where(static f => f.Severity == Severity.Error)
            .Select(static f => (f.Code, f.What))
            .ShouldBe([
                (
                    ErrorCode.TableUnreadable,
                    $"shop: {Role} may not read 6 tables: \"Closed\".t, public.\"It's \"\"odd\"\"\", public.part, public.parts, public.plain, public.u"
                ),
                (ErrorCode.SequenceUnreadable, $"shop: {Role} may not read 3 sequences: \"Closed\".t_n_seq, public.\"S 2\", public.s"),
                (ErrorCode.LargeObjectUnreadable, $"shop: {Role} may not read 1 large object: 900002"),
                (ErrorCode.RowsHidden, $"shop: row-level security hides rows from {Role} in 1 table: public.hidden"),
            ]);
        await MendAsync(server, broken);
        DoctorReport mended = await ExamineAsync(night);
        mended.Findings.Where(static f => f.Severity > Severity.Note).Select(static f => f.Line).ShouldBeEmpty();
        mended.Looked.ShouldContain(static l => l.What == $"shop: {Role} may read 7 tables, 3 sequences and 2 large objects");
        (await DumpAsync(server)).ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task Many_objects_are_granted_by_a_few_statements_and_settings_and_rights_are_taken_back_by_theirs()
    {
        await using PostgresContainer server = await PostgresContainer.StartAsync("doctor-many");
        await server.SqlAsync(
            "postgres",
            $"CREATE DATABASE shop; CREATE DATABASE \"Left out\"; CREATE ROLE \"{Role}\" LOGIN; ALTER ROLE \"{Role}\" SET zero_damaged_pages = on;"
                + $"ALTER ROLE \"{Role}\" IN DATABASE shop SET client_encoding = 'LATIN1'; REVOKE CONNECT ON DATABASE shop FROM PUBLIC"
        );
        await server.SqlAsync(
            "shop",
            "DO $$ BEGIN FOR i IN 1..50 LOOP EXECUTE format('CREATE TABLE t%s (n serial)', i); PERFORM lo_create(0); END LOOP; END $$"
        );
        using Workspace night = Workspace.ForContainer(server.Name, "none", ["shop"], user: $"\"{Role}\"");

        DoctorReport closed = await ExamineAsync(night);
        closed.Findings.Single().Fix.ShouldBe($"As its owner or a superuser: GRANT CONNECT ON DATABASE shop TO \"{Role}\";");
        await MendAsync(server, closed);

        DoctorReport broken = await ExamineAsync(night);
        broken
            .Findings.Where(static f => f.Severity == Severity.Error)
            .Select(static f => f.Code)
            .ShouldBe([ErrorCode.TableUnreadable, ErrorCode.SequenceUnreadable, ErrorCode.LargeObjectUnreadable]);
        broken.Findings.ShouldContain(static f => f.Code == ErrorCode.DatabaseUncovered && f.Subject == "Left out");
        broken.Findings.ShouldContain(static f => f.Code == ErrorCode.SettingBites && f.Severity == Severity.Warning && f.Subject == Role);
        broken.Findings.ShouldContain(static f => f.Severity == Severity.Note && f.What.Contains("client_encoding=LATIN1"));
        await MendAsync(server, broken);
        (await ExamineAsync(night)).Findings.Where(static f => f.Severity > Severity.Note).Select(static f => f.Line).ShouldBeEmpty();
        (await DumpAsync(server)).ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task What_an_extension_owns_is_left_out_but_for_its_configuration_as_pg_dump_leaves_it_out()
    {
        await using PostgresContainer server = await PostgresContainer.StartAsync("doctor-extension");
        (
            await server.ExecAsync(
                "sh",
                "-c",
                """
                cd /usr/share/postgresql/17/extension && printf "comment = 'x'\ndefault_version = '1.0'\n" >own.control &&
                echo "CREATE TABLE own_plain (n int); CREATE TABLE own_config (n int); CREATE SEQUENCE own_s;
                SELECT pg_extension_config_dump('own_config', '');" >own--1.0.sql
                """
            )
        ).ExitCode.ShouldBe(0);
        await server.SqlAsync("postgres", $"CREATE DATABASE shop; CREATE ROLE \"{Role}\" LOGIN");
        await server.SqlAsync("shop", "CREATE EXTENSION own");
        using Workspace night = Workspace.ForContainer(server.Name, "none", ["shop"], user: $"\"{Role}\"");

        DoctorReport broken = await ExamineAsync(night);

        broken
            .Findings.Single(static f => f.Severity == Severity.Error)
            .What.ShouldBe($"shop: {Role} may not read 1 table: public.own_config");
        (await DumpAsync(server)).ExitCode.ShouldNotBe(0);
        await MendAsync(server, broken);
        (await DumpAsync(server)).ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task A_server_for_drills_must_let_the_role_make_databases_and_have_none_of_the_snapshots()
    {
        await using PostgresContainer server = await PostgresContainer.StartAsync("doctor-drill");
        await server.SqlAsync("postgres", "CREATE DATABASE shop; CREATE ROLE weak LOGIN PASSWORD 'weak'");
        using Workspace night = Workspace.ForContainer(server.Name, "none", ["shop"]);
        await night.BackupAsync();
        string password = Path.Combine(night.Folder, "password");
        await File.WriteAllTextAsync(password, "weak", TestContext.Current.CancellationToken);
        night.Configure(
            $"{night.Config()}\ndrill: {{ image: \"{Surroundings.Image}\", scratch: {{ url: \"postgres://weak@127.0.0.1:{server.Port}/\", "
                + $"password_file: {password} }} }}\n"
        );

        DoctorReport broken = await ExamineAsync(night, DoctorArea.Drill);

        broken.Findings.Select(static f => f.Code).ShouldBe([ErrorCode.DrillTargetLimited, ErrorCode.TargetNotEmpty]);
        await MendAsync(server, broken);
        (await ExamineAsync(night, DoctorArea.Drill)).Findings.Select(static f => f.Code).ShouldBe([ErrorCode.TargetNotEmpty]);
    }

    [Fact]
    public async Task A_healthy_installation_takes_less_than_ten_seconds_and_its_report_is_a_checklist()
    {
        await using PostgresContainer server = await PostgresContainer.StartAsync("doctor-healthy");
        await server.SqlAsync("postgres", "CREATE DATABASE shop; CREATE DATABASE iam");
        await server.SqlAsync("shop", "CREATE TABLE t AS SELECT 1 AS n");
        await using Keys keys = await Keys.MakeAsync();
        string other = (await Shell.ReadAsync("age-keygen", ["-y", keys.OtherAgeIdentity])).Trim();
        using Workspace night = Workspace.ForContainer(
            server.Name,
            $"{{ age: {{ recipients: [{keys.AgeRecipient}, {other}] }} }}",
            ["shop", "iam"]
        );
        string store = $"/dev/shm/opw-{Guid.NewGuid():N}"; // another disk than the server's
        try
        {
            night.UseStore(store);
            night.Configure(
                $"{night.Config()}\ndrill: {{ image: \"{Surroundings.Image}\", identity_file: {keys.AgeIdentity} }}\nnotify: [{{ command: [/bin/true] }}]\n"
            );
            await night.BackupAsync();
            await night.RunAsync(0, "keys", "test", "--identity", keys.AgeIdentity);
            await night.RunAsync(0, "keys", "test", "--identity", keys.OtherAgeIdentity);

            Outcome outcome = await night.RunAsync(0, "doctor");

            // A dead man's switch is somebody else's server.
            outcome
                .Output.Split('\n')
                .Where(static l => l.Contains("WARNING: ", StringComparison.Ordinal))
                .ShouldHaveSingleItem()
                .ShouldContain("PGB-0222");
            outcome.Output.ShouldContain("  ok: shop: postgres may read 1 table, 0 sequences and 0 large objects\n");
            outcome.Output.ShouldContain("  ok: the stores are on another disk than the server\n");
            outcome.Output.ShouldContain("  ok: the private key of the config decrypts ");
            double.Parse(Seconds().Match(outcome.Output).Groups[1].Value).ShouldBeLessThan(10);
            (await night.RunAsync(0, "doctor", "--json")).Output.ShouldContain("\"is_healthy\": true");
            Directory.Exists(Path.Combine(store, "doctor-probe")).ShouldBeFalse();
        }
        finally
        {
            Directory.Delete(store, recursive: true);
        }
    }

    [Fact]
    public async Task A_run_notices_that_its_clock_is_not_that_of_the_server_and_that_others_may_change_the_keyring()
    {
        await using PostgresContainer server = await PostgresContainer.StartAsync("doctor-run");
        await server.SqlAsync("postgres", "CREATE DATABASE shop");
        await using Keys keys = await Keys.MakeAsync();
        using Workspace night = Workspace.ForContainer(server.Name, Workspace.Gpg(keys, Keys.Ops), ["shop"]);
        string keyring = Path.Combine(keys.PublicHome, "pubring.kbx");
        File.SetUnixFileMode(keyring, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherWrite);
        BackupConfig config = ConfigReader.ReadForBackup(night.ConfigFile, TestContext.Current.CancellationToken);

        RunReport report = await new Installation(config, new FastClock())
            .Run(new Progress())
            .RunAsync(new RunRequest(), TestContext.Current.CancellationToken);

        Finding clock = report.Findings.Single(static f => f.Code == ErrorCode.ClockOff);
        (clock.Severity, clock.What).ShouldBe(
            (Severity.Error, $"the clock of the server in the container {server.Name} is 20 min behind this host's")
        );
        report.Findings.Single(static f => f.Code == ErrorCode.UntrustedFile).Fix.ShouldBe($"chmod go-w {keyring}");
    }

    private static Task<Outcome> DumpAsync(PostgresContainer server) =>
        server.ExecAsync("pg_dump", "--username", Role, "--file", "/dev/null", "shop");

    private static Task<DoctorReport> ExamineAsync(Workspace night, params DoctorArea[] only)
    {
        BackupConfig config = ConfigReader.ReadForBackup(night.ConfigFile, TestContext.Current.CancellationToken);
        return new Installation(config, TimeProvider.System)
            .Doctor()
            .RunAsync(only.Length == 0 ? [DoctorArea.Source] : only, TestContext.Current.CancellationToken);
    }

    // What a person would copy: but for the short way, which would hide whether the others are right.
    private static async Task MendAsync(PostgresContainer server, DoctorReport report)
    {
        foreach (Finding finding in report.Findings.Where(static f => f.Severity > Severity.Note))
        {
            foreach (Match statement in Statement().Matches(finding.Fix ?? ""))
            {
                if (!statement.Value.Contains("pg_read_all_data", StringComparison.Ordinal))
                {
                    await server.SqlAsync(
                        statement.Value.StartsWith("DROP", StringComparison.Ordinal) ? "postgres" : "shop",
                        statement.Value
                    );
                }
            }
        }
    }

    private sealed class FastClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddMinutes(20);
    }

    [GeneratedRegex(@"DO \$\$.*\$\$;|(GRANT|ALTER|DROP) [^;]*;")]
    private static partial Regex Statement();

    [GeneratedRegex(@"examined in ([0-9.]+) s")]
    private static partial Regex Seconds();
}
