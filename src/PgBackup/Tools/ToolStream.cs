using PgBackup.Streams;

namespace PgBackup.Tools;

/// <summary>
/// A tool's output as a stream whose end means success: the last read waits for the exit of the tool and for its input to have
/// been fed whole, and throws if either failed. Disposed before its end, it kills the tool.
/// </summary>
/// <remarks>
/// If what feeds the tool fails, the tool is killed before its stdin is closed: age and rclone rcat happily finish a truncated
/// input with exit code 0.
/// Reads and writes block their thread, as pipes do. The asynchronous ones of .NET go by epoll, which meant three changes of thread for
/// each few kilobytes, and took as much CPU time as the hashing. A cancellation kills the tool, and that ends the read.
/// </remarks>
internal sealed class ToolStream : ForwardStream
{
    private readonly ToolProcess tool;
    private readonly Task feed;
    private readonly Stream? source;
    private readonly CancellationTokenSource stop;
    private readonly CancellationTokenRegistration killing;
    private bool inputRefused;
    private bool ended;

    private ToolStream(ToolProcess tool, Stream? source, CancellationToken cancel)
    {
        this.tool = tool;
        this.source = source;
        stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        killing = stop.Token.Register(tool.Kill);
        feed = source is null ? CloseInputAsync() : Task.Run(() => FeedAsync(source), CancellationToken.None);
    }

    /// <summary>The last lines that the tool wrote to stderr (warnings, when it succeeded).</summary>
    public IReadOnlyList<string> Errors => tool.Errors;

    /// <summary>The output of a running tool that has no input. The stream owns the tool from here on.</summary>
    public static ToolStream From(ToolProcess tool, CancellationToken cancel) => new(tool, null, cancel);

    /// <summary>The output of a running tool that is fed from a stream. The stream owns both from here on.</summary>
    public static ToolStream Through(ToolProcess tool, Stream input, CancellationToken cancel) => new(tool, input, cancel);

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (ended)
        {
            return 0;
        }

        int count;
        using (cancellationToken.UnsafeRegister(static t => ((ToolProcess)t!).Kill(), tool))
        {
            count = tool.Output.Read(buffer.Span);
        }

        if (count == 0 && buffer.Length > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            stop.Token.ThrowIfCancellationRequested();
            await feed;
            await tool.WaitForSuccessAsync(cancellationToken);
            if (inputRefused && !tool.Command.MayStopReading)
            {
                throw new PgBackupException(ErrorCode.ToolFailed, $"{tool.Command.Label} stopped reading before the end of its input.");
            }

            ended = true;
        }

        return count;
    }

    /// <inheritdoc/>
    protected override async ValueTask DisposeOnceAsync()
    {
        if (!ended)
        {
            tool.Kill();
        }

        await stop.CancelAsync();
        await tool.DisposeAsync();
        try
        {
            await feed;
        }
        catch (Exception) when (!ended)
        {
            // Whoever disposes before the end has its reason, and this is a consequence of it.
        }

        if (source is not null)
        {
            await source.DisposeAsync();
        }

        await killing.DisposeAsync();
        stop.Dispose();
    }

    private async Task CloseInputAsync() => await tool.Input.DisposeAsync();

    private async Task FeedAsync(Stream input)
    {
        var buffer = new byte[256 * 1024];
        try
        {
            int count;
            while ((count = await input.ReadAsync(buffer, stop.Token)) > 0)
            {
                if (!inputRefused)
                {
                    Pass(buffer.AsSpan(0, count));
                }

                if (inputRefused && (!tool.Command.MayStopReading || tool.Command.LeavesRest))
                {
                    return; // its exit code has the reason
                }
            }
        }
        catch
        {
            tool.Kill();
            throw;
        }

        try
        {
            await tool.Input.DisposeAsync();
        }
        catch (IOException)
        {
            inputRefused = true;
        }
    }

    private void Pass(ReadOnlySpan<byte> chunk)
    {
        try
        {
            tool.Input.Write(chunk);
        }
        catch (IOException)
        {
            inputRefused = true;
        }
    }
}
