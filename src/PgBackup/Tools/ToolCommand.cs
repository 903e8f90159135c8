namespace PgBackup.Tools;

/// <summary>
/// One call of a program: the file, its argument list (never a joined string, never a shell), and what its environment has
/// apart from ours. Secrets go in <see cref="Environment"/>, never in <see cref="Arguments"/>.
/// </summary>
public sealed record ToolCommand
{
    /// <summary>A program called by name or path.</summary>
    public ToolCommand(string fileName, params IReadOnlyList<string> arguments)
    {
        FileName = fileName;
        Arguments = arguments;
        Label = Path.GetFileName(fileName);
    }

    /// <summary>The program: a path, or a name to be found on PATH.</summary>
    public string FileName { get; }

    /// <summary>The arguments, one by one.</summary>
    public IReadOnlyList<string> Arguments { get; init; }

    /// <summary>What to call it in messages, for instance <c>pg_dump of ciam_kratos</c>.</summary>
    public string Label { get; init; }

    /// <summary>Variables that are set (or, with null, removed) in the child's environment.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    /// <summary>What a line of its stderr starts with that is for programs and not for people, and is not quoted; null where it writes
    /// none.</summary>
    public string? StatusPrefix { get; init; }

    /// <summary>
    /// The tool may stop reading its input before the end and still succeed (<c>pg_restore</c> does: what follows the last
    /// entry of an archive is no data). Ciphers must read everything.
    /// </summary>
    public bool MayStopReading { get; init; }

    /// <summary>With <see cref="MayStopReading"/>: what it leaves of its input need not be read by anybody.</summary>
    public bool LeavesRest { get; init; }

    /// <summary>The same call under another name in messages.</summary>
    public ToolCommand Named(string label) => this with { Label = label };
}
