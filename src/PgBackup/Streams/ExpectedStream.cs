using System.Globalization;
using System.Security.Cryptography;

namespace PgBackup.Streams;

/// <summary>
/// Passes a stream through whose SHA-256 is known, and its size, unless that is null. Something longer throws at the first byte too many,
/// and anything else that differs at the last read: its end means that it was right.
/// </summary>
internal sealed class ExpectedStream(Stream inner, long? size, string sha256, string what) : ForwardStream
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private bool ended;

    /// <summary>The bytes read so far.</summary>
    public long BytesRead { get; private set; }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // A read for nothing says nothing about the end.
        if (ended || buffer.Length == 0)
        {
            return 0;
        }

        int count = await inner.ReadAsync(buffer, cancellationToken);
        BytesRead += count;
        if (BytesRead > size)
        {
            throw Damaged(string.Create(CultureInfo.InvariantCulture, $"it has more bytes than the {size} that it should have"));
        }

        if (count > 0)
        {
            hash.AppendData(buffer.Span[..count]);
            return count;
        }

        if (BytesRead < size)
        {
            throw Damaged(string.Create(CultureInfo.InvariantCulture, $"it has {BytesRead} bytes, and should have {size}"));
        }

        if (Convert.ToHexStringLower(hash.GetCurrentHash()) != sha256)
        {
            throw Damaged("its content was changed (its SHA-256 is not that of the manifest)");
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

    private PgBackupException Damaged(string why) =>
        new(
            ErrorCode.ObjectDamaged,
            $"{what} is damaged: {why}.",
            "`olympus-pgbackup check --read-data --repair` copies a good one of another store over it."
        );
}
