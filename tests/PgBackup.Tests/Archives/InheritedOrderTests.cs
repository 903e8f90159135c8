using PgBackup.Archives;
using PgBackup.Proofs;
using static PgBackup.Tests.Archives.ScriptSample;

namespace PgBackup.Tests.Archives;

public sealed class InheritedOrderTests
{
    private const string Original = "CREATE TABLE public.child (\n    b integer,\n    a integer\n)\nINHERITS (public.parent);\n";
    private const string Restored = "CREATE TABLE public.child (\n    a integer,\n    b integer\n)\nINHERITS (public.parent);\n";

    [Fact]
    public void A_child_table_is_the_same_whatever_the_order_of_its_columns()
    {
        Proof original = ProofOf(Original + "COPY public.child (b, a, \"Odd, name\") FROM stdin;\n1\t2\tx\n\\N\t4\t\n\\.\n");
        Proof restored = ProofOf(Restored + "COPY public.child (\"Odd, name\", a, b) FROM stdin;\n\t4\t\\N\nx\t2\t1\n\\.\n");

        ProofComparison.Of(original, restored).Differences.ShouldBeEmpty();
        original.Tables["public.child"].Rows.ShouldBe(2);
    }

    [Fact]
    public void Values_that_changed_columns_are_a_difference()
    {
        Proof original = ProofOf(Original + "COPY public.child (b, a) FROM stdin;\n1\t2\n\\.\n");
        Proof swapped = ProofOf(Restored + "COPY public.child (a, b) FROM stdin;\n1\t2\n\\.\n");

        ProofComparison.Of(original, swapped).Differences.ShouldHaveSingleItem().ShouldContain("public.child");
    }

    [Fact]
    public void The_order_of_columns_counts_where_nothing_is_inherited()
    {
        Proof one = ProofOf("CREATE TABLE public.t (\n    b integer,\n    a integer\n);\nCOPY public.t (b, a) FROM stdin;\n1\t2\n\\.\n");
        Proof other = ProofOf("CREATE TABLE public.t (\n    a integer,\n    b integer\n);\nCOPY public.t (a, b) FROM stdin;\n2\t1\n\\.\n");

        ProofComparison.Of(one, other).Differences.Count.ShouldBe(2);
    }

    [Fact]
    public void Another_type_of_a_childs_column_is_a_difference()
    {
        Proof other = ProofOf(Original.Replace("b integer", "b bigint", StringComparison.Ordinal));

        ProofComparison.Of(ProofOf(Original), other).Differences.ShouldHaveSingleItem().ShouldContain("schema");
    }

    [Theory]
    [InlineData("(z, \"x (d, a\", b)")]
    [InlineData("(z, \"x (\", b)")]
    [InlineData("(z, \"c) FROM stdin;\", \"(b\")")]
    public void Every_column_counts_whatever_its_name(string columns)
    {
        string copy = $"COPY public.child {columns} FROM stdin;\n";
        string digest = ProofOf($"{Original}{copy}1\t2\t3\n\\.\n").Tables["public.child"].Digest;

        foreach (string other in (string[])["0\t2\t3", "1\t0\t3", "1\t2\t0", "1\t3\t2", "3\t2\t1"])
        {
            ProofOf($"{Original}{copy}{other}\n\\.\n").Tables["public.child"].Digest.ShouldNotBe(digest, other);
        }
    }

    [Fact]
    public void A_child_table_may_have_no_columns_and_an_odd_name()
    {
        Proof proof = ProofOf("CREATE TABLE public.\"a (b\" (\n)\nINHERITS (public.parent);\nCOPY public.\"a (b\"  FROM stdin;\n\n\n\\.\n");

        proof.Tables["public.\"a (b\""].Rows.ShouldBe(2);
    }

    [Fact]
    public void Rows_of_a_child_table_may_come_in_pieces()
    {
        byte[] script = System.Text.Encoding.UTF8.GetBytes(Original + "COPY public.child (b, a) FROM stdin;\n1\t2\n33\t44\n\\.\n" + End);
        using ScriptReader whole = Read([script]);
        using ScriptReader byByte = Read(script.Select(static b => new[] { b }));

        Everything(byByte).ShouldBe(Everything(whole));
    }
}
