using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using PgBackup.Proofs;

namespace PgBackup.Tests.Proofs;

public sealed class ContentDigestTests
{
    [Fact]
    public void Nothing_is_64_zeros()
    {
        var digest = new ContentDigest();

        digest.ToString().ShouldBe(new string('0', 64));
        digest.Count.ShouldBe(0);
    }

    [Fact]
    public void It_is_the_sum_of_the_hashes_modulo_two_to_the_256()
    {
        var digest = new ContentDigest();
        BigInteger sum = BigInteger.Zero;
        for (int i = 0; i < 2000; i++)
        {
            byte[] content = Encoding.UTF8.GetBytes($"row {i}");
            digest.AddContent(content);
            sum += new BigInteger(SHA256.HashData(content), isUnsigned: true, isBigEndian: true);
            digest.ToString().ShouldBe(Hex(sum));
        }

        digest.Count.ShouldBe(2000);
    }

    [Theory]
    [InlineData("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "01")]
    [InlineData(
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    )]
    [InlineData("ffffffffffffffff", "01")]
    [InlineData("ffffffffffffffffffffffffffffffff", "01")]
    [InlineData("00ffffffffffffffffffffffffffffffffffffffffffffffff", "01")]
    [InlineData("ffffffffffffffff0000000000000000", "00000000000000010000000000000000")]
    [InlineData(
        "8000000000000000ffffffffffffffffffffffffffffffffffffffffffffffff",
        "8000000000000000000000000000000000000000000000000000000000000001"
    )]
    public void Carries_go_through_all_words(string first, string second)
    {
        var digest = new ContentDigest();
        digest.Add(Convert.FromHexString(first.PadLeft(64, '0')));
        digest.Add(Convert.FromHexString(second.PadLeft(64, '0')));

        digest.ToString().ShouldBe(Hex(Number(first) + Number(second)));
    }

    [Fact]
    public void Order_does_not_matter_and_repetition_does()
    {
        Sum("a", "b", "c").ShouldBe(Sum("c", "a", "b"));
        Sum("a", "b").ShouldNotBe(Sum("a", "b", "b"));
        Sum("a", "a").ShouldNotBe(Sum("b", "b"));
    }

    internal static string Hex(BigInteger sum) => (sum % BigInteger.Pow(2, 256)).ToString("x64", CultureInfo.InvariantCulture)[^64..];

    private static BigInteger Number(string hex) => BigInteger.Parse("0" + hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static string Sum(params string[] contents)
    {
        var digest = new ContentDigest();
        foreach (string content in contents)
        {
            digest.AddContent(Encoding.UTF8.GetBytes(content));
        }

        return digest.ToString();
    }
}
