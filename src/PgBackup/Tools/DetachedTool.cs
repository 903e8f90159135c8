using System.Text;

namespace PgBackup.Tools;

/// <summary>A process that outlives this one.</summary>
public static class DetachedTool
{
    /// <summary>Starts a program in a session of its own, with a text on its stdin, and leaves it alone. What it writes is read by
    /// nobody.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ToolMissing"/>: it cannot be started.</exception>
    public static async Task StartAsync(ToolCommand command, string input)
    {
        // Not disposed: that would end it.
        var process = HostProcess.Start(command);
        try
        {
            await process.Input.WriteAsync(Encoding.UTF8.GetBytes(input));
            await process.Input.DisposeAsync();
        }
        catch (IOException)
        {
            // It has ended already. Who started it tries again the next time.
        }
    }
}
