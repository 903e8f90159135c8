using System.Globalization;
using PgBackup.Host;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Encryption;

/// <summary>
/// What <c>gpg --decrypt --status-fd 2</c> writes, whose end means that a whole message was decrypted. The exit code does not say so:
/// it is 0, and nothing comes out, for a message that is cut within its list of recipients, and for one that is not encrypted at all.
/// </summary>
/// <param name="output">What it writes.</param>
/// <param name="turn">Is ended with its first read, or when it is disposed.</param>
/// <param name="decryptedBy">Called at the end with the fingerprint of the primary key that decrypted it.</param>
/// <param name="locked">Says that a secret key is there, and its passphrase is not; of a fingerprint, or null where gpg does not name
/// it.</param>
/// <param name="clock">The time.</param>
internal sealed class GpgPlaintext(
    ToolStream output,
    FirstUse.Turn turn,
    Action<string> decryptedBy,
    Func<string?, PgBackupException, PgBackupException> locked,
    TimeProvider clock
) : ForwardStream
{
    /// <summary>What a line of stderr starts with that gpg writes for programs (<c>--status-fd 2</c>), not for people.</summary>
    internal const string Status = "[GNUPG:] ";

    // <fingerprint of the subkey> <fingerprint of the primary key> <trust>: GnuPG's doc/DETAILS.
    private const string DecryptionKey = Status + "DECRYPTION_KEY ";

    // Of each recipient whose secret key is in the keyring, before it is tried.
    private const string KeyConsidered = Status + "KEY_CONSIDERED ";

    // <process id> <kind> ...
    private const string PinentryLaunched = Status + "PINENTRY_LAUNCHED ";

    // pkdecrypt_failed <code>, whose low 16 bits are libgpg-error's: 11 for a wrong passphrase, 17 for no secret key.
    private const string Refused = Status + "ERROR pkdecrypt_failed ";
    private const string NoSecretKey = Status + "NO_SECKEY ";
    private const int BadPassphraseCode = 11;
    private const int NoSecretKeyCode = 17;

    private static readonly string[] WithoutPassphrase = ["Bad passphrase", "No pinentry", "Inappropriate ioctl", "Operation cancelled"];

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
        {
            return 0;
        }

        try
        {
            int count = await ReadPlainAsync(buffer, cancellationToken);
            if (count == 0)
            {
                RequireWhole();
            }

            turn.End(true);
            return count;
        }
        finally
        {
            turn.End(false);
        }
    }

    private void RequireWhole()
    {
        IReadOnlyList<string> said = output.Errors;
        if (!said.Contains(Status + "DECRYPTION_OKAY"))
        {
            throw new PgBackupException(
                ErrorCode.ToolFailed,
                "gpg --decrypt found no whole encrypted message: what is stored is cut short, or is something else."
            );
        }

        if (
            said.LastOrDefault(static line => line.StartsWith(DecryptionKey, StringComparison.Ordinal))?.Split(' ')
            is [_, _, _, string primary, ..]
        )
        {
            decryptedBy(primary);
        }
    }

    private async ValueTask<int> ReadPlainAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        try
        {
            return await output.ReadAsync(buffer, cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ToolFailed)
        {
            string? there = output
                .Errors.LastOrDefault(static line => line.StartsWith(KeyConsidered, StringComparison.Ordinal))
                ?.Split(' ')[2];
            throw IsLocked(output.Errors, e.Message) ? locked(there, e) : e;
        }
    }

    /// <summary>
    /// A secret key is there, and its passphrase is not: gpg says so by a word or a code. Some versions say no more than that there is no
    /// secret key; then it is there if it was considered, and none is reported missing. Public keys are considered too.
    /// </summary>
    internal static bool IsLocked(IReadOnlyList<string> said, string message)
    {
        List<int> codes =
        [
            .. said.Where(static line => line.StartsWith(Refused, StringComparison.Ordinal))
                .Select(static line =>
                    long.TryParse(line[Refused.Length..].Split(' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out long code)
                        ? (int)(code & 0xFFFF)
                        : 0
                ),
        ];
        if (codes.Contains(BadPassphraseCode) || WithoutPassphrase.Any(s => message.Contains(s, StringComparison.OrdinalIgnoreCase)))
        {
            return true;
        }

        bool missing = codes.Contains(NoSecretKeyCode) || said.Any(static line => line.StartsWith(NoSecretKey, StringComparison.Ordinal));
        return !missing
            && message.Contains("No secret key", StringComparison.OrdinalIgnoreCase)
            && said.Any(static line => line.StartsWith(KeyConsidered, StringComparison.Ordinal));
    }

    /// <inheritdoc/>
    protected override async ValueTask DisposeOnceAsync()
    {
        try
        {
            await output.DisposeAsync();
        }
        finally
        {
            turn.End(false);
        }

        await EndPinentryAsync();
    }

    // gpg-agent does not notice that gpg was ended while it asks for a passphrase: its pinentry would continue to read the operator's
    // terminal, and leave that without echo.
    private async Task EndPinentryAsync()
    {
        string? launched = output.Errors.LastOrDefault(static line => line.StartsWith(PinentryLaunched, StringComparison.Ordinal));
        if (int.TryParse(launched?.Split(' ')[2], NumberStyles.None, CultureInfo.InvariantCulture, out int process) && IsPinentry(process))
        {
            Posix.Interrupt(process);
            for (int i = 0; i < 20 && IsPinentry(process); i++)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), clock);
            }
        }
    }

    private static bool IsPinentry(int process)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/comm"))
                .StartsWith("pinentry", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // it has ended
        }
    }
}
