using PgBackup.Operations.Doctor;
using PgBackup.Postgres;

namespace PgBackup.Tests.Operations.Doctor;

/// <summary>Statements that people copy.</summary>
public sealed class MissingGrantsTests
{
    [Fact]
    public void Tables_of_several_schemas_are_granted_schema_by_schema_with_the_right_to_enter()
    {
        Finding finding = Of(17)
            .ForRelations(ErrorCode.TableUnreadable, "table", [Group("public", 2, enters: true), Group("\"Odd\"", 1, enters: false)])
            .ShouldHaveSingleItem();

        finding.What.ShouldBe("shop: reader may not read 3 tables: public.t1, public.t2, \"Odd\".t1");
        finding.Fix.ShouldBe(
            "In shop, as the owner or a superuser: GRANT SELECT ON TABLE public.t1, public.t2 TO reader; GRANT USAGE ON SCHEMA \"Odd\" TO "
                + "reader; GRANT SELECT ON TABLE \"Odd\".t1 TO reader; Or, with those of later migrations: GRANT pg_read_all_data TO reader;"
        );
    }

    [Fact]
    public void More_than_twenty_of_a_schema_are_one_grant_and_twenty_are_named()
    {
        Finding finding = Of(17).ForRelations(ErrorCode.SequenceUnreadable, "sequence", [Group("public", 120, enters: true)]).Single();

        finding.What.ShouldContain("public.t20 and 100 more");
        finding.What.ShouldNotContain("public.t21");
        finding.Fix.ShouldNotBeNull().ShouldContain("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader;");
    }

    [Fact]
    public void Before_14_there_is_no_role_that_reads_everything() =>
        Of(13)
            .ForRelations(ErrorCode.TableUnreadable, "table", [Group("public", 1, enters: true)])
            .Single()
            .Fix.ShouldNotBeNull()
            .ShouldNotContain("pg_read_all_data");

    [Fact]
    public void Many_large_objects_are_granted_by_a_loop_which_quotes_the_role()
    {
        Finding finding = Of(17).ForLargeObjects(5000, [.. Enumerable.Range(1, 21)], "\"O'Brien\"").Single();

        finding.What.ShouldContain("may not read 5000 large objects: 1, 2, 3");
        finding.What.ShouldEndWith("20 and 4980 more");
        finding.Fix.ShouldNotBeNull().ShouldContain("'GRANT SELECT ON LARGE OBJECT %s TO \"O''Brien\"', o)");
    }

    [Fact]
    public void Where_all_may_be_read_there_is_nothing_to_say()
    {
        Of(17).ForRelations(ErrorCode.TableUnreadable, "table", []).ShouldBeEmpty();
        Of(17).ForLargeObjects(0, [], "reader").ShouldBeEmpty();
        Of(17).ForHiddenRows([]).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("reader", "reader")]
    [InlineData("Reader", "\"Reader\"")]
    [InlineData("a\"b", "\"a\"\"b\"")]
    [InlineData("user", "\"user\"")]
    [InlineData("9a", "\"9a\"")]
    public void Names_are_quoted_where_SQL_needs_it(string name, string quoted) => Identifier.Quoted(name).ShouldBe(quoted);

    private static MissingGrants Of(int major) =>
        new(
            "shop",
            new ServerFacts
            {
                Version = $"{major}.1",
                Major = major,
                Role = "reader",
                IsSuperuser = false,
                ReadsPasswords = true,
            }
        );

    private static RelationGroup Group(string schema, int objects, bool enters) =>
        new()
        {
            Kind = "table",
            Schema = schema,
            Enters = enters,
            Reads = false,
            Hides = false,
            Objects = objects,
            Names = [.. Enumerable.Range(1, Math.Min(objects, 21)).Select(i => $"{schema}.t{i}")],
            Role = "reader",
        };
}
