using PgBackup.Archives;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Restore;
using PgBackup.Postgres;

namespace PgBackup.IntegrationTests.Drill;

/// <summary>What a drill makes in a server that the config names is removed, whatever it is.</summary>
public sealed class NamedDrillServerTests
{
    private const string Belongings = """
        SELECT datname FROM pg_database ORDER BY 1; SELECT rolname FROM pg_roles ORDER BY 1; SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting ORDER BY 1, 2
        """;

    [Fact]
    public async Task Templates_subscriptions_and_settings_of_all_roles_are_removed_too_and_what_stays_is_told_with_its_statements()
    {
        await using PostgresContainer source = await PostgresContainer.StartAsync("drill-source");
        await using PostgresContainer named = await PostgresContainer.StartAsync("drill-named");
        await source.SqlAsync(
            "postgres",
            "CREATE ROLE app LOGIN; CREATE ROLE zed IN ROLE app; CREATE DATABASE a_subscriber; CREATE DATABASE b_template IS_TEMPLATE "
                + "true; CREATE DATABASE c_owned OWNER app"
        );
        await source.SqlAsync(
            "a_subscriber",
            "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=9' PUBLICATION p WITH (connect = false, slot_name = 's')"
        );
        await source.SqlAsync(
            "c_owned",
            "CREATE FUNCTION take() RETURNS int LANGUAGE plpgsql AS $$ BEGIN ALTER DATABASE residence OWNER TO app; RETURN 1; END $$"
        );
        await source.SqlAsync("postgres", "ALTER ROLE ALL SET work_mem = '9MB'; ALTER ROLE ALL SET temp_buffers = '9MB'");
        await named.SqlAsync("postgres", "ALTER ROLE ALL SET work_mem = '5MB'");
        string before = await named.SqlAsync("postgres", Belongings);
        using var night = Workspace.ForContainer(source.Name, "none", ["a_subscriber", "b_template", "c_owned"]);
        string password = Path.Combine(night.Folder, "password");
        await File.WriteAllTextAsync(password, PostgresContainer.Password, TestContext.Current.CancellationToken);
        night.Configure(
            $"{night.Config()}\ndrill:\n  image: {Surroundings.Image}\n  scratch: {{ url: "
                + $"\"postgres://postgres@127.0.0.1:{named.Port}/\", password_file: {password} }}\n"
        );
        await night.BackupAsync();

        await night.RunAsync(0, "drill");

        (await named.SqlAsync("postgres", Belongings)).ShouldBe(before);

        // The role owns something now that no drill made, and so cannot go. Everything else does.
        await named.SqlAsync("postgres", "CREATE DATABASE residence");
        night.Configure(night.Config() + "  checks:\n    - { database: c_owned, sql: SELECT take(), expect: rows }\n");
        Outcome drill = await night.RunAsync(0, "drill");
        drill.All.ShouldContain("the role app (with its password) is left in ");
        drill.All.ShouldContain("(SQLSTATE 2BP01). To remove it: DROP OWNED BY \"app\"; DROP ROLE \"app\";");
        (await named.DatabasesAsync()).ShouldBe(["residence"]);
        (await named.SqlAsync("postgres", "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")).ShouldBe("app\npostgres\n");
    }

    [Fact]
    public async Task What_others_make_there_meanwhile_stays_a_login_trigger_refuses_no_check_and_a_clean_up_that_hangs_has_an_end()
    {
        await using PostgresContainer source = await PostgresContainer.StartAsync("drill-busy-source");
        await using PostgresContainer named = await PostgresContainer.StartAsync("drill-busy-named");
        await source.SqlAsync(
            "postgres",
            "CREATE ROLE app LOGIN; CREATE DATABASE watched OWNER app; ALTER ROLE ALL SET temp_buffers = '9MB'"
        );
        await source.SqlAsync(
            "watched",
            """
            CREATE FUNCTION meanwhile() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE ROLE colleague; ALTER ROLE ALL SET work_mem = '7MB'; RETURN 1; END $$;
            CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
            BEGIN IF current_setting('application_name') LIKE 'olympus-pgbackup restore%' THEN RAISE EXCEPTION 'not you'; END IF; END $$;
            CREATE EVENT TRIGGER refuse ON login EXECUTE FUNCTION refuse(); ALTER EVENT TRIGGER refuse ENABLE ALWAYS
            """
        );
        using var night = Workspace.ForContainer(source.Name, "none", ["watched"]);
        string password = Path.Combine(night.Folder, "password");
        await File.WriteAllTextAsync(password, PostgresContainer.Password, TestContext.Current.CancellationToken);
        string url = $"postgres://postgres@127.0.0.1:{named.Port}/";
        night.Configure(
            $"{night.Config()}\ndrill:\n  image: {Surroundings.Image}\n  scratch: {{ url: \"{url}\", password_file: {password} }}\n"
                + "  checks:\n    - { database: watched, sql: SELECT meanwhile(), expect: rows }\n"
        );
        await night.BackupAsync();

        Outcome drill = await night.RunAsync(0, "drill");

        drill.All.ShouldContain("and no roles of the snapshot: they stay: colleague");
        (await named.DatabasesAsync()).ShouldBeEmpty();
        (await named.SqlAsync("postgres", "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")).ShouldBe(
            "colleague\npostgres\n"
        );
        (await named.SqlAsync("postgres", "SELECT setconfig FROM pg_db_role_setting")).Trim().ShouldBe("{work_mem=7MB}");

        var target = new RestoreTarget { Connection = PgConnection.Parse(url).WithPasswordOf(password), ToolsImage = Surroundings.Image };
        (FoundTools found, PostgresServer server) = await target.OpenAsync([], TimeProvider.System, TestContext.Current.CancellationToken);
        await using (found)
        await using (await named.HoldAsync("postgres", "LOCK TABLE pg_tablespace IN ACCESS EXCLUSIVE MODE"))
        {
            var made = new GlobalNames(new HashSet<string> { "app" }, new HashSet<string>(), new HashSet<string>());
            var before = new ServerBelongings(new Dictionary<string, string>(), new HashSet<string>(), new Dictionary<string, string>());
            var cleanup = new DrillCleanup(server, ["watched"], made, before) { Limit = TimeSpan.FromSeconds(3) };

            string left = (
                await cleanup.RunAsync().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)
            ).ShouldHaveSingleItem();

            left.ShouldContain("was given up after 3 s");
            left.ShouldEndWith("To remove it: DROP DATABASE IF EXISTS \"watched\" WITH (FORCE); DROP ROLE IF EXISTS \"app\";");
        }
    }
}
