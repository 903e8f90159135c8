using PgBackup.Archives;
using PgBackup.Postgres;

namespace PgBackup.Tests.Archives;

public sealed class GlobalsScriptTests
{
    private const string Plain =
        "ALTER ROLE app WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS PASSWORD 'SCRAM' VALID "
        + "UNTIL '2030-01-01 00:00:00+00';";

    [Fact]
    public void Settings_of_the_scripts_own_session_are_no_globals_but_whose_a_grant_is_belongs_to_it()
    {
        string[] statements =
        [
            "SET default_transaction_read_only = off;",
            "SET client_encoding = 'SQL_ASCII';",
            "SET standard_conforming_strings = on;",
            "CREATE ROLE bob;",
            "SET SESSION AUTHORIZATION bob;",
            "GRANT SET ON PARAMETER log_statement TO ann;",
            "RESET SESSION AUTHORIZATION;",
        ];

        Of(statements).Statements.ShouldBe(statements[3..]);
    }

    [Theory]
    [InlineData("GRANT bob TO ann WITH ADMIN OPTION, INHERIT TRUE GRANTED BY admin;", "GRANT bob TO ann WITH ADMIN OPTION, INHERIT TRUE;")]
    [InlineData("GRANT bob TO ann GRANTED BY \"admin\";", "GRANT bob TO ann;")]
    [InlineData("GRANT bob TO cy WITH INHERIT TRUE GRANTED BY ann;", "GRANT bob TO cy WITH INHERIT TRUE GRANTED BY ann;")]
    [InlineData("GRANT bob TO \"x GRANTED BY admin\";", "GRANT bob TO \"x GRANTED BY admin\";")]
    [InlineData("GRANT SET ON PARAMETER log_statement TO bob;", "GRANT SET ON PARAMETER log_statement TO bob;")]
    public void A_grant_of_the_first_superuser_is_made_as_the_one_of_the_target(string statement, string made) =>
        Of([statement], bootstrap: "admin").For(statement).ShouldBe(made);

    [Fact]
    public void The_first_superuser_of_an_older_snapshot_is_known_by_what_he_grants_without_an_admin_option()
    {
        string[] statements =
        [
            "GRANT bob TO ann WITH ADMIN OPTION, INHERIT TRUE GRANTED BY admin;",
            "GRANT bob TO cy WITH INHERIT TRUE GRANTED BY ann;",
        ];
        GlobalsScript script = Of(statements, bootstrap: null);

        statements.Select(script.For).ShouldBe(["GRANT bob TO ann WITH ADMIN OPTION, INHERIT TRUE;", statements[1]]);
    }

    [Fact]
    public void Grantors_of_a_version_that_did_not_ask_whether_they_may_are_left_out_for_one_that_does() =>
        new GlobalsScript(["GRANT bob TO cy GRANTED BY ann;"], 15, "postgres", Target() with { Major = 17 })
            .For("GRANT bob TO cy GRANTED BY ann;")
            .ShouldBe("GRANT bob TO cy;");

    [Fact]
    public void The_grantor_is_no_difference_where_each_is_the_first_superuser_of_his_server()
    {
        GlobalsScript script = Of(["GRANT bob TO ann GRANTED BY admin;"], bootstrap: "admin");

        script.Compared("GRANT bob TO ann GRANTED BY postgres;").ShouldBe(script.Compared("GRANT bob TO ann GRANTED BY admin;"));
        script.Compared("GRANT bob TO ann GRANTED BY cy;").ShouldNotBe(script.Compared("GRANT bob TO ann GRANTED BY admin;"));
    }

    [Fact]
    public void The_role_that_restores_keeps_its_password_and_stays_a_superuser_who_may_log_in_and_this_is_told()
    {
        GlobalsScript script = Of([Plain], target: Target() with { Role = "app" });

        script.For(Plain).ShouldBe("ALTER ROLE app WITH SUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS;");
        script.Kept.ShouldBe([
            "the role app is NOSUPERUSER and NOLOGIN in the snapshot, and is left as it is: it carries out the restore.",
        ]);
    }

    [Fact]
    public void The_first_superuser_of_the_target_stays_one_and_gets_the_password()
    {
        GlobalsScript script = Of([Plain], target: Target() with { Bootstrap = "app" });

        script
            .For(Plain)
            .ShouldStartWith(
                "ALTER ROLE app WITH SUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS PASSWORD 'SCRAM'"
            );
        script.Kept.ShouldHaveSingleItem().ShouldContain("it is the first superuser of the target");
    }

    [Fact]
    public void A_role_that_restores_and_is_no_superuser_is_not_made_one()
    {
        GlobalsScript script = Of([Plain], target: Target() with { Role = "app", IsSuperuser = false });

        script.For(Plain).ShouldContain("NOSUPERUSER");
        script.Kept.ShouldBeEmpty();
    }

    [Fact]
    public void Every_other_role_gets_what_the_snapshot_has()
    {
        Of([Plain]).For(Plain).ShouldBe(Plain);
        Of([Plain]).Kept.ShouldBeEmpty();
    }

    [Fact]
    public void A_password_that_never_ends_is_as_one_without_an_end()
    {
        const string Never = "ALTER ROLE bob WITH NOSUPERUSER LOGIN VALID UNTIL 'infinity';";
        GlobalsScript script = Of([Plain]);

        script.Compared(Never).ShouldBe("ALTER ROLE bob WITH NOSUPERUSER LOGIN;");
        script.Compared(Plain.Replace("2030-01-01 00:00:00+00", "2030-01-01 02:00:00+02")).ShouldBe(script.Compared(Plain));
        script.Compared(Plain.Replace("2030", "2031")).ShouldNotBe(script.Compared(Plain));
        script
            .Resets("CREATE ROLE bob;", new HashSet<string>())
            .ShouldBe(["ALTER ROLE \"bob\" CONNECTION LIMIT -1 PASSWORD NULL", "ALTER ROLE \"bob\" RESET ALL"]);
        script
            .Resets("CREATE ROLE bob;", new HashSet<string> { "bob" })
            .ShouldBe(["ALTER ROLE \"bob\" CONNECTION LIMIT -1 PASSWORD NULL VALID UNTIL 'infinity'", "ALTER ROLE \"bob\" RESET ALL"]);
    }

    [Fact]
    public void What_the_target_has_besides_of_the_snapshots_roles_is_known()
    {
        GlobalsScript script = Of([
            "CREATE ROLE bob;",
            "GRANT staff TO bob GRANTED BY postgres;",
            "ALTER ROLE ALL SET \"work_mem\" TO '8MB';",
        ]);

        script
            .Besides([
                "CREATE ROLE own;",
                "GRANT staff TO own GRANTED BY postgres;",
                "GRANT staff TO bob GRANTED BY postgres;",
                "GRANT chiefs TO bob GRANTED BY postgres;",
                "ALTER ROLE ALL SET \"work_mem\" TO '8MB';",
                "ALTER ROLE ALL SET \"temp_buffers\" TO '8MB';",
                "COMMENT ON ROLE bob IS 'x';",
            ])
            .ShouldBe([
                "GRANT chiefs TO bob GRANTED BY postgres;",
                "ALTER ROLE ALL SET \"temp_buffers\" TO '8MB';",
                "COMMENT ON ROLE bob IS 'x';",
            ]);
    }

    private static GlobalsScript Of(string[] statements, string? bootstrap = "postgres", ServerFacts? target = null) =>
        new(statements, 17, bootstrap, target ?? Target());

    private static ServerFacts Target() =>
        new()
        {
            Version = "17.2",
            Major = 17,
            Role = "postgres",
            IsSuperuser = true,
            ReadsPasswords = true,
            Bootstrap = "postgres",
        };
}
