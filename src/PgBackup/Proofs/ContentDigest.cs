using System.Buffers.Binary;
using System.Security.Cryptography;

namespace PgBackup.Proofs;

/// <summary>
/// A digest of a multiset: the SHA-256 of each element, added modulo 2^256. Order does not matter, repetition does.
/// It shows accidental differences and makes two equal sums of different contents infeasible by chance; what was stored is
/// protected against intent by the SHA-256 of whole objects, not by this.
/// </summary>
internal sealed class ContentDigest
{
    private ulong a,
        b,
        c,
        d;

    /// <summary>The number of elements.</summary>
    public long Count { get; private set; }

    /// <summary>Adds one element by its SHA-256 (32 bytes).</summary>
    public void Add(ReadOnlySpan<byte> sha256)
    {
        ulong carry = 0;
        d = AddWithCarry(d, BinaryPrimitives.ReadUInt64BigEndian(sha256[24..]), ref carry);
        c = AddWithCarry(c, BinaryPrimitives.ReadUInt64BigEndian(sha256[16..]), ref carry);
        b = AddWithCarry(b, BinaryPrimitives.ReadUInt64BigEndian(sha256[8..]), ref carry);
        a = AddWithCarry(a, BinaryPrimitives.ReadUInt64BigEndian(sha256), ref carry);
        Count++;
    }

    /// <summary>Adds one element by its bytes.</summary>
    public void AddContent(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(content, hash);
        Add(hash);
    }

    /// <summary>The sum as 64 hexadecimal digits.</summary>
    public override string ToString() => $"{a:x16}{b:x16}{c:x16}{d:x16}";

    private static ulong AddWithCarry(ulong x, ulong y, ref ulong carry)
    {
        ulong sum = x + y;
        ulong over = sum < x ? 1UL : 0;
        sum += carry;
        over |= sum < carry ? 1UL : 0;
        carry = over;
        return sum;
    }
}
