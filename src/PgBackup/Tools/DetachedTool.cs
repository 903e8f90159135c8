using System.Text;

namespace PgBackup.Tools;

/// <summary>A process that outlives this one.</summary>
public static class DetachedTool
{
    /// <summary>Starts a program in a session of its own, with a text on its stdin, and leaves it alone after a while.</summary>
    /// <param name="command">The program.</param>
    /// <param name="input">For its stdin.</param>
    /// <param name="patience">How long its output is waited for.</param>
    /// <param name="clock">The time.</param>
    /// <returns>Its output; null where it has not ended in time. Then it runs on, and what it writes is read by nobody.</returns>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ToolMissing"/>: it cannot be started.</exception>
    public static async Task<string?> StartAsync(ToolCommand command, string input, TimeSpan patience, TimeProvider clock)
    {
        // Not disposed: that would end it.
        var process = HostProcess.Start(command);
        try
        {
            await process.Input.WriteAsync(Encoding.UTF8.GetBytes(input));
            await process.Input.DisposeAsync();
            using var output = new StreamReader(process.Output, new UTF8Encoding(false), false, -1, leaveOpen: true);
            return await output.ReadToEndAsync().WaitAsync(patience, clock);
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            return null; // if it has ended already, who started it tries again the next time
        }
    }
}
