using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;

namespace PgBackup.Storage.S3;

/// <summary>
/// The ETag that an S3 server gives to an object, where it gives digests at all: the MD5 of its bytes, or, of one that was sent in parts,
/// the MD5 of the parts' MD5s with their number. A check against damage, and no security measure.
/// </summary>
internal static class S3ETag
{
    /// <summary>Of an object that was sent in parts.</summary>
    /// <param name="digests">The MD5s of the parts.</param>
    public static string OfParts(IReadOnlyCollection<byte[]> digests)
    {
#pragma warning disable CA5351 // S3's own checksum
        byte[] all = MD5.HashData([.. digests.SelectMany(static d => d)]);
#pragma warning restore CA5351
        return string.Create(CultureInfo.InvariantCulture, $"{Convert.ToHexStringLower(all)}-{digests.Count}");
    }

    /// <summary>Of an object's bytes, as they are read back.</summary>
    /// <param name="content">The bytes.</param>
    /// <param name="partSizes">The sizes of its parts, or none for an object that was sent as one.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The ETag; that of another object if there are fewer or more bytes.</returns>
    public static async Task<string> OfContentAsync(Stream content, IReadOnlyList<long> partSizes, CancellationToken cancel)
    {
#pragma warning disable CA5351 // S3's own checksum
        using var md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
#pragma warning restore CA5351
        byte[] buffer = ArrayPool<byte>.Shared.Rent(1 << 18);
        List<byte[]> digests = [];
        try
        {
            long left = partSizes.Count > 0 ? partSizes[0] : long.MaxValue;
            int count;
            while ((count = await content.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, left)), cancel)) > 0)
            {
                md5.AppendData(buffer, 0, count);
                left -= count;
                if (left == 0)
                {
                    digests.Add(md5.GetHashAndReset());
                    left = digests.Count < partSizes.Count ? partSizes[digests.Count] : long.MaxValue;
                }
            }

            bool ended = partSizes.Count > 0 && digests.Count == partSizes.Count && left == long.MaxValue;
            return ended ? OfParts(digests)
                : partSizes.Count == 0 ? Convert.ToHexStringLower(md5.GetHashAndReset())
                : OfParts([.. digests, md5.GetHashAndReset()]);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
