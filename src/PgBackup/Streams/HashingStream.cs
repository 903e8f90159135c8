using System.Security.Cryptography;

namespace PgBackup.Streams;

/// <summary>Passes a stream through, counting its bytes and computing their SHA-256.</summary>
internal sealed class HashingStream(Stream inner) : ForwardStream
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private string? sha256;

    /// <summary>The bytes read so far.</summary>
    public long BytesRead { get; private set; }

    /// <summary>The SHA-256 of everything read so far, in hexadecimal. Reading on afterwards is not possible.</summary>
    public string Sha256 => sha256 ??= Convert.ToHexStringLower(hash.GetHashAndReset());

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count = await inner.ReadAsync(buffer, cancellationToken);
        if (count > 0)
        {
            BytesRead += count;
            hash.AppendData(buffer.Span[..count]);
        }

        return count;
    }

    /// <inheritdoc/>
    protected override async ValueTask DisposeOnceAsync()
    {
        await inner.DisposeAsync();
        hash.Dispose();
    }
}
