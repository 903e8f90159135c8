using System.Globalization;
using System.Text;
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
            // A read of its output heeds no cancellation; its end ends that too.
            await using CancellationTokenRegistration end = cancel.UnsafeRegister(static t => ((ToolProcess)t!).Kill(), tool);
            ToolResult result = await tool.FinishAsync(Encoding.UTF8.GetString(notice.ToJson()) + "\n", CancellationToken.None);
            return result.ExitCode == 0
                ? Attempt.Delivered
                : Attempt.Later(string.Create(CultureInfo.InvariantCulture, $"it ended with exit code {result.ExitCode}"));
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
        {
            return Attempt.Never(e.Message);
        }
    }
}
