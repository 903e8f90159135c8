namespace PgBackup.Streams;

/// <summary>A stream whose source is prepared at the first read.</summary>
/// <param name="open">Prepares it.</param>
/// <param name="cancel">Gives up.</param>
/// <param name="input">What the source will own; disposed where it never was prepared.</param>
internal sealed class DeferredStream(Func<CancellationToken, Task<Stream>> open, CancellationToken cancel, Stream? input = null)
    : ForwardStream
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
        if ((source ?? input) is { } owned)
        {
            await owned.DisposeAsync();
        }
    }
}
