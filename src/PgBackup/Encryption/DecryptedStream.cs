using PgBackup.Streams;

namespace PgBackup.Encryption;

/// <summary>Decryption whose failure for lack of the right key is reported as that, not as an exit code.</summary>
internal sealed class DecryptedStream(Stream inner, string[] signs, string what, string remedy) : ForwardStream
{
    /// <summary>Is called when all of it was read.</summary>
    public Action AtEnd { get; init; } = static () => { };

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            int count = await inner.ReadAsync(buffer, cancellationToken);
            if (count == 0 && !buffer.IsEmpty)
            {
                AtEnd();
            }

            return count;
        }
        catch (PgBackupException e)
            when (e.Code == ErrorCode.ToolFailed && signs.Any(s => e.Message.Contains(s, StringComparison.OrdinalIgnoreCase)))
        {
            throw new PgBackupException(ErrorCode.IdentityUnusable, what, remedy, e);
        }
    }

    /// <inheritdoc/>
    protected override ValueTask DisposeOnceAsync() => inner.DisposeAsync();
}
