using System.Security.Cryptography;
using System.Text;
using PgBackup.Archives;
using PgBackup.Proofs;
using static PgBackup.Tests.Archives.ScriptSample;

namespace PgBackup.Tests.Archives;

public sealed class ScriptReaderStatementTests
{
    [Fact]
    public void Statements_are_whole_whatever_stands_in_them()
    {
        using ScriptReader reader = Read(Rich);

        reader.Statements.Count.ShouldBe(16);
        reader.Statements[5].ShouldStartWith("CREATE FUNCTION public.f(a text)");
        reader.Statements[5].ShouldEndWith("$x$ ; $x$;\nEND;\n$_$;");
        reader
            .Statements[6]
            .ShouldBe("COMMENT ON FUNCTION public.f(a text) IS 'two lines;\n-- this is no comment; ''quoted'' /* nor this';");
        reader.Statements[7].ShouldStartWith("CREATE RULE both AS\n");
        reader.Statements[7].ShouldEndWith("WHERE (u.a = new.a);\n);");
    }

    [Fact]
    public void Each_schema_statement_is_one_element_of_the_digest()
    {
        StatementsProof schema = ProofOf("CREATE TABLE t (\n    a integer\n);\n").Schema;

        schema.Count.ShouldBe(1);
        schema.Digest.ShouldBe(Convert.ToHexStringLower(SHA256.HashData("CREATE TABLE t (\n    a integer\n);"u8)));
    }

    [Theory]
    [InlineData("-- another comment\n")]
    [InlineData("--\n")]
    [InlineData("\n\n \t\n\r\n")]
    [InlineData("\\restrict other\n")]
    [InlineData("\\unrestrict other\n")]
    [InlineData("\\connect olympus\n")]
    public void Comments_blank_lines_and_commands_of_psql_are_no_content(string addition)
    {
        ProofComparison
            .Of(ProofOf(Rich), ProofOf(addition + Rich.Replace("gJ3kS0Zx", "q1", StringComparison.Ordinal) + addition))
            .Differences.ShouldBeEmpty();
    }

    [Fact]
    public void Comments_and_blank_lines_inside_a_function_are_content()
    {
        ProofOf("CREATE FUNCTION f() AS $$\n\n-- x\n$$;\n").Schema.ShouldNotBe(ProofOf("CREATE FUNCTION f() AS $$\n-- x\n$$;\n").Schema);
        ProofOf("CREATE FUNCTION f() AS $$\n-- x\n$$;\n").Schema.ShouldNotBe(ProofOf("CREATE FUNCTION f() AS $$\n-- y\n$$;\n").Schema);
    }

    [Fact]
    public void The_order_of_statements_does_not_matter_but_every_letter_does()
    {
        StatementsProof schema = ProofOf("CREATE TABLE a ();\nCREATE TABLE b ();\n").Schema;

        ProofOf("CREATE TABLE b ();\nCREATE TABLE a ();\n").Schema.ShouldBe(schema);
        ProofOf("CREATE TABLE a ();\nCREATE TABLE B ();\n").Schema.ShouldNotBe(schema);
        ProofOf("CREATE TABLE a ();\nCREATE TABLE b ();\nCREATE TABLE b ();\n").Schema.Count.ShouldBe(3);
    }

    [Fact]
    public void Text_in_a_function_that_looks_like_data_is_not_taken_for_it()
    {
        Proof proof = ProofOf("CREATE FUNCTION f() AS $$\nCOPY t (a) FROM stdin;\n1\n\\.\nSELECT pg_catalog.setval('s', 1, true);\n$$;\n");

        proof.Tables.ShouldBeEmpty();
        proof.Sequences.ShouldBeEmpty();
        proof.Schema.Count.ShouldBe(1);
    }

    [Fact]
    public void Backslashes_escape_after_standard_conforming_strings_was_set_off()
    {
        using ScriptReader reader = Read("SET standard_conforming_strings = off;\nCOMMENT ON TABLE t IS 'it\\';\n-- s';\nSELECT 1;\n");

        reader.Statements.ShouldBe(["SET standard_conforming_strings = off;", "COMMENT ON TABLE t IS 'it\\';\n-- s';", "SELECT 1;"]);
    }

    [Theory]
    [InlineData("olympus")]
    [InlineData("\"Olympus 2\"")]
    [InlineData("\"a \"\"b\"\" ON DATABASE c; -- 'd'\"")]
    [InlineData("\"with ' apostrophe\"")]
    [InlineData("\"CREATE DATABASE x\"")]
    [InlineData("größe")]
    public void A_database_has_the_same_proof_under_any_name(string name)
    {
        static string Script(string database) =>
            $"""
                CREATE DATABASE {database} WITH TEMPLATE = template0 ENCODING = 'UTF8';
                ALTER DATABASE {database} OWNER TO "o'brien ON DATABASE x";
                COMMENT ON DATABASE {database} IS 'the database; of ON DATABASE other';
                ALTER DATABASE {database} SET "app.name" TO 'x';
                ALTER ROLE "a IN DATABASE b" IN DATABASE {database} SET work_mem TO '1MB';
                ALTER ROLE "o'brien" IN DATABASE {database} SET work_mem TO '2MB';
                REVOKE CONNECT,TEMPORARY ON DATABASE {database} FROM PUBLIC;
                GRANT CONNECT ON DATABASE {database} TO "ON DATABASE y";
                SECURITY LABEL FOR selinux ON DATABASE {database} IS 'x';
                CREATE TABLE public.t ();

                """;
        Proof expected = ProofOf(Script("other"));

        Proof proof = ProofOf(Script(name));

        proof.Database.Count.ShouldBe(9);
        ProofComparison.Of(expected, proof).Differences.ShouldBeEmpty();
        proof.Schema.Count.ShouldBe(1);
    }

    [Fact]
    public void Another_owner_or_setting_of_the_database_is_a_difference_of_the_database_alone()
    {
        Proof expected = ProofOf(Rich);

        Proof found = ProofOf(
            Rich.Replace("OWNER TO \"the owner\";\n\n\\connect", "OWNER TO \"the heir\";\n\n\\connect", StringComparison.Ordinal)
        );

        ProofComparison
            .Of(expected, found)
            .Differences.ShouldBe(["settings, owner or privileges of the database itself: 4 statements expected, 4 found (others)"]);
    }

    [Fact]
    public void Statements_that_the_other_script_lacks_are_named()
    {
        using ScriptReader first = Read("CREATE TABLE a ();\nCREATE TABLE b ();\nCREATE TABLE b ();\n");
        using ScriptReader second = Read("CREATE TABLE b ();\n");

        first.StatementsMissingIn(second).ShouldBe(["CREATE TABLE a ();", "CREATE TABLE b ();"]);
        second.StatementsMissingIn(first).ShouldBeEmpty();
    }

    [Fact]
    public void An_excerpt_is_cut_between_characters()
    {
        using ScriptReader reader = Read($"COMMENT ON TABLE t IS '{new string('ü', 20_000)}';\n");
        using ScriptReader nothing = Read("");

        string excerpt = reader.StatementsMissingIn(nothing).Single();

        Encoding.UTF8.GetByteCount(excerpt).ShouldBeInRange((16 * 1024) - 3, 16 * 1024);
        excerpt.ShouldBe("COMMENT ON TABLE t IS '" + new string('ü', excerpt.Length - "COMMENT ON TABLE t IS '".Length));
    }

    [Fact]
    public void A_privilege_on_the_database_knows_as_whom_it_was_granted()
    {
        using ScriptReader reader = Read(
            "SET SESSION AUTHORIZATION app;\nGRANT CONNECT ON DATABASE shop TO app2;\nRESET SESSION AUTHORIZATION;\nGRANT CONNECT ON "
                + "DATABASE shop TO app3;\n"
        );

        reader
            .DatabaseStatements.Select(static s => (s.For("x"), s.Authorization))
            .ShouldBe([
                ("GRANT CONNECT ON DATABASE \"x\" TO app2;", "SET SESSION AUTHORIZATION app;"),
                ("GRANT CONNECT ON DATABASE \"x\" TO app3;", null),
            ]);
    }

    [Fact]
    public void A_script_without_tablespaces_is_read_as_the_archive_names_that_of_the_database()
    {
        using ScriptReader archive = Read("CREATE DATABASE shop WITH TEMPLATE = template0 TABLESPACE = away;\n");
        using var live = new ScriptReader { DatabaseTablespace = "away" };
        live.Read("CREATE DATABASE shop WITH TEMPLATE = template0;\nALTER DATABASE shop OWNER TO app;\n"u8);

        live.DatabaseStatements[0].ShouldBe(archive.DatabaseStatements[0]);
        live.DatabaseStatements[1].Template.ShouldEndWith(" OWNER TO app;");
    }
}
