using System.Globalization;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Storage.Rclone;

/// <summary>
/// What <c>rclone cat</c> gives, which must be as much as the object has. The first bytes are read when it is opened: from then on it is
/// that object, whatever happens to its name.
/// </summary>
internal sealed class RcloneObject(RcloneCommand rclone, string key, long size, ToolStream output) : ForwardStream
{
    private readonly byte[] first = new byte[64 * 1024];
    private Memory<byte> begun;
    private long given;

    /// <summary>Reads the first bytes, or throws why there are none.</summary>
    public async Task BeginAsync(CancellationToken cancel) => begun = first.AsMemory(0, await ReadOnAsync(first, cancel));

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (begun.IsEmpty)
        {
            return await ReadOnAsync(buffer, cancellationToken);
        }

        int count = Math.Min(begun.Length, buffer.Length);
        begun[..count].CopyTo(buffer);
        begun = begun[count..];
        return count;
    }

    /// <inheritdoc/>
    protected override ValueTask DisposeOnceAsync() => output.DisposeAsync();

    private async ValueTask<int> ReadOnAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        int count;
        try
        {
            count = await output.ReadAsync(buffer, cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ToolFailed)
        {
            throw RcloneCommand.IsMissing(output.Errors) ? rclone.Lacks(key) : rclone.Failure("cat", output.Errors, e);
        }

        given += count;
        return count > 0 || buffer.Length == 0 || size < 0 || given == size
            ? count
            : throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the store {rclone.Store} ({rclone.Location}) gave {given} of the {size} bytes of {key}."
                ),
                "The connection broke, or the object was replaced meanwhile: try again."
            )
            {
                IsTransient = true,
            };
    }
}
