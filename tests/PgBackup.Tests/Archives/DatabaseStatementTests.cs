using System.Text;
using PgBackup.Archives;

namespace PgBackup.Tests.Archives;

public sealed class DatabaseStatementTests
{
    [Theory]
    [InlineData("CREATE DATABASE olympus WITH TEMPLATE = template0;", "olympus", "CREATE DATABASE \"new\" WITH TEMPLATE = template0;")]
    [InlineData("CREATE DATABASE \"My Db\" WITH TEMPLATE = template0;", "My Db", "CREATE DATABASE \"new\" WITH TEMPLATE = template0;")]
    [InlineData("ALTER DATABASE olympus OWNER TO ops;", "olympus", "ALTER DATABASE \"new\" OWNER TO ops;")]
    [InlineData("ALTER DATABASE \"a\"\"b\" SET search_path TO 'x';", "a\"b", "ALTER DATABASE \"new\" SET search_path TO 'x';")]
    [InlineData("ALTER DATABASE olympus CONNECTION LIMIT = 5;", "olympus", "ALTER DATABASE \"new\" CONNECTION LIMIT = 5;")]
    [InlineData("ALTER DATABASE olympus SET x TO 'a IN DATABASE b';", "olympus", "ALTER DATABASE \"new\" SET x TO 'a IN DATABASE b';")]
    [InlineData("COMMENT ON DATABASE olympus IS 'it''s ours';", "olympus", "COMMENT ON DATABASE \"new\" IS 'it''s ours';")]
    [InlineData("GRANT ALL ON DATABASE olympus TO ops;", "olympus", "GRANT ALL ON DATABASE \"new\" TO ops;")]
    [InlineData(
        "GRANT CONNECT ON DATABASE olympus TO \"x ON DATABASE y\";",
        "olympus",
        "GRANT CONNECT ON DATABASE \"new\" TO \"x ON DATABASE y\";"
    )]
    [InlineData(
        "GRANT CONNECT ON DATABASE olympus TO \"x IN DATABASE y\";",
        "olympus",
        "GRANT CONNECT ON DATABASE \"new\" TO \"x IN DATABASE y\";"
    )]
    [InlineData(
        "REVOKE CONNECT,TEMPORARY ON DATABASE \"o'x\" FROM PUBLIC;",
        "o'x",
        "REVOKE CONNECT,TEMPORARY ON DATABASE \"new\" FROM PUBLIC;"
    )]
    [InlineData(
        "ALTER ROLE ops IN DATABASE olympus SET work_mem TO '1MB';",
        "olympus",
        "ALTER ROLE ops IN DATABASE \"new\" SET work_mem TO '1MB';"
    )]
    [InlineData(
        "ALTER ROLE \"x IN DATABASE y\" IN DATABASE olympus SET a TO 'b';",
        "olympus",
        "ALTER ROLE \"x IN DATABASE y\" IN DATABASE \"new\" SET a TO 'b';"
    )]
    [InlineData(
        "ALTER ROLE \"\u0001 SET x\" IN DATABASE olympus SET a TO 'b';",
        "olympus",
        "ALTER ROLE \"\u0001 SET x\" IN DATABASE \"new\" SET a TO 'b';"
    )]
    [InlineData(
        "ALTER ROLE \"o'brien\" IN DATABASE olympus SET a TO 'b';",
        "olympus",
        "ALTER ROLE \"o'brien\" IN DATABASE \"new\" SET a TO 'b';"
    )]
    [InlineData("SECURITY LABEL FOR p ON DATABASE olympus IS 'x';", "olympus", "SECURITY LABEL FOR p ON DATABASE \"new\" IS 'x';")]
    public void A_statement_about_the_database_can_be_carried_out_under_another_name(string statement, string name, string renamed)
    {
        DatabaseStatement.MayBe(Encoding.UTF8.GetBytes(statement)).ShouldBeTrue();

        DatabaseStatement read = DatabaseStatement.Read(statement).ShouldNotBeNull();

        read.Name.ShouldBe(name);
        read.For("new").ShouldBe(renamed);
        Should.NotThrow(() => DatabaseStatement.Read(read.For("q\"; 'x")).ShouldNotBeNull().Name.ShouldBe("q\"; 'x"));
    }

    [Theory]
    [InlineData("CREATE TABLE public.t ();")]
    [InlineData("GRANT SELECT ON TABLE t TO \"x ON DATABASE y\";")]
    [InlineData("ALTER ROLE \"x IN DATABASE y\" SET a TO 'b';")]
    [InlineData("ALTER ROLE ops SET a TO ' IN DATABASE b';")]
    [InlineData("COMMENT ON TABLE t IS 'x ON DATABASE y';")]
    [InlineData("ALTER ROLE \"CREATE DATABASE x\" SET a TO 'b';")]
    public void Any_other_statement_is_none(string statement) => DatabaseStatement.Read(statement).ShouldBeNull();

    [Theory]
    [InlineData("CREATE TABLE public.t ();")]
    [InlineData("COMMENT ON TABLE t IS 'x ON DATABASE y';")]
    [InlineData("GRANT SELECT ON TABLE t TO ops;")]
    [InlineData("ALTER ROLE ops SET a TO 'b';")]
    public void Most_other_statements_are_told_by_their_first_words(string statement) =>
        DatabaseStatement.MayBe(Encoding.UTF8.GetBytes(statement)).ShouldBeFalse();

    [Fact]
    public void What_makes_the_database_is_known()
    {
        DatabaseStatement.Read("CREATE DATABASE a;").ShouldNotBeNull().Creates.ShouldBeTrue();
        DatabaseStatement.Read("ALTER DATABASE a OWNER TO x;").ShouldNotBeNull().Creates.ShouldBeFalse();
    }

    [Theory]
    [InlineData("ALTER DATABASE shop SET \"TimeZone\" TO 'Pacific/Auckland';", true)]
    [InlineData("ALTER DATABASE shop SET \"app.region\" TO 'eu';", true)]
    [InlineData("ALTER ROLE \"x SET y\" IN DATABASE shop SET search_path TO 'a', 'b';", true)]
    [InlineData("ALTER DATABASE shop SET default_transaction_read_only TO 'on';", false)]
    [InlineData("ALTER ROLE app IN DATABASE shop SET role TO 'reader';", false)]
    [InlineData("ALTER DATABASE shop SET session_preload_libraries TO 'x';", false)]
    [InlineData("ALTER DATABASE shop OWNER TO app;", false)]
    [InlineData("COMMENT ON DATABASE shop IS ' SET timezone TO x';", false)]
    [InlineData("GRANT CONNECT ON DATABASE shop TO app;", false)]
    public void Settings_come_before_the_rows_unless_they_hinder_those_who_write_them(string statement, bool before) =>
        DatabaseStatement.Read(statement).ShouldNotBeNull().PrecedesRows.ShouldBe(before);

    [Fact]
    public void The_tablespace_is_cut_out_of_the_creation_alone()
    {
        DatabaseStatement
            .Read("CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' TABLESPACE = \"t s\";")
            .ShouldNotBeNull()
            .WithoutTablespace()
            .For("x")
            .ShouldBe("CREATE DATABASE \"x\" WITH TEMPLATE = template0 ENCODING = 'UTF8';");
        DatabaseStatement
            .Read("COMMENT ON DATABASE shop IS 'a TABLESPACE = x';")
            .ShouldNotBeNull()
            .WithoutTablespace()
            .For("shop")
            .ShouldBe("COMMENT ON DATABASE \"shop\" IS 'a TABLESPACE = x';");
    }
}
