using System.Globalization;
using PgBackup.Tools;

namespace PgBackup.Notifications;

/// <summary>A program of the operator's, which gets the notice as JSON on its stdin. Its arguments are the config's alone.</summary>
/// <param name="command">The program and its arguments.</param>
internal sealed class CommandChannel(IReadOnlyList<string> command) : IChannel
{
    /// <inheritdoc/>
    public async Task<Attempt> SendAsync(Notice notice, CancellationToken cancel)
    {
        try
        {
            var call = new ToolCommand(command[0], [.. command.Skip(1)]);
            await using var tool = ToolProcess.Start(call);
            await using CancellationTokenRegistration end = cancel.UnsafeRegister(static t => ((ToolProcess)t!).Kill(), tool);
            // Its exit decides. What it leaves behind may hold its output open, which nobody reads.
            _ = tool.Output.CopyToAsync(Stream.Null, CancellationToken.None);
            await FeedAsync(tool, notice);
            int exitCode = await tool.WaitAsync(CancellationToken.None);
            return exitCode == 0
                ? Attempt.Delivered
                : Attempt.Later(string.Create(CultureInfo.InvariantCulture, $"it ended with exit code {exitCode}"));
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
        {
            return Attempt.Never(e.Message);
        }
    }

    private static async Task FeedAsync(ToolProcess tool, Notice notice)
    {
        try
        {
            await tool.Input.WriteAsync((byte[])[.. notice.ToJson(), (byte)'\n']);
            await tool.Input.DisposeAsync();
        }
        catch (IOException)
        {
            // It ended, or was ended, without reading: its exit code shows whether that was right.
        }
    }
}
