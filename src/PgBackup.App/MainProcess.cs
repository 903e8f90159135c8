using System.Globalization;
using System.Runtime.InteropServices;
using PgBackup.Tools;

namespace PgBackup.App;

/// <summary>What kind of process this is to whoever started it.</summary>
internal static partial class MainProcess
{
    /// <summary>
    /// It is the main process of a container, or of a unit of systemd: whatever it leaves behind is ended with it. Source: systemd.exec(5),
    /// <c>SYSTEMD_EXEC_PID</c>; systemd.kill(5), <c>KillMode=</c>.
    /// </summary>
    public static bool IsThis =>
        Environment.ProcessId == 1
        || Parent() == 1
        || Environment.GetEnvironmentVariable("SYSTEMD_EXEC_PID") == Environment.ProcessId.ToString(CultureInfo.InvariantCulture);

    /// <summary>This program's file; null where it is an argument of another one.</summary>
    public static string? File => Environment.ProcessPath is { } path && Path.GetFileName(path) != "dotnet" ? path : null;

    /// <summary>This program once more, with other arguments.</summary>
    public static ToolCommand Again(params string[] arguments)
    {
        string program = Environment.ProcessPath ?? throw new InvalidOperationException("the program's file is not known");
        if (!System.IO.File.Exists(program))
        {
            // It was replaced, or removed, while it runs.
            program = string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/exe");
        }

        // As `dotnet olympus-pgbackup.dll`, the program is an argument.
        return Path.GetFileName(program) == "dotnet"
            ? new ToolCommand(program, [Environment.GetCommandLineArgs()[0], .. arguments])
            : new ToolCommand(program, arguments);
    }

    [LibraryImport("libc", EntryPoint = "getppid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Parent();
}
