using System.Text;
using PgBackup.Host;

namespace PgBackup.Tools;

/// <summary>A program that runs beside this one for a while: each line it writes is passed on, and it can be asked to end.</summary>
public sealed class ServedProgram : IAsyncDisposable
{
    // A line that never ends is cut.
    private const int LongestLine = 4000;

    private readonly HostProcess process;
    private readonly Task lines;

    private ServedProgram(HostProcess process, Action<string> output, Action<string> error)
    {
        this.process = process;
        lines = Task.WhenAll(PassOnAsync(process.Output, output), PassOnAsync(process.Error, error));
    }

    /// <summary>Starts it, with nothing on its stdin.</summary>
    /// <param name="command">The program.</param>
    /// <param name="output">Gets each line of its stdout.</param>
    /// <param name="error">Gets each line of its stderr, at the same time.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ToolMissing"/>: it cannot be started.</exception>
    public static ServedProgram Start(ToolCommand command, Action<string> output, Action<string> error)
    {
        var process = HostProcess.Start(command);
        process.Input.Dispose();
        return new ServedProgram(process, output, error);
    }

    /// <summary>Waits for its end, and returns the exit code (128 + n after signal n).</summary>
    /// <param name="patience">How long what it left behind may hold its output open afterwards.</param>
    /// <param name="clock">The time.</param>
    public async Task<int> WaitAsync(TimeSpan patience, TimeProvider clock)
    {
        int exitCode = await process.Exit;
        await Task.WhenAny(lines, Task.Delay(patience, clock, CancellationToken.None));
        return exitCode;
    }

    /// <summary>Asks it to end (SIGTERM).</summary>
    public void Terminate() => Posix.Terminate(process.Id);

    /// <summary>Ends it, and what it started.</summary>
    public void Kill() => process.Kill();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => process.DisposeAsync();

    private static async Task PassOnAsync(Stream from, Action<string> line)
    {
        try
        {
            using var reader = new StreamReader(from, new UTF8Encoding(false));
            while (await reader.ReadLineAsync() is { } text)
            {
                if (text.Length > 0)
                {
                    line(text.Length <= LongestLine ? text : $"{text[..LongestLine]}...");
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // It has ended, and nobody waits for its last words.
        }
    }
}
