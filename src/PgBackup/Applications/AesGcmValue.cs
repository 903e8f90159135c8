using System.Security.Cryptography;

namespace PgBackup.Applications;

/// <summary>AES-256-GCM by .NET's own implementation. A tag that is right shows that the key is the one that it was encrypted
/// with.</summary>
internal static class AesGcmValue
{
    /// <summary>The nonce's bytes; .NET takes no other number.</summary>
    public const int NonceSize = 12;

    /// <summary>The tag's bytes.</summary>
    public const int TagSize = 16;

    /// <summary>Tries keys of 32 bytes in their order; null stands for one that the service would not use.</summary>
    public static ValueVerdict Try(
        ReadOnlySpan<byte> nonce,
        ReadOnlySpan<byte> encrypted,
        ReadOnlySpan<byte> tag,
        IReadOnlyList<byte[]?> keys
    )
    {
        byte[] plain = new byte[encrypted.Length];
        for (int i = 0; i < keys.Count; i++)
        {
            if (keys[i] is not { } key)
            {
                continue;
            }

            try
            {
                using var aes = new AesGcm(key, TagSize);
                aes.Decrypt(nonce, encrypted, tag, plain);
                return new ValueVerdict(ValueState.Decrypts, i + 1);
            }
            catch (AuthenticationTagMismatchException)
            {
                // The next key.
            }
            finally
            {
                CryptographicOperations.ZeroMemory(plain);
                CryptographicOperations.ZeroMemory(key);
            }
        }

        return new ValueVerdict(ValueState.WrongKey);
    }

    /// <summary>The same for nonce, ciphertext and tag in one piece, in this order, as Go's <c>Seal</c> appends them to the
    /// nonce.</summary>
    public static ValueVerdict TryJoined(byte[] value, IReadOnlyList<byte[]?> keys) =>
        value.Length < NonceSize + TagSize
            ? new ValueVerdict(ValueState.Malformed, Why: "is too short for a nonce and a tag")
            : Try(value.AsSpan(0, NonceSize), value.AsSpan(NonceSize..^TagSize), value.AsSpan(^TagSize..), keys);
}
