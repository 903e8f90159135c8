namespace PgBackup;

/// <summary>A stream whose source is prepared at the first read.</summary>
internal sealed class DeferredStream(Func<CancellationToken, Task<Stream>> open, CancellationToken cancel) : ForwardStream
{
    private Stream? source;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        source ??= await open(cancel);
        return await source.ReadAsync(buffer, cancellationToken);
    }

    /// <inheritdoc/>
    protected override async ValueTask DisposeOnceAsync()
    {
        if (source is not null)
        {
            await source.DisposeAsync();
        }
    }
}
