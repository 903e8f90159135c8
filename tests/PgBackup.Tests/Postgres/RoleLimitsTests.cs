using PgBackup.Postgres;

namespace PgBackup.Tests.Postgres;

public sealed class RoleLimitsTests
{
    private static readonly HashSet<string> Tenant = ["tenant", "its group"];

    [Theory]
    [InlineData("CREATE EVENT TRIGGER guard ON ddl_command_end\n   EXECUTE FUNCTION public.guard();")]
    [InlineData("CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert');")]
    [InlineData("ALTER PUBLICATION p ADD TABLES IN SCHEMA public;")]
    [InlineData("CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (connect = false);")]
    [InlineData("CREATE EXTENSION IF NOT EXISTS \"postgres_fdw\" WITH SCHEMA public;")]
    [InlineData("ALTER TABLE public.t OWNER TO \"some body\";")]
    [InlineData("ALTER DEFAULT PRIVILEGES FOR ROLE other GRANT SELECT ON TABLES TO x;")]
    public void What_a_role_that_is_no_superuser_will_be_refused_is_known(string statement) =>
        RoleLimits.Refused([statement], Tenant, new HashSet<string> { "pg_trgm" }).Count.ShouldBe(1);

    [Theory]
    [InlineData("CREATE TABLE public.t (\n    v text DEFAULT 'CREATE EVENT TRIGGER '\n);")]
    [InlineData("CREATE PUBLICATION p WITH (publish = 'insert');")]
    [InlineData("ALTER PUBLICATION p ADD TABLE ONLY public.t;")]
    [InlineData("CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;")]
    [InlineData("ALTER TABLE public.t OWNER TO tenant;")]
    [InlineData("ALTER TABLE public.t OWNER TO \"its group\";")]
    public void Everything_else_is_not(string statement) =>
        RoleLimits.Refused([statement], Tenant, new HashSet<string> { "pg_trgm" }).ShouldBeEmpty();

    [Fact]
    public void The_extensions_that_a_dump_needs_are_read_from_it() =>
        RoleLimits
            .Extensions([
                "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA public;",
                "CREATE TABLE x (v int);",
                "CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA ext;",
            ])
            .ShouldBe(["uuid-ossp", "citext"]);
}
