using PgBackup.Postgres;

namespace PgBackup.Tests.Postgres;

public sealed class SqlTests
{
    [Theory]
    [InlineData("olympus", "\"olympus\"")]
    [InlineData("My Db", "\"My Db\"")]
    [InlineData("a\"b", "\"a\"\"b\"")]
    [InlineData("\"\"", "\"\"\"\"\"\"")]
    [InlineData("", "\"\"")]
    public void A_name_is_always_quoted(string name, string quoted) => Sql.Name(name).ShouldBe(quoted);

    [Theory]
    [InlineData("it's", "'it''s'")]
    [InlineData("''", "''''''")]
    [InlineData("C:\\", "'C:\\'")]
    public void A_literal_doubles_its_quotes(string text, string literal) => Sql.Literal(text).ShouldBe(literal);

    [Theory]
    [InlineData("a\"; DROP DATABASE x; --")]
    [InlineData("größe")]
    [InlineData(" ")]
    [InlineData("a\nb")]
    public void A_quoted_name_reads_back_as_itself(string name) =>
        Sql.ReadName($"x {Sql.Name(name)} y", 2).ShouldBe((name, 2 + Sql.Name(name).Length));

    [Theory]
    [InlineData("olympus OWNER", 0, "olympus", 7)]
    [InlineData("a$1_b;", 0, "a$1_b", 5)]
    [InlineData("ON größe;", 3, "größe", 8)]
    public void A_plain_name_ends_before_what_cannot_be_part_of_it(string sql, int start, string name, int end) =>
        Sql.ReadName(sql, start).ShouldBe((name, end));

    [Theory]
    [InlineData("x", 1)]
    [InlineData("x", 5)]
    [InlineData(";", 0)]
    [InlineData("\"open", 0)]
    [InlineData("\"open\"\"", 0)]
    public void Where_there_is_no_name_there_is_none(string sql, int start) => Sql.ReadName(sql, start).ShouldBeNull();
}
