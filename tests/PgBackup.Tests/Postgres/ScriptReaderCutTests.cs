using System.Text;
using PgBackup.Postgres;
using static PgBackup.Tests.Postgres.ScriptSample;

namespace PgBackup.Tests.Postgres;

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
    public void A_script_may_lack_its_last_line_end() => Everything([Bytes, .. "SELECT 1;"u8.ToArray().Chunk(2)])
        .ShouldBe(Everything([Bytes, "SELECT 1;\n"u8.ToArray()]).Replace($"\"BytesRead\":{Bytes.Length + 10}", $"\"BytesRead\":{Bytes.Length + 9}"));

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
    public void A_script_that_stops_in_the_middle_is_unreadable(string script) =>
        Should.Throw<PgBackupException>(() => ProofOf("SET a = 1;\n" + script)).Code.ShouldBe(ErrorCode.DumpUnreadable);

    [Fact]
    public void A_script_that_stops_anywhere_never_has_the_proof_of_the_whole_one()
    {
        string whole = WithoutBytes(Whole);
        int last = Rich.IndexOf("'a', 'b';", StringComparison.Ordinal) + "'a', 'b'".Length;
        int unreadable = 0;
        for (int i = 0; i < Encoding.UTF8.GetByteCount(Rich[..last]); i++)
        {
            try
            {
                WithoutBytes(Everything([Bytes[..i]])).ShouldNotBe(whole, $"stopped at {i}");
            }
            catch (PgBackupException e)
            {
                e.Code.ShouldBe(ErrorCode.DumpUnreadable);
                unreadable++;
            }
        }

        unreadable.ShouldBeGreaterThan(Bytes.Length / 2);
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

    private static string WithoutBytes(string everything) => everything[..everything.LastIndexOf("\"BytesRead\"", StringComparison.Ordinal)];
}
