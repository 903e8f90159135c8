using System.Diagnostics;
using PgBackup.Tools;

namespace PgBackup.Tests.Tools;

/// <summary>A small shell script in the place of a tool.</summary>
internal static class FakeTool
{
    /// <summary>The call of a script, with arguments for its $1 and so on.</summary>
    public static ToolCommand Of(string script, params string[] arguments) =>
        new("sh", ["-c", script, "fake", .. arguments]) { Label = "fake" };

    /// <summary>The output of a script without input.</summary>
    public static ToolStream Output(string script) => ToolStream.From(ToolProcess.Start(Of(script)), Cancel);

    /// <summary>The output of a script that is fed from a stream.</summary>
    public static ToolStream Through(string script, Stream input, bool mayStopReading = false) =>
        ToolStream.Through(ToolProcess.Start(Of(script) with { MayStopReading = mayStopReading }), input, Cancel);

    /// <summary>Waits, for a minute at most, until something is so.</summary>
    public static async Task UntilAsync(Func<bool> isSo)
    {
        long start = Stopwatch.GetTimestamp();
        while (!isSo() && Stopwatch.GetElapsedTime(start).TotalSeconds < 60)
        {
            await Task.Delay(10, Cancel);
        }

        isSo().ShouldBeTrue();
    }

    /// <summary>The process is there, and not merely waiting to be buried.</summary>
    public static bool IsRunning(string pid)
    {
        try
        {
            string status = File.ReadAllText($"/proc/{pid.Trim()}/stat");
            return status[status.LastIndexOf(')') + 2] != 'Z';
        }
        catch (IOException)
        {
            return false;
        }
    }
}
