namespace PgBackup.Tools;

/// <summary>Makes the exception for a tool that ended badly, quoting its own last lines.</summary>
public static class ToolFailure
{
    /// <summary>The failure of a tool with its exit code and the lines of its stderr (of the last dozen, what <see cref="Quotation"/> lets
    /// through).</summary>
    public static PgBackupException Of(ToolCommand command, int exitCode, IReadOnlyList<string> errors)
    {
        string how = exitCode > 128 ? $"was ended by signal {exitCode - 128}" : $"failed with exit code {exitCode}";
        IEnumerable<string> lines = errors.Where(line =>
            !string.IsNullOrWhiteSpace(line) && !(command.StatusPrefix is { } status && line.StartsWith(status, StringComparison.Ordinal))
        );
        string quote = Quotation.Joined(lines, 12);
        return new PgBackupException(
            exitCode is 126 or 127 ? ErrorCode.ToolMissing : ErrorCode.ToolFailed,
            quote.Length == 0 ? $"{command.Label} {how}." : $"{command.Label} {how}:\n  {quote}"
        );
    }
}
