using System.Text;

namespace PgBackup.Applications;

/// <summary>
/// Ory Kratos' tokens of social sign-ins (<c>initial_access_token</c> and its like in <c>identity_credentials.config</c>): hexadecimal, by
/// <c>ciphers.algorithm</c>. <c>aes</c>: a nonce of 12 bytes, the ciphertext and the tag of 16; AES-256-GCM; the key is a secret of
/// <c>secrets.cipher</c> itself, and Kratos ignores secrets that are not 32 bytes. <c>xchacha20-poly1305</c>: with a nonce of 24 bytes,
/// which
/// .NET has nothing for. <c>noop</c>: not encrypted, and what Kratos takes where its config names none (ory/kratos: cipher/,
/// driver/config/config.go with DefaultCipherAlgorithm, driver/registry_default.go).
/// </summary>
/// <param name="algorithm">One of the three words.</param>
internal sealed class KratosFormat(string algorithm) : IValueFormat
{
    private const int KeySize = 32;

    /// <inheritdoc/>
    public ValueVerdict Try(string value, IReadOnlyList<string> secrets) =>
        (algorithm, Encoded.Hex(value)) switch
        {
            (_, null) => new ValueVerdict(ValueState.Malformed, Why: "is not hexadecimal"),
            ("noop", _) => new ValueVerdict(ValueState.Plain),
            ("aes", { } bytes) => AesGcmValue.TryJoined(bytes, [.. secrets.Select(Key)]),
            _ => new ValueVerdict(ValueState.NotTestable, Why: $"is encrypted by {algorithm}, which .NET's own cryptography lacks"),
        };

    private static byte[]? Key(string secret) => Encoding.UTF8.GetBytes(secret) is { Length: KeySize } key ? key : null;
}
