using PgBackup.Tools;

namespace PgBackup.Encryption;

/// <summary>
/// What <c>gpg --decrypt --status-fd 2</c> writes, whose end means that a whole message was decrypted. The exit code does not say so:
/// it is 0, and nothing comes out, for a message that is cut within its list of recipients, and for one that is not encrypted at all.
/// </summary>
internal sealed class GpgPlaintext(ToolStream output) : ForwardStream
{
    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count = await output.ReadAsync(buffer, cancellationToken);
        return count > 0 || buffer.IsEmpty || output.Errors.Contains(ToolFailure.GpgStatus + "DECRYPTION_OKAY")
            ? count
            : throw new PgBackupException(ErrorCode.ToolFailed, "gpg --decrypt found no whole encrypted message: what is stored is cut short, or is something else.");
    }

    /// <inheritdoc/>
    protected override ValueTask DisposeOnceAsync() => output.DisposeAsync();
}
