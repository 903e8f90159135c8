using System.Text;
using PgBackup.Archives;

namespace PgBackup.Tests.Archives;

public sealed class StatementLexerTests
{
    [Theory]
    [InlineData("SELECT 1;")]
    [InlineData("SELECT 1;  ")]
    [InlineData("SELECT 1;\r")]
    [InlineData("SELECT 1; -- done")]
    [InlineData("SELECT ';';")]
    [InlineData("SELECT 'it''s';")]
    [InlineData("""SELECT 'C:\';""")]
    [InlineData("""SELECT E'it\'s;';""")]
    [InlineData("""SELECT E'it''s \' ; still';""")]
    [InlineData("""SELECT e'\\';""")]
    [InlineData("""SELECT type'C:\';""")]
    [InlineData("""SELECT "a;b" FROM "c""d";""")]
    [InlineData("SELECT $$;$$;")]
    [InlineData("SELECT $a$ $$ ; $b$ ; $$ $a$;")]
    [InlineData("SELECT $a$ $ab$a$;")]
    [InlineData("SELECT $1, a$b$c FROM t;")]
    [InlineData("SELECT $äß$;$äß$;")]
    [InlineData("SELECT 1 /* ; ' \" $$ */;")]
    [InlineData("SELECT /* a /* nested ; */ b ; */ 1;")]
    [InlineData("SELECT 1 - - 2 / 3 * 4;")]
    [InlineData("CREATE RULE r AS ON INSERT TO v DO INSTEAD ( INSERT INTO t VALUES (1); DELETE FROM u; );")]
    [InlineData("SELECT ')';")]
    [InlineData("""SELECT E'a''\'\' ; b';""")]
    [InlineData("""'C:\';""")]
    [InlineData("""SELECT a = 'C:\';""")]
    [InlineData("SELECT $1$;")]
    [InlineData("SELECT 2 /* a */* 3;")]
    [InlineData("SELECT /* a /* b */*/ 1;")]
    public void A_complete_statement_ends_with_its_line(string line) =>
        new StatementLexer().Line(Encoding.UTF8.GetBytes(line)).ShouldBeTrue();

    [Theory]
    [InlineData("CREATE TABLE t (")]
    [InlineData("SELECT 1; SELECT 2")]
    [InlineData("SELECT ';")]
    [InlineData("SELECT 'it''s;")]
    [InlineData("""SELECT E'\';""")]
    [InlineData("""SELECT E'it''s \';""")]
    [InlineData("SELECT \"a;")]
    [InlineData("SELECT $$;")]
    [InlineData("SELECT $a$;$$;")]
    [InlineData("SELECT $a$;$A$;")]
    [InlineData("SELECT 1 /* ;")]
    [InlineData("SELECT /* a /* nested */ ;")]
    [InlineData("SELECT 1 -- ;")]
    [InlineData("DO INSTEAD ( INSERT INTO t VALUES (1);")]
    [InlineData("""SELECT E'a''\'\';""")]
    [InlineData("SELECT $a1$;")]
    [InlineData("SELECT $_$;")]
    [InlineData("SELECT $äß$;")]
    [InlineData("SELECT $À$;")]
    [InlineData("SELECT /* a /*/ b */ ;")]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData("-- ;")]
    [InlineData("SELECT 1 -")]
    [InlineData("SELECT 1 /")]
    [InlineData("SELECT /* a *")]
    [InlineData("SELECT E'a'")]
    [InlineData("SELECT $1")]
    [InlineData("SELECT $")]
    public void An_incomplete_one_does_not(string line) => new StatementLexer().Line(Encoding.UTF8.GetBytes(line)).ShouldBeFalse();

    [Theory]
    [InlineData("SELECT 'a\n;\n';")]
    [InlineData("SELECT \"a\n;\n\";")]
    [InlineData("SELECT $f$\n;\n$$;\n$f$;")]
    [InlineData("SELECT E'a\\\n\\';\n';")]
    [InlineData("/*\n;\n/* ;\n*/ ;\n*/ SELECT 1;")]
    [InlineData("CREATE RULE r AS DO (\nDELETE FROM t;\nDELETE FROM u;\n);")]
    [InlineData("COMMENT ON TABLE t IS 'first;\n-- second;\n/* third'';\n';")]
    public void It_ends_with_the_last_of_its_lines_and_no_earlier(string statement)
    {
        string[] lines = statement.Split('\n');
        var lexer = new StatementLexer();

        lines.Select(line => lexer.Line(Encoding.UTF8.GetBytes(line))).ShouldBe([.. lines[..^1].Select(static _ => false), true]);
    }

    [Fact]
    public void Backslashes_escape_in_every_literal_once_standard_strings_are_off()
    {
        byte[] line = """SELECT 'it\'s;';"""u8.ToArray();

        new StatementLexer { StandardStrings = false }
            .Line(line)
            .ShouldBeTrue();
        new StatementLexer().Line(line).ShouldBeFalse();
    }

    [Fact]
    public void What_follows_a_statement_is_read_afresh()
    {
        var lexer = new StatementLexer();

        lexer.Line("SELECT 1);"u8).ShouldBeTrue();
        lexer.Line("INSERT INTO t VALUES ("u8).ShouldBeFalse();
        lexer.Line("1);"u8).ShouldBeTrue();
        lexer.Line("SELECT 2;"u8).ShouldBeTrue();
    }
}
