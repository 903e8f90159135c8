namespace PgBackup.Encryption;

/// <summary>
/// Encrypts streams to recipients and decrypts them with an identity, by an outside tool. Disposing of it removes the copies of keys that
/// it made, and may be done twice.
/// </summary>
public interface ICipher : IAsyncDisposable
{
    /// <summary>The word in config and manifest (<see cref="EncryptionKinds.Word"/>).</summary>
    string Kind { get; }

    /// <summary>What is added to an object's name: <c>.gpg</c>, <c>.age</c> or nothing.</summary>
    string Extension { get; }

    /// <summary>Checks, before any dump starts, that every recipient can be encrypted to, by really doing it once.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.RecipientUnusable"/> or <see cref="ErrorCode.ToolMissing"/>.</exception>
    Task<IReadOnlyList<Recipient>> CheckAsync(CancellationToken cancel);

    /// <summary>
    /// The ciphertext of a stream, which the result owns. Its end means that the tool succeeded and that the plaintext was whole.
    /// </summary>
    Stream Encrypt(Stream plain, CancellationToken cancel);

    /// <summary>True when a private key for these recipients seems to be at hand; its passphrase may still be unknown.</summary>
    Task<bool> HasIdentityAsync(CancellationToken cancel);

    /// <summary>The plaintext of a stream, which the result owns. Its end means that it was whole and authentic.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.IdentityUnusable"/>, here or at a read, with the fingerprints that would do.
    /// </exception>
    Stream Decrypt(Stream stored, CancellationToken cancel);

    /// <summary>
    /// The same with each private key of the identity alone, where there are several and the tool does not say which one it used; else
    /// this one. Disposing of this one ends them too.
    /// </summary>
    Task<IReadOnlyList<ICipher>> WithEachKeyAsync(CancellationToken cancel) => Task.FromResult<IReadOnlyList<ICipher>>([this]);

    /// <summary>
    /// Of a cipher that <see cref="WithEachKeyAsync"/> gave: the fingerprint, as in <see cref="Recipient.Fingerprint"/>, of the key
    /// that decrypted the last stream to its end; null when none did yet, or it is not known.
    /// </summary>
    string? DecryptedBy => null;
}

/// <summary>Someone who can decrypt.</summary>
public sealed record Recipient
{
    /// <summary>As written in the config.</summary>
    public required string Name { get; init; }

    /// <summary>The full fingerprint of the gpg key, or the age public key.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>When a gpg key stops being usable for new encryption, in UTC; null for never.</summary>
    public DateTimeOffset? Expires { get; init; }
}
