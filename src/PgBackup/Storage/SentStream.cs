using System.Security.Cryptography;
using PgBackup.Streams;

namespace PgBackup.Storage;

/// <summary>
/// What is sent to a remote: bytes that were read before, then the rest of a stream, which is not disposed. Counts the bytes, and
/// computes their SHA-256 and one more digest.
/// </summary>
internal sealed class SentStream : ForwardStream
{
    private readonly Stream? rest;
    private readonly IncrementalHash sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly IncrementalHash? second;
    private ReadOnlyMemory<byte> head;

    /// <summary>A stream of the head and the rest, if there is any; the second digest is asked for by its name in .NET.</summary>
    public SentStream(ReadOnlyMemory<byte> head, Stream? rest, HashAlgorithmName? second)
    {
        this.head = head;
        this.rest = rest;
        this.second = second is { } name ? IncrementalHash.CreateHash(name) : null;
    }

    /// <summary>The bytes read so far.</summary>
    public long Size { get; private set; }

    /// <summary>True when reading the rest threw: then that is the error to report, not what the tool made of it.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>The digests of what was read, SHA-256 and the other (the same, if no other was asked for). Reading on is not
    /// possible.</summary>
    public (string Sha256, string Second) Digests()
    {
        string first = Convert.ToHexStringLower(sha256.GetHashAndReset());
        return (first, second is null ? first : Convert.ToHexStringLower(second.GetHashAndReset()));
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count = head.Length > 0 ? FromHead(buffer) : await FromRestAsync(buffer, cancellationToken);
        Size += count;
        sha256.AppendData(buffer.Span[..count]);
        second?.AppendData(buffer.Span[..count]);
        return count;
    }

    /// <inheritdoc/>
    protected override ValueTask DisposeOnceAsync()
    {
        sha256.Dispose();
        second?.Dispose();
        return ValueTask.CompletedTask;
    }

    private int FromHead(Memory<byte> buffer)
    {
        int count = Math.Min(buffer.Length, head.Length);
        head[..count].CopyTo(buffer);
        head = head[count..];
        return count;
    }

    private async ValueTask<int> FromRestAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        if (rest is null)
        {
            return 0;
        }

        try
        {
            return await rest.ReadAsync(buffer, cancel);
        }
        catch
        {
            HasFailed = true;
            throw;
        }
    }
}
