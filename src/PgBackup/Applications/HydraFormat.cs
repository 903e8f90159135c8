using System.Security.Cryptography;
using System.Text;

namespace PgBackup.Applications;

/// <summary>
/// Ory Hydra's <c>hydra_jwk.keydata</c>: base64 with the alphabet of URLs, of a nonce of 12 bytes, the ciphertext and the tag of 16;
/// AES-256-GCM without additional data; the key is the SHA-256 of a secret of <c>secrets.system</c>, the first of which encrypts and all of
/// which decrypt (ory/hydra: aead/aesgcm.go, driver/config/provider_fosite.go, x/secret.go; the same in 1.x and 2.x).
/// </summary>
internal sealed class HydraFormat : IValueFormat
{
    /// <inheritdoc/>
    public ValueVerdict Try(string value, IReadOnlyList<string> secrets) =>
        Encoded.Base64(value) is { } bytes
            ? AesGcmValue.TryJoined(bytes, [.. secrets.Select(static s => SHA256.HashData(Encoding.UTF8.GetBytes(s)))])
            : new ValueVerdict(ValueState.Malformed, Why: "is not base64");
}
