using System.Security.Cryptography;
using System.Text;

namespace PgBackup.Applications;

/// <summary>
/// Encrypted values of Olympus' settings tables. <c>v2:NONCE:TAG:CIPHERTEXT</c>, each in base64: AES-256-GCM with a key that HKDF-SHA-256
/// derives from <c>ENCRYPTION_KEY</c>, without salt. Before version 1.0.41 of the SDK <c>NONCE:TAG:CIPHERTEXT</c>, with the SHA-256 of
/// <c>ENCRYPTION_KEY</c>. What has another form is clear text to the SDK (OlympusOSS/sdk: src/crypto.ts, docs/encryption.md). The very old
/// nonces of 16 bytes are nothing that .NET could decrypt.
/// </summary>
internal sealed class SettingsFormat : IValueFormat
{
    private const string Version2 = "v2:";

    /// <inheritdoc/>
    public ValueVerdict Try(string value, IReadOnlyList<string> secrets)
    {
        bool derived = value.StartsWith(Version2, StringComparison.Ordinal);
        if ((derived ? value[Version2.Length..] : value).Split(':') is not [string nonce, string tag, string encrypted])
        {
            return derived
                ? new ValueVerdict(ValueState.Malformed, Why: "has not three parts behind v2:")
                : new ValueVerdict(ValueState.Plain);
        }

        // Hexadecimal digits, which are accepted too, are also valid base64; the length of the nonce shows which it is.
        bool hex = Encoded.Hex(nonce) is { Length: AesGcmValue.NonceSize };
        return ((byte[]?[])[.. ((string[])[nonce, tag, encrypted]).Select(p => hex ? Encoded.Hex(p) : Encoded.Base64(p))]) switch
        {
            [{ Length: AesGcmValue.NonceSize } n, { Length: AesGcmValue.TagSize } t, { } e] => AesGcmValue.Try(
                n,
                e,
                t,
                [.. secrets.Select(s => Key(s, derived))]
            ),
            [{ Length: 16 }, { Length: AesGcmValue.TagSize }, not null] => new ValueVerdict(
                ValueState.NotTestable,
                Why: "has a nonce of 16 bytes, and .NET's AES-GCM takes 12 only"
            ),
            _ => new ValueVerdict(ValueState.Malformed, Why: "is not base64 of a nonce, a tag and a ciphertext"),
        };
    }

    private static byte[] Key(string secret, bool derived)
    {
        byte[] raw = Encoding.UTF8.GetBytes(secret);
        return derived
            ? HKDF.DeriveKey(HashAlgorithmName.SHA256, raw, 32, info: "olympus-settings-aes-256-gcm"u8.ToArray())
            : SHA256.HashData(raw);
    }
}
