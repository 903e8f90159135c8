using System.Security.Cryptography;
using System.Text;

namespace PgBackup.Snapshots;

/// <summary>
/// What stands in <c>manifest.sha256</c>: the SHA-256 of the manifest, as <c>sha256sum -c</c> reads it. It finds an accident, not a forger,
/// who would write both.
/// </summary>
internal static class ManifestSum
{
    private const string Tail = $"  {SnapshotLayout.Manifest}\n";
    private const int HexLength = 64;

    /// <summary>The text for a manifest.</summary>
    public static byte[] Of(ReadOnlySpan<byte> manifest) => Encoding.UTF8.GetBytes(Digest(manifest) + Tail);

    /// <summary>A digest, as the manifest and its sum write it.</summary>
    public static string Digest(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>The digest that a text names; null where it is no such text.</summary>
    public static string? Read(ReadOnlySpan<byte> text)
    {
        string line = Encoding.UTF8.GetString(text);
        return
            line.Length == HexLength + Tail.Length
            && line.EndsWith(Tail, StringComparison.Ordinal)
            && line[..HexLength].All(char.IsAsciiHexDigitLower)
            ? line[..HexLength]
            : null;
    }
}
