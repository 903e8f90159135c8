namespace PgBackup.Encryption;

/// <summary>
/// No encryption by us: for a config that says <c>none</c> in so many letters, or that relies on the stores (<c>provider</c>).
/// </summary>
public sealed class NoCipher(EncryptionKind kind = EncryptionKind.None) : ICipher
{
    /// <inheritdoc/>
    public string Kind { get; } =
        kind is EncryptionKind.None or EncryptionKind.Provider
            ? kind.Word()
            : throw new ArgumentOutOfRangeException(nameof(kind), kind, "it needs a cipher of its own");

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

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
