using PgBackup.Configuration;
using PgBackup.Installations;
using PgBackup.Tools;

namespace PgBackup.Serve;

/// <summary>What the service gets from the program it is part of.</summary>
public sealed record ServeSettings
{
    /// <summary>The config file.</summary>
    public required string ConfigFile { get; init; }

    /// <summary>The installation of a config.</summary>
    public required Func<BackupConfig, Installation> Install { get; init; }

    /// <summary>This program once more, with other arguments.</summary>
    public required Func<IReadOnlyList<string>, ToolCommand> Again { get; init; }

    /// <summary>Why the command line of a job is wrong; null where it is not.</summary>
    public required Func<IReadOnlyList<string>, string?> ProblemOf { get; init; }

    /// <summary>The program's file, to see whether it was replaced; null where it is not looked at.</summary>
    public required string? Program { get; init; }

    /// <summary>The arguments that this service was started with; the first is the program's name.</summary>
    public required IReadOnlyList<string> Started { get; init; }

    /// <summary>Gets what happens, in a line.</summary>
    public required Action<string> Say { get; init; }
}
