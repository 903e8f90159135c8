using PgBackup.Tools;

namespace PgBackup.Tests.App;

/// <summary>Runs the program as a process of its own, as people do. Its output is no terminal, so lines are not folded.</summary>
internal static class AppProcess
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "olympus-pgbackup.dll");

    /// <summary>Runs it in a folder, without a config in the environment.</summary>
    public static Task<AppResult> RunAsync(string folder, params string[] arguments) =>
        RunAsync(folder, new Dictionary<string, string?>(), arguments);

    /// <summary>The same with changes to its environment.</summary>
    public static async Task<AppResult> RunAsync(string folder, IReadOnlyDictionary<string, string?> environment, string[] arguments)
    {
        ToolResult result = await ToolProcess.TryReadAsync(
            new ToolCommand("sh", ["-c", "cd \"$1\" && shift && exec dotnet \"$@\"", "sh", folder, Program, .. arguments])
            {
                Environment = new Dictionary<string, string?>(environment)
                {
                    ["OLYMPUS_PGBACKUP_CONFIG"] = null,
                    ["DOTNET_TieredPGO"] = "0",
                },
            },
            Cancel
        );
        return new AppResult(result.ExitCode, result.Output, string.Join('\n', result.Errors));
    }
}

/// <summary>What a run left: its exit code, stdout and stderr.</summary>
internal sealed record AppResult(int ExitCode, string Output, string Errors);
