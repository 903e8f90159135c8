using System.Globalization;

namespace PgBackup;

/// <summary>
/// The one exception of this library: what failed, on what, why (<see cref="Exception.Message"/>), and what to do next
/// (<see cref="Remedy"/>), under a permanent <see cref="Code"/>.
/// </summary>
public sealed class PgBackupException : Exception
{
    /// <summary>An error with its code, its sentence and its remedy.</summary>
    public PgBackupException(ErrorCode code, string message, string? remedy = null, Exception? inner = null)
        : base(message, inner)
    {
        Code = code;
        Remedy = remedy;
    }

    /// <summary>The permanent code, shown as <c>PGB-0012</c>.</summary>
    public ErrorCode Code { get; }

    /// <summary>What the operator can do about it, or null where the message says it all.</summary>
    public string? Remedy { get; }

    /// <summary>The same may well succeed a little later: a broken connection, a busy server.</summary>
    public bool IsTransient { get; init; }

    /// <summary>A store has no room for what was to be written: nothing else can be written there either, until somebody makes
    /// room.</summary>
    public bool IsFull { get; init; }

    /// <summary>The code as it is printed and documented.</summary>
    public string CodeText => CodeTextOf(Code);

    /// <summary>0 done, 1 failed, 2 wrong usage or config, 3 finished but part of it failed.</summary>
    public int ExitCode =>
        Code switch
        {
            ErrorCode.Usage or ErrorCode.ConfigMissing or ErrorCode.ConfigInvalid or ErrorCode.UntrustedFile => 2,
            ErrorCode.NothingToConfirm => 2,
            ErrorCode.BackupIncomplete or ErrorCode.ReplicaIncomplete or ErrorCode.ConfirmedInPart => 3,
            _ => 1,
        };

    /// <summary>The code of a printed form, one of a newer version too; null where it is none.</summary>
    public static ErrorCode? CodeOf(string text) =>
        text.Length == 8
        && text.StartsWith("PGB-", StringComparison.Ordinal)
        && int.TryParse(text.AsSpan(4), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
        && number > 0
            ? (ErrorCode)number
            : null;

    /// <summary>The printed form of a code.</summary>
    public static string CodeTextOf(ErrorCode code) => $"PGB-{(int)code:0000}";
}
