using PgBackup.Archives;

namespace PgBackup.Tests.Archives;

public sealed class StatementDifferencesTests
{
    private const string Table = "CREATE TABLE public.b (\n    x integer CONSTRAINT a_x_not_null NOT NULL,\n    y text\n);";

    [Fact]
    public void A_definition_that_differs_is_shown_by_the_lines_that_do()
    {
        string columns = string.Concat(Enumerable.Range(1, 100).Select(static i => $"    c{i} integer,\n"));

        StatementDifferences
            .Of(
                [$"CREATE TABLE public.t (\n{columns}    z text\n);"],
                [$"CREATE TABLE public.t (\n{columns}    z character varying(3),\n    extra integer\n);"]
            )
            .Lines.ShouldBe(["CREATE TABLE public.t ( expected: z text; found: z character varying(3) / extra integer"]);
    }

    [Fact]
    public void What_is_set_between_statements_is_not_reported_beside_them()
    {
        StatementDifferences
            .Of(["SET default_tablespace = '';", "ALTER TABLE public.t OWNER TO app;"], ["SET SESSION AUTHORIZATION x;"])
            .Lines.ShouldBe(["expected, not found: ALTER TABLE public.t OWNER TO app;"]);
        StatementDifferences.Of(["SET default_tablespace = '';"], []).Lines.ShouldBe(["expected, not found: SET default_tablespace = '';"]);
    }

    [Fact]
    public void A_long_list_is_cut_and_counted()
    {
        string[] many = [.. Enumerable.Range(1, 8).Select(static i => $"CREATE SCHEMA s{i};")];

        StatementDifferences.Of(many, []).Lines[^1].ShouldBe("and 3 more like these");
        StatementDifferences
            .Of(["COMMENT ON TABLE t IS '\u001b[31m\n" + new string('x', 400) + "';"], [])
            .Lines.Single()
            .Length.ShouldBeLessThan(330);
        StatementDifferences.Of(["COMMENT ON TABLE t IS '\u001b[31m';"], []).Lines.Single().ShouldNotContain("\u001b");
    }

    [Theory]
    [InlineData("    x integer CONSTRAINT a_x_not_null NOT NULL", "    x integer NOT NULL", true)]
    [InlineData("    x integer CONSTRAINT a_x_not_null NOT NULL", "    x integer CONSTRAINT \"b_x_not_null1\" NOT NULL", true)]
    [InlineData("    x integer CONSTRAINT a_x_not_null NOT NULL", "    x integer", false)]
    [InlineData("    x integer CONSTRAINT a_x_not_null NOT NULL", "    x bigint NOT NULL", false)]
    [InlineData("    x integer CONSTRAINT must_be_there NOT NULL", "    x integer NOT NULL", false)]
    public void Generated_names_of_NOT_NULL_constraints_are_no_difference_of_the_schema(string expected, string found, bool onlyNames)
    {
        string other = Table.Replace("    x integer CONSTRAINT a_x_not_null NOT NULL", found, StringComparison.Ordinal);

        StatementDifferences
            .Of([Table.Replace("    x integer CONSTRAINT a_x_not_null NOT NULL", expected, StringComparison.Ordinal)], [other])
            .OnlyNamesOfNotNull.ShouldBe(onlyNames);
    }
}
