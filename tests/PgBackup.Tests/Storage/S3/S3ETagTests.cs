using System.Security.Cryptography;
using PgBackup.Storage.S3;

namespace PgBackup.Tests.Storage.S3;

/// <summary>What is read back from a store whose ETags are no digests is compared part by part.</summary>
public sealed class S3ETagTests
{
    private static readonly byte[] Bytes = [.. Enumerable.Range(0, 700_000).Select(static n => (byte)(n * 7))];

    [Theory]
    [InlineData()]
    [InlineData(700_000)]
    [InlineData(262_144, 262_144, 175_712)]
    [InlineData(300_000, 300_000, 100_000)]
    public async Task The_bytes_that_were_sent_have_the_ETag_of_what_was_sent(params int[] parts)
    {
        (await ReadBackAsync(Bytes, parts)).ShouldBe(Sent(parts));
    }

    [Fact]
    public void An_ETag_of_parts_is_that_of_md5sum_and_xxd() => // printf abc | md5sum; printf def | md5sum; both through xxd -r -p | md5sum
        S3ETag.OfParts([Md5("abc"u8), Md5("def"u8)]).ShouldBe("4c8e93283780e078db9e0c6b9b3f8043-2");

    [Theory]
    [InlineData("longer")]
    [InlineData("shorter")]
    [InlineData("other")]
    [InlineData("empty")]
    public async Task Other_bytes_have_another(string how)
    {
        byte[] other = how switch
        {
            "longer" => [.. Bytes, 0],
            "shorter" => Bytes[..^1],
            "empty" => [],
            _ => [.. Bytes[..^1], (byte)(Bytes[^1] ^ 1)],
        };
        foreach (
            int[] parts in (int[][])
                [
                    [],
                    [700_000],
                    [300_000, 300_000, 100_000],
                ]
        )
        {
            (await ReadBackAsync(other, parts)).ShouldNotBe(Sent(parts));
        }
    }

    private static async Task<string> ReadBackAsync(byte[] bytes, int[] parts)
    {
        using var content = new MemoryStream(bytes);
        return await S3ETag.OfContentAsync(content, [.. parts.Select(static p => (long)p)], Cancel);
    }

    private static string Sent(int[] parts)
    {
        if (parts.Length == 0)
        {
            return Convert.ToHexStringLower(Md5(Bytes));
        }

        List<byte[]> digests = [];
        int start = 0;
        foreach (int size in parts)
        {
            digests.Add(Md5(Bytes.AsSpan(start, size)));
            start += size;
        }

        return S3ETag.OfParts(digests);
    }

    private static byte[] Md5(ReadOnlySpan<byte> bytes)
    {
#pragma warning disable CA5351 // S3's own checksum
        return MD5.HashData(bytes);
#pragma warning restore CA5351
    }
}
