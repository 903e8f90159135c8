using PgBackup.Streams;

namespace PgBackup.Tests;

/// <summary>A stream that gives some bytes and then fails, as a tool does that crashes in the middle.</summary>
internal sealed class BrokenStream(byte[] first) : ForwardStream
{
    private int given;

    public bool IsDisposed { get; private set; }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (given == first.Length)
        {
            throw new PgBackupException(ErrorCode.ToolFailed, "pg_dump failed with exit code 1");
        }

        int count = Math.Min(buffer.Length, first.Length - given);
        first.AsMemory(given, count).CopyTo(buffer);
        given += count;
        return ValueTask.FromResult(count);
    }

    protected override ValueTask DisposeOnceAsync()
    {
        IsDisposed = true;
        return ValueTask.CompletedTask;
    }
}
