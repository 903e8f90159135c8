using System.CommandLine;

namespace PgBackup.App.Verbs;

/// <summary>A verb, with what stands at the end of its help.</summary>
internal sealed class VerbCommand(string name, string description) : Command(name, description)
{
    /// <summary>Command lines to copy, one a line.</summary>
    public required string Examples { get; init; }

    /// <summary>What each exit code means, one a line.</summary>
    public required string ExitCodes { get; init; }
}
