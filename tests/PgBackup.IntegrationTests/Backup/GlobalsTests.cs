using System.Text.Json;

namespace PgBackup.IntegrationTests.Backup;

/// <summary>Two clusters that were made differently: other first superusers, other encodings of the database postgres.</summary>
public sealed class TwoClusters : IAsyncLifetime
{
    internal PostgresContainer Admins { get; private set; } = null!;

    internal PostgresContainer Plain { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Plain = await PostgresContainer.StartAsync("globals");
        await Plain.SqlAsync("postgres", "CREATE ROLE admin");
        Admins = await PostgresContainer.StartAsync(
            "globals-admin",
            "--env",
            "POSTGRES_USER=admin",
            "--env",
            "POSTGRES_DB=postgres",
            "--env",
            "POSTGRES_INITDB_ARGS=--encoding=LATIN1 --locale=C"
        );
        await Shell.ReadAsync(
            "podman",
            ["exec", Admins.Name, "psql", "-XqU", "admin", "-d", "postgres", "-c", "CREATE ROLE postgres SUPERUSER LOGIN"]
        );
        await Admins.SqlAsync("postgres", "CREATE DATABASE shop ENCODING UTF8 LOCALE 'C.UTF-8' TEMPLATE template0");
    }

    public async ValueTask DisposeAsync()
    {
        await (Admins?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (Plain?.DisposeAsync() ?? ValueTask.CompletedTask);
        GC.SuppressFinalize(this);
    }
}

/// <summary>Roles between clusters that differ in how they were made.</summary>
public sealed class GlobalsTests(TwoClusters clusters) : IClassFixture<TwoClusters>
{
    private const string Settings = "SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setrole = 0 AND setdatabase = 0 ORDER BY 1";

    private const string Memberships = """
        SELECT m.roleid::regrole, m.member::regrole, CASE m.grantor WHEN 10 THEN 'first' ELSE m.grantor::regrole::text END, m.admin_option
        FROM pg_auth_members m WHERE m.member::regrole::text IN ('ann', 'cy') ORDER BY m.roleid::regrole::text, m.member::regrole::text
        """;

    private static readonly string[] AllRoles =
    [
        "idle_in_transaction_session_timeout=5min",
        "my.own=it's \\ and\na line",
        "search_path=\"a b\", public",
    ];

    [Fact]
    public async Task Roles_come_back_from_a_cluster_of_another_first_superuser_and_encoding()
    {
        await clusters.Admins.SqlAsync(
            "postgres",
            """
            SET client_encoding = UTF8; CREATE ROLE "müller" VALID UNTIL '2030-01-01'; CREATE ROLE staff; CREATE ROLE ann LOGIN; CREATE ROLE cy;
            GRANT staff TO ann WITH ADMIN OPTION; GRANT pg_read_all_data TO ann; SET SESSION AUTHORIZATION ann; GRANT staff TO cy; RESET SESSION AUTHORIZATION;
            GRANT SET ON PARAMETER log_statement TO staff WITH GRANT OPTION; SET SESSION AUTHORIZATION staff; GRANT SET ON PARAMETER log_statement TO cy; RESET SESSION AUTHORIZATION;
            ALTER ROLE ALL SET idle_in_transaction_session_timeout = '5min'; ALTER ROLE ALL SET search_path = "a b", public;
            ALTER ROLE ALL SET my.own = E'it''s \\ and\na line'; COMMENT ON ROLE pg_monitor IS 'who watches'; ALTER ROLE admin SET client_encoding = 'LATIN1'; ALTER ROLE ann SET DateStyle = 'German'
            """
        );
        using var night = Workspace.ForContainer(clusters.Admins.Name, "none", ["shop"], user: "admin");
        night.Configure(night.Config() + $"\ndrill: {{ image: \"{Surroundings.Image}\" }}\n");
        string id = await night.BackupAsync();
        night.Manifest(id).BootstrapSuperuser.ShouldBe("admin");
        await clusters.Plain.SqlAsync(
            "postgres",
            "CREATE ROLE cy VALID UNTIL '2020-01-01'; ALTER ROLE cy SET work_mem = '1MB'; CREATE ROLE chiefs; GRANT chiefs TO cy; "
                + "ALTER ROLE ALL SET temp_buffers = '9MB'"
        );

        Outcome restore = await night.RunAsync(0, "restore", "-t", clusters.Plain.Target, "--globals");

        restore.Errors.ShouldContain("globals: restored and equal");
        restore.Errors.ShouldContain(
            "the target has, and keeps, what the snapshot has not: GRANT chiefs TO cy WITH INHERIT TRUE GRANTED BY postgres; ALTER "
                + "ROLE ALL SET \"temp_buffers\" TO '9MB';"
        );
        (await clusters.Plain.SqlAsync("postgres", Settings)).ShouldBe(string.Join('\n', [.. AllRoles, "temp_buffers=9MB\n"]));
        (
            await clusters.Plain.SqlAsync("postgres", $"{Memberships.Replace("ORDER", "AND m.roleid::regrole::text <> 'chiefs' ORDER")}")
        ).ShouldBe(await clusters.Admins.SqlAsync("postgres", Memberships));
        (await clusters.Plain.SqlAsync("postgres", "SELECT paracl FROM pg_parameter_acl")).ShouldContain("cy=s/staff");
        (await clusters.Plain.SqlAsync("postgres", "SELECT shobj_description('pg_monitor'::regrole, 'pg_authid')")).ShouldBe(
            "who watches\n"
        );
        (
            await clusters.Plain.SqlAsync(
                "postgres",
                "SELECT rolname, rolvaliduntil FROM pg_roles WHERE rolname IN ('müller', 'cy') ORDER BY 1"
            )
        ).ShouldBe("cy|infinity\nmüller|2030-01-01 00:00:00+00\n");
        (await clusters.Plain.SqlAsync("postgres", "SELECT count(*) FROM pg_db_role_setting WHERE setrole = 'cy'::regrole")).ShouldBe(
            "0\n"
        );

        Outcome drill = await night.RunAsync(0, "drill", "--json");
        using var report = JsonDocument.Parse(drill.Output);
        report.RootElement.GetProperty("passed").GetBoolean().ShouldBeTrue(drill.ToString());
    }

    [Fact]
    public async Task Psql_alone_restores_the_settings_of_all_roles_too()
    {
        await clusters.Admins.SqlAsync("postgres", "ALTER ROLE ALL SET extra_float_digits = 2");
        using var night = Workspace.ForContainer(clusters.Admins.Name, "none", ["shop"], user: "admin");
        string id = await night.BackupAsync();
        string script = await File.ReadAllTextAsync(
            Path.Combine(night.SnapshotFolder(id), night.Manifest(id).Globals!.Object),
            TestContext.Current.CancellationToken
        );

        await Shell.RunAsync("podman", ["exec", "-i", clusters.Plain.Name, "psql", "-XqU", "postgres", "-d", "postgres"], input: script);

        (await clusters.Plain.SqlAsync("postgres", Settings)).ShouldContain("extra_float_digits=2\n");
        foreach (PostgresContainer server in (PostgresContainer[])[clusters.Admins, clusters.Plain])
        {
            await server.SqlAsync("postgres", "ALTER ROLE ALL RESET extra_float_digits"); // the other tests share them
        }
    }

    [Fact]
    public async Task A_diff_with_the_living_server_sees_a_setting_of_all_roles()
    {
        using var night = Workspace.ForContainer(clusters.Admins.Name, "none", ["shop"], user: "admin");
        await night.BackupAsync();
        (await night.RunAsync(0, "diff", "latest", "live", "--json")).Output.ShouldContain("\"roles_changed\": false");
        await clusters.Admins.SqlAsync("postgres", "ALTER ROLE ALL SET log_duration = on");
        try
        {
            (await night.RunAsync("diff", "latest", "live", "--json")).Output.ShouldContain("\"roles_changed\": true");
        }
        finally
        {
            await clusters.Admins.SqlAsync("postgres", "ALTER ROLE ALL RESET log_duration");
        }
    }

    [Fact]
    public async Task The_role_that_restores_and_the_first_superuser_of_the_target_are_not_locked_out()
    {
        await clusters.Plain.SqlAsync(
            "postgres",
            "ALTER ROLE admin NOSUPERUSER NOLOGIN; CREATE ROLE restorer NOLOGIN; CREATE ROLE zed; CREATE DATABASE little OWNER admin"
        );
        using var night = Workspace.ForContainer(clusters.Plain.Name, "none", ["little"]);
        await night.BackupAsync();
        await clusters.Admins.SqlAsync("postgres", "CREATE ROLE restorer SUPERUSER LOGIN");

        Outcome restore = await night.RunAsync(0, "restore", "-t", $"podman:restorer@{clusters.Admins.Name}", "--globals");

        int plan = restore.Errors.IndexOf(
            "the role admin is NOSUPERUSER and NOLOGIN in the snapshot, and is left as it is: it is the first superuser of the target",
            StringComparison.Ordinal
        );
        plan.ShouldBeInRange(0, restore.Errors.IndexOf("globals: restored", StringComparison.Ordinal));
        restore.Errors.ShouldContain(
            "the role restorer is NOSUPERUSER and NOLOGIN in the snapshot, and is left as it is: it carries out the restore"
        );
        (
            await clusters.Admins.SqlAsync(
                "postgres",
                "SELECT rolname, rolsuper, rolcanlogin FROM pg_roles WHERE rolname IN ('admin', 'restorer', 'zed') ORDER BY 1"
            )
        ).ShouldBe("admin|t|t\nrestorer|t|t\nzed|f|f\n");
    }
}
