namespace PgBackup.Encryption;

/// <summary>
/// No encryption by us: for a config that says <c>none</c> in so many letters, or that relies on the stores (<c>provider</c>).
/// </summary>
public sealed class NoCipher(string kind = NoCipher.None) : ICipher
{
    /// <summary>The kind that encrypts nowhere.</summary>
    public const string None = "none";

    /// <summary>The kind where each store encrypts, and is held to it.</summary>
    public const string Provider = "provider";

    /// <inheritdoc/>
    public string Kind => kind;

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
