using System.Security.Cryptography;
using PgBackup.Proofs;
using PgBackup.Streams;

namespace PgBackup.Archives;

/// <summary>
/// A dump passing by: each piece that is read is also hashed and decoded, and the last read waits until the whole dump has been
/// read back. What reads this stream to its end has a dump that is known to be readable, and <see cref="Proof"/> says of what.
/// </summary>
internal sealed class ProvingStream(Stream dump, ArchiveDecoder decoder) : ForwardStream
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Asked when the dump has ended, beside the end of its reading; the stream ends only if it does not throw.</summary>
    public Func<CancellationToken, Task> Confirm { get; init; } = static _ => Task.CompletedTask;

    /// <summary>The proof, after the end of the stream.</summary>
    public Proof? Proof { get; private set; }

    /// <summary>The SHA-256 of the plain dump in hexadecimal, after the end of the stream.</summary>
    public string? Sha256 { get; private set; }

    /// <summary>The bytes of the plain dump.</summary>
    public long BytesRead { get; private set; }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Proof is not null)
        {
            return 0;
        }

        int count = await dump.ReadAsync(buffer, cancellationToken);
        if (count > 0)
        {
            BytesRead += count;
            hash.AppendData(buffer.Span[..count]);
            decoder.Write(buffer.Span[..count]);
        }
        else
        {
            Task confirming = Confirm(cancellationToken);
            Proof proof;
            try
            {
                proof = await decoder.FinishAsync(cancellationToken);
            }
            finally
            {
                await confirming.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            await confirming;
            Sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
            Proof = proof;
        }

        return count;
    }

    /// <inheritdoc/>
    protected override async ValueTask DisposeOnceAsync()
    {
        await decoder.DisposeAsync();
        await dump.DisposeAsync();
        hash.Dispose();
    }
}
