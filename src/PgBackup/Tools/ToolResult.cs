namespace PgBackup.Tools;

/// <summary>What a finished short call left.</summary>
public sealed record ToolResult
{
    /// <summary>The exit code.</summary>
    public required int ExitCode { get; init; }

    /// <summary>All of stdout.</summary>
    public required string Output { get; init; }

    /// <summary>The last lines of stderr.</summary>
    public required IReadOnlyList<string> Errors { get; init; }
}
