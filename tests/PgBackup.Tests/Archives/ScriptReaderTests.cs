using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using PgBackup.Archives;
using PgBackup.Proofs;
using PgBackup.Tests.Proofs;
using static PgBackup.Tests.Archives.ScriptSample;

namespace PgBackup.Tests.Archives;

public sealed class ScriptReaderTests
{
    [Fact]
    public void Rows_bytes_and_digest_of_a_table_are_those_of_its_lines()
    {
        string[] rows =
        [
            "1\tone",
            "2\t\\N",
            "3\tüber",
            "3\tüber",
            "\\\\.\tx",
            "\\\\.",
            "\\.x",
            "\\N",
            "\\\\",
            "x.",
            "..",
            "\\",
            "",
            "SELECT 1;",
            "-- x",
        ];

        TableProof table = ProofOf(Table("public.t", rows)).Tables["public.t"];

        table.Rows.ShouldBe(rows.Length);
        table.Bytes.ShouldBe(rows.Sum(static r => Encoding.UTF8.GetByteCount(r) + 1));
        table.Digest.ShouldBe(ContentDigestTests.Hex(Sum(rows)));
    }

    [Fact]
    public void Every_table_of_a_script_is_found_under_its_name()
    {
        Proof proof = ProofOf(Rich);

        proof
            .Tables.Select(static t => (t.Key, t.Value.Rows))
            .ShouldBe([("public.\"a \"\"b\"\".c d\"", 3L), ("public.none", 0L), ("public.nothing", 3L), ("public.t", 11L)]);
        proof.Rows.ShouldBe(17);
        proof.Tables["public.nothing"].Bytes.ShouldBe(3);
        proof.Tables["public.none"].Digest.ShouldBe(new string('0', 64));
        proof.DumpMajor.ShouldBe(17);
    }

    [Theory]
    [InlineData("public.t", "COPY public.t (a) FROM stdin;")]
    [InlineData("public.t", "COPY public.t  FROM stdin;")]
    [InlineData("\"My Schema\".\"T.1\"", "COPY \"My Schema\".\"T.1\" (a, \"b FROM stdin\") FROM stdin;")]
    [InlineData("public.\"FROM \"\"x\"\" stdin\"", "COPY public.\"FROM \"\"x\"\" stdin\" (a) FROM stdin;")]
    [InlineData("public.\"a\nb\"", "COPY public.\"a\nb\" (a) FROM stdin;")]
    public void A_table_may_have_any_name(string name, string copy) => ProofOf(copy + "\nx\n\\.\n").Tables[name].Rows.ShouldBe(1);

    [Fact]
    public void Names_that_are_not_utf8_neither_fail_nor_collide()
    {
        byte[] first = [.. "COPY public.\"\xe4\" (a) FROM stdin;\n1\n\\.\n".Select(static c => (byte)c)];
        byte[] second = [.. "COPY public.\"\xf6\" (a) FROM stdin;\n1\n\\.\n".Select(static c => (byte)c)];
        using ScriptReader reader = Read([first, second, Encoding.UTF8.GetBytes(End)]);

        reader.Finish(17).Tables.Count.ShouldBe(2);
    }

    [Fact]
    public void Rows_that_come_through_the_root_of_a_partitioned_table_are_added_up()
    {
        string twice = Table("public.t", "1", "2") + Table("public.t", "3");

        ProofOf(twice).Tables["public.t"].ShouldBe(ProofOf(Table("public.t", "3", "1", "2")).Tables["public.t"]);
    }

    [Fact]
    public void The_order_of_rows_does_not_matter_but_their_repetition_does()
    {
        Proof proof = ProofOf(Table("t", "a", "b", "c"));

        ProofOf(Table("t", "c", "a", "b")).Tables.ShouldBe(proof.Tables);
        ProofOf(Table("t", "a", "b", "b")).Tables["t"].Digest.ShouldNotBe(proof.Tables["t"].Digest);
        ProofOf(Table("t", "a", "b", "c", "c")).Tables["t"].Rows.ShouldBe(4);
    }

    [Fact]
    public void Moving_bytes_between_rows_changes_the_digest()
    {
        string digest = ProofOf(Table("t", "ab", "c")).Tables["t"].Digest;

        ProofOf(Table("t", "a", "bc")).Tables["t"].Digest.ShouldNotBe(digest);
        ProofOf(Table("t", "abc", "")).Tables["t"].Digest.ShouldNotBe(digest);
    }

    [Fact]
    public void One_byte_changed_in_any_row_changes_exactly_that_table()
    {
        Proof before = ProofOf(Rich);
        int start = Rich.IndexOf("1\tone", StringComparison.Ordinal);
        int end = Rich.IndexOf("-- no comment\tx", StringComparison.Ordinal) + "-- no comment\tx".Length;
        int changes = 0;
        for (int i = start; i < end; i++)
        {
            if (Rich[i] is '\n' or '\\' or '.')
            {
                continue; // another row, or the end of the table
            }

            Proof after = ProofOf($"{Rich[..i]}{(char)(Rich[i] ^ 1)}{Rich[(i + 1)..]}");
            ProofComparison.Of(before, after).Differences.ShouldBe(["table public.t: the 11 rows have other contents"]);
            changes++;
        }

        changes.ShouldBeGreaterThan(60);
    }

    [Fact]
    public void Sequences_have_their_value_and_whether_it_was_handed_out()
    {
        ProofOf(Rich)
            .Sequences.ShouldBe(
                new Dictionary<string, string> { ["public.\"it's, a \"\"seq\"\"\""] = "1,false", ["public.s"] = "42,true" }
            );
    }

    [Fact]
    public void Large_objects_are_digested_by_number_and_content_however_they_are_cut()
    {
        TableProof whole = LargeObjects(("16411", ["00ff102030"]), ("16412", [""]));

        whole.Rows.ShouldBe(2);
        whole.Bytes.ShouldBe(5);
        LargeObjects(("16411", ["00ff10", "2030"]), ("16412", [])).ShouldBe(whole);
        LargeObjects(("16412", []), ("16411", ["00", "ff", "10", "20", "30"])).ShouldBe(whole);
        LargeObjects(("16411", ["00ff102031"]), ("16412", [""])).Digest.ShouldNotBe(whole.Digest);
        LargeObjects(("16411", [""]), ("16412", ["00ff102030"])).Digest.ShouldNotBe(whole.Digest);
        LargeObjects(("16411", ["00ff10"]), ("16412", ["2030"])).Digest.ShouldNotBe(whole.Digest);
    }

    [Fact]
    public void The_digest_of_a_large_object_is_that_of_its_number_a_colon_and_its_bytes()
    {
        byte[] element = [.. "16411:"u8, 0x00, 0xff, 0x10, 0x20, 0x30];

        ProofOf(Rich).LargeObjects.Digest.ShouldBe(Convert.ToHexStringLower(SHA256.HashData(element)));
    }

    [Fact]
    public void All_bytes_of_data_are_counted()
    {
        Proof proof = ProofOf(Rich);

        proof.Bytes.ShouldBe(proof.Tables.Values.Sum(static t => t.Bytes) + 5);
    }

    private static TableProof LargeObjects(params (string Id, string[] Pieces)[] objects) =>
        ProofOf(
            string.Concat(
                objects.Select(static o =>
                    $"BEGIN;\n\nSELECT pg_catalog.lo_open('{o.Id}', 131072);\n"
                    + string.Concat(o.Pieces.Select(static p => $"SELECT pg_catalog.lowrite(0, '\\x{p}');\n"))
                    + "SELECT pg_catalog.lo_close(0);\n\nCOMMIT;\n"
                )
            )
        ).LargeObjects;

    private static BigInteger Sum(string[] rows) =>
        rows.Aggregate(
            BigInteger.Zero,
            static (sum, row) => sum + new BigInteger(SHA256.HashData(Encoding.UTF8.GetBytes(row)), isUnsigned: true, isBigEndian: true)
        );
}
