using PgBackup.Streams;

namespace PgBackup.Tools;

/// <summary>The output of a tool without input, which is started at the first read: whatever fails before leaves nothing running.</summary>
internal sealed class DeferredTool(Func<CancellationToken, Task<ToolProcess>> start, CancellationToken cancel) : ForwardStream
{
    private ToolStream? output;

    /// <summary>The last lines that the tool wrote to stderr (warnings, when it succeeded).</summary>
    public IReadOnlyList<string> Errors => Quotation.Lines(output?.Errors ?? [], 50);

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        output ??= ToolStream.From(await start(cancel), cancel);
        return await output.ReadAsync(buffer, cancellationToken);
    }

    /// <inheritdoc/>
    protected override async ValueTask DisposeOnceAsync()
    {
        if (output is not null)
        {
            await output.DisposeAsync();
        }
    }
}
