namespace PgBackup.Encryption;

/// <summary>No encryption, for a config that says <c>none</c> in so many letters.</summary>
public sealed class NoCipher : ICipher
{
    /// <inheritdoc/>
    public string Kind => "none";

    /// <inheritdoc/>
    public string Extension => "";

    /// <inheritdoc/>
    public Task<IReadOnlyList<Recipient>> CheckAsync(CancellationToken cancel) => Task.FromResult<IReadOnlyList<Recipient>>([]);

    /// <inheritdoc/>
    public Stream Encrypt(Stream plain, CancellationToken cancel) => plain;

    /// <inheritdoc/>
    public Task<bool> HasIdentityAsync(CancellationToken cancel) => Task.FromResult(true);

    /// <inheritdoc/>
    public Stream Decrypt(Stream stored, CancellationToken cancel) => stored;
}
