using System.Globalization;
using System.Security.Cryptography;

namespace PgBackup;

/// <summary>Passes a stream through whose size and SHA-256 are known; its last read throws if it was something else.</summary>
internal sealed class ExpectedStream(Stream inner, long size, string sha256, string what) : ForwardStream
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private bool ended;

    /// <summary>The bytes read so far.</summary>
    public long BytesRead { get; private set; }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (ended)
        {
            return 0;
        }

        int count = await inner.ReadAsync(buffer, cancellationToken);
        if (count > 0)
        {
            BytesRead += count;
            hash.AppendData(buffer.Span[..count]);
            return count;
        }

        string? wrong = BytesRead != size ? string.Create(CultureInfo.InvariantCulture, $"it has {BytesRead} bytes, and should have {size}")
            : Convert.ToHexStringLower(hash.GetHashAndReset()) != sha256 ? "its content was changed (its SHA-256 is not that of the manifest)"
            : null;
        if (wrong is not null && buffer.Length > 0)
        {
            throw new PgBackupException(ErrorCode.ObjectDamaged, $"{what} is damaged: {wrong}.");
        }

        ended = true;
        return 0;
    }

    /// <inheritdoc/>
    protected override async ValueTask DisposeOnceAsync()
    {
        await inner.DisposeAsync();
        hash.Dispose();
    }
}
