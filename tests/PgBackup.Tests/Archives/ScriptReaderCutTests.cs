using System.Text;
using PgBackup.Archives;
using PgBackup.Proofs;
using static PgBackup.Tests.Archives.ScriptSample;

namespace PgBackup.Tests.Archives;

/// <summary>A script comes in pieces of any size, and may stop anywhere.</summary>
public sealed class ScriptReaderCutTests
{
    private static readonly byte[] Bytes = Encoding.UTF8.GetBytes(Rich);
    private static readonly string Whole = Everything([Bytes]);

    [Fact]
    public void A_cut_at_any_byte_gives_the_same_proof()
    {
        for (int i = 0; i <= Bytes.Length; i++)
        {
            Everything([Bytes[..i], Bytes[i..]]).ShouldBe(Whole, $"cut at {i}");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(61)]
    public void Pieces_of_any_size_give_the_same_proof(int size) => Everything(Bytes.Chunk(size)).ShouldBe(Whole);

    [Fact]
    public void A_script_may_lack_its_last_line_end()
    {
        using ScriptReader reader = Read("CREATE TABLE t ();\n" + End.TrimEnd());

        reader.Finish(17).Schema.ShouldBe(ProofOf("CREATE TABLE t ();\n").Schema);
    }

    [Theory]
    [InlineData("COPY public.t (a) FROM stdin;\n")]
    [InlineData("COPY public.t (a) FROM stdin;\n1\n")]
    [InlineData("COPY public.t (a) FROM stdin;\n1")]
    [InlineData("COPY public.t (a) FROM stdin;\n1\n\\")]
    [InlineData("COPY public.t (a) FROM stdin;\n1\n\\.")]
    [InlineData("COPY public.t (a) FROM std")]
    [InlineData("SELECT 1")]
    [InlineData("CREATE TABLE t (\n    a integer\n")]
    [InlineData("CREATE FUNCTION f() AS $$\nSELECT 1;\n")]
    [InlineData("COMMENT ON TABLE t IS 'a;\n")]
    public void A_script_that_stops_in_the_middle_is_unreadable(string script)
    {
        Unreadable("SET a = 1;\n" + script);
        Unreadable("SET a = 1;\n" + script + End);
    }

    [Theory]
    [InlineData("")]
    [InlineData("CREATE TABLE t ();\n")]
    [InlineData("COPY public.t (a) FROM stdin;\n1\n\\.\n")]
    [InlineData(End + "CREATE TABLE t ();\n")]
    [InlineData(" " + End)]
    [InlineData("COPY public.t (a) FROM stdin;\n" + End + "\\.\n")]
    [InlineData("CREATE FUNCTION f() AS $$\n" + End + "$$;\n")]
    public void A_script_without_its_last_line_is_unreadable(string script) => Unreadable(script);

    [Fact]
    public void The_last_line_of_a_script_of_roles_is_another_one()
    {
        using ScriptReader reader = Read("CREATE ROLE ops;\n-- PostgreSQL database cluster dump complete\n");

        reader.Finish(17).Schema.Count.ShouldBe(1);
    }

    [Fact]
    public void A_script_that_stops_anywhere_is_unreadable()
    {
        int last = Encoding.UTF8.GetByteCount(Rich[..(Rich.IndexOf(End, StringComparison.Ordinal) + End.Length - 1)]);
        for (int i = 0; i < last; i++)
        {
            using ScriptReader reader = Read([Bytes[..i]]);
            Should.Throw<PgBackupException>(() => reader.Finish(17), $"stopped at {i}").Code.ShouldBe(ErrorCode.DumpUnreadable);
        }
    }

    [Fact]
    public async Task A_stream_of_a_script_has_its_proof_at_its_end_and_passes_it_on_unchanged()
    {
        await using var stream = new ScriptStream(new MemoryStream(Bytes), 17);
        using var copy = new MemoryStream();

        stream.Proof.ShouldBeNull();
        await stream.CopyToAsync(copy, Cancel);

        copy.ToArray().ShouldBe(Bytes);
        ProofComparison.Of(ProofOf(Rich), stream.Proof.ShouldNotBeNull()).Differences.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_stream_of_a_truncated_script_throws_at_its_end()
    {
        await using var stream = new ScriptStream(new MemoryStream("COPY t (a) FROM stdin;\n1\n"u8.ToArray()), 17);

        (await Should.ThrowAsync<PgBackupException>(() => stream.CopyToAsync(Stream.Null, Cancel))).Code.ShouldBe(ErrorCode.DumpUnreadable);
    }

    private static string Everything(IEnumerable<byte[]> pieces)
    {
        using ScriptReader reader = Read(pieces);
        return ScriptSample.Everything(reader);
    }

    private static void Unreadable(string script)
    {
        using ScriptReader reader = Read(script);
        Should.Throw<PgBackupException>(() => reader.Finish(17)).Code.ShouldBe(ErrorCode.DumpUnreadable);
    }
}
