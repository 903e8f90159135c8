using System.ComponentModel;
using System.Diagnostics;

namespace PgBackup.Tools;

/// <summary>A child process of ours. The only place where a process is started.</summary>
internal sealed class HostProcess : IRunningTool
{
    private static readonly string[] SetsidPaths = ["/usr/bin/setsid", "/bin/setsid"];

    private readonly Process process;

    private HostProcess(Process process)
    {
        this.process = process;
        Exit = WaitAsync();
    }

    /// <summary>Its id.</summary>
    public int Id => process.Id;

    /// <inheritdoc/>
    public Stream Input => process.StandardInput.BaseStream;

    /// <inheritdoc/>
    public Stream Output => process.StandardOutput.BaseStream;

    /// <inheritdoc/>
    public Stream Error => process.StandardError.BaseStream;

    /// <inheritdoc/>
    public Task<int> Exit { get; }

    /// <summary>Starts the program with its argument list and the changes to its environment.</summary>
    public static HostProcess Start(ToolCommand command)
    {
#pragma warning disable RS0030 // this is the one place
        // A session of its own: Ctrl-C in the terminal is for us, who then end the tools in order. setsid execs in place.
        string program = Resolve(command.FileName);
        string? setsid = Array.Find(SetsidPaths, File.Exists);
        var start = new ProcessStartInfo(setsid ?? program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string argument in (IEnumerable<string>)(setsid is null ? command.Arguments : [program, .. command.Arguments]))
        {
            start.ArgumentList.Add(argument);
        }

        // The tools' words are read by this program: in English, whatever the operator's language.
        start.Environment["LC_ALL"] = "C.UTF-8";
        start.Environment.Remove("LANGUAGE");
        foreach ((string name, string? value) in command.Environment)
        {
            if (value is null)
            {
                start.Environment.Remove(name);
            }
            else
            {
                start.Environment[name] = value;
            }
        }

        try
        {
            return new HostProcess(Process.Start(start) ?? throw new InvalidOperationException("the process was not started"));
        }
#pragma warning restore RS0030
        catch (Win32Exception e)
        {
            throw new PgBackupException(
                ErrorCode.ToolMissing,
                $"{command.FileName} cannot be started: {e.Message}",
                "Check that the file may be executed.",
                e
            );
        }
    }

    /// <inheritdoc/>
    public void Kill()
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception or AggregateException)
        {
            // It has ended by itself: that is what was asked for.
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        process.Dispose();
        return ValueTask.CompletedTask;
    }

    private static string Resolve(string fileName)
    {
        if (fileName.Contains('/', StringComparison.Ordinal))
        {
            return File.Exists(fileName) ? fileName : throw Missing(fileName, $"{fileName} does not exist");
        }

        string path = Environment.GetEnvironmentVariable("PATH") ?? "/usr/local/bin:/usr/bin:/bin";
        return path.Split(':').Select(folder => Path.Combine(folder, fileName)).FirstOrDefault(File.Exists)
            ?? throw Missing(fileName, $"{fileName} is not installed: it is in no folder of PATH ({path})");
    }

    private static PgBackupException Missing(string fileName, string message) =>
        new(
            ErrorCode.ToolMissing,
            message + ".",
            $"Install {Path.GetFileName(fileName)}; cron's PATH is short, so set PATH in the crontab if it is elsewhere."
        );

    private async Task<int> WaitAsync()
    {
        await process.WaitForExitAsync();
        return process.ExitCode;
    }
}
