using System.Security.Cryptography;

namespace PgBackup.Storage.S3;

/// <summary>The bytes of one part in memory, of which the SDK may read as often as it has to send them.</summary>
internal sealed class PartContent(PartMemory memory, IReadOnlyList<byte[]> blocks) : IDisposable
{
    private int disposed;

    /// <summary>The bytes in it.</summary>
    public long Size { get; private set; }

    /// <summary>No more fits in.</summary>
    public bool IsFull => Size == (long)blocks.Count * PartMemory.BlockBytes;

    /// <summary>Reads from a stream until full, or until the stream ends.</summary>
    public async Task FillAsync(Stream content, CancellationToken cancel)
    {
        while (!IsFull)
        {
            byte[] block = blocks[(int)(Size / PartMemory.BlockBytes)];
            int count = await content.ReadAsync(block.AsMemory((int)(Size % PartMemory.BlockBytes)), cancel);
            if (count == 0)
            {
                return;
            }

            Size += count;
        }
    }

    /// <summary>The MD5 of the bytes, which S3 takes as Content-MD5: a check against damage on the way, not a security measure.</summary>
    public byte[] Md5()
    {
#pragma warning disable CA5351 // S3's own checksum of parts and ETags
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
#pragma warning restore CA5351
        long left = Size;
        foreach (byte[] block in blocks)
        {
            int count = (int)Math.Min(left, block.Length);
            hash.AppendData(block, 0, count);
            left -= count;
        }

        return hash.GetHashAndReset();
    }

    /// <summary>A new stream over the bytes, at their start.</summary>
    /// <param name="reading">Called whenever some of them are read.</param>
    public Stream Open(Action? reading = null) => new Reader(blocks, Size, reading);

    /// <summary>Gives the memory back. May be called twice.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            memory.Return(blocks);
        }
    }

    private sealed class Reader(IReadOnlyList<byte[]> blocks, long size, Action? reading) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length => size;

        public override long Position { get; set; }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            int inBlock = (int)(Position % PartMemory.BlockBytes);
            int count = (int)Math.Min(Math.Min(buffer.Length, size - Position), PartMemory.BlockBytes - inBlock);
            if (count <= 0)
            {
                return 0;
            }

            reading?.Invoke();
            blocks[(int)(Position / PartMemory.BlockBytes)].AsSpan(inBlock, count).CopyTo(buffer);
            Position += count;
            return count;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(Read(buffer.Span));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            Task.FromResult(Read(buffer.AsSpan(offset, count)));

        public override long Seek(long offset, SeekOrigin origin) =>
            Position = origin switch
            {
                SeekOrigin.Begin => offset,
                SeekOrigin.Current => Position + offset,
                _ => size + offset,
            };

        public override void Flush() { }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
