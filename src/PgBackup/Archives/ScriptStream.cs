using PgBackup.Proofs;
using PgBackup.Streams;

namespace PgBackup.Archives;

/// <summary>A plain SQL script passing by: read to its end, it has a proof.</summary>
internal sealed class ScriptStream(Stream inner, int dumpMajor) : ForwardStream
{
    private readonly ScriptReader script = new();

    /// <summary>Called at the end of the stream.</summary>
    public Action Ended { get; init; } = static () => { };

    /// <summary>The proof, after the end of the stream.</summary>
    public Proof? Proof { get; private set; }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count = await inner.ReadAsync(buffer, cancellationToken);
        if (count > 0)
        {
            script.Read(buffer.Span[..count]);
        }
        else
        {
            Proof ??= script.Finish(dumpMajor);
            Ended();
        }

        return count;
    }

    /// <inheritdoc/>
    protected override async ValueTask DisposeOnceAsync()
    {
        await inner.DisposeAsync();
        script.Dispose();
    }
}
