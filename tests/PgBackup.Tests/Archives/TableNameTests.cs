using PgBackup.Archives;

namespace PgBackup.Tests.Archives;

public sealed class TableNameTests
{
    [Theory]
    [InlineData("identities", null, "identities")]
    [InlineData("public.identities", "public", "identities")]
    [InlineData("Odd Schema.some table", "Odd Schema", "some table")]
    [InlineData("public.\"a.b\"", "public", "a.b")]
    [InlineData("\"a \"\"b\"\"\".c", "a \"b\"", "c")]
    public void What_somebody_typed_is_a_schema_and_a_name(string typed, string? schema, string name) =>
        TableName.Typed(typed).ShouldBe((schema, name));

    [Theory]
    [InlineData("")]
    [InlineData(".x")]
    [InlineData("x.")]
    [InlineData("a.b.c")]
    [InlineData("\"a\"b.c")]
    [InlineData("a..b")]
    public void What_is_none_is_none(string typed) => TableName.Typed(typed).ShouldBeNull();

    [Fact]
    public void A_name_is_read_from_a_statement_as_pg_dump_quotes_it()
    {
        TableName.After("CREATE TABLE tricky.\"\\.\" (", " TABLE ").ShouldBe(new TableName("tricky", "\\."));
        TableName
            .After("ALTER TABLE ONLY \"Mixed Case\".\"a\"\"b\" ADD CONSTRAINT x", "ALTER TABLE ONLY ", "ALTER TABLE ")
            .ShouldBe(new TableName("Mixed Case", "a\"b"));
        TableName.After("CREATE TABLE alone (", " TABLE ").ShouldBeNull();
        new TableName("a", "b\"c").Quoted.ShouldBe("\"a\".\"b\"\"c\"");
    }
}
