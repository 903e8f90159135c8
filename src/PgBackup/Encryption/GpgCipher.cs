using System.Globalization;
using PgBackup.Tools;

namespace PgBackup.Encryption;

/// <summary>
/// Encryption by GnuPG to public keys of its keyring. Dumps come compressed: gpg does not compress them again, which made it ten
/// times slower.
/// </summary>
public sealed class GpgCipher : ICipher, IAsyncDisposable
{
    private readonly IReadOnlyList<string> recipients;
    private readonly string? homeFolder;
    private readonly Identity? identity;
    private readonly TimeProvider clock;
    private readonly SemaphoreSlim importing = new(1, 1);
    private readonly FirstUse firstUse = new();
    private volatile string? decryptedBy;
    private IReadOnlyList<Recipient>? usable;
    private PrivateFolder? keyring;

    /// <summary>A cipher for recipients (fingerprints, key ids or mail addresses) of the keyring in a home folder (null: gpg's default).</summary>
    public GpgCipher(IReadOnlyList<string> recipients, string? homeFolder, Identity? identity, TimeProvider clock)
    {
        this.recipients = recipients;
        this.homeFolder = homeFolder;
        this.identity = identity;
        this.clock = clock;
    }

    /// <inheritdoc/>
    public string Kind => "gpg";

    /// <inheritdoc/>
    public string Extension => ".gpg";

    /// <inheritdoc/>
    public string? DecryptedBy => decryptedBy;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<Recipient>> CheckAsync(CancellationToken cancel)
    {
        List<Recipient> found = [];
        foreach (string recipient in recipients)
        {
            found.Add(await FindAsync(recipient, cancel));
        }

        usable = found;
        ToolResult trial = await ToolProcess.TryReadAsync(EncryptCommand(["--armor"]), cancel, "test");
        return trial.ExitCode == 0
            ? found
            : throw new PgBackupException(
                ErrorCode.RecipientUnusable,
                $"gpg cannot encrypt to {string.Join(", ", recipients)}:\n  {string.Join("\n  ", trial.Errors.TakeLast(4))}",
                "Try it by hand: echo test | gpg --encrypt --recipient ...");
    }

    /// <inheritdoc/>
    public Stream Encrypt(Stream plain, CancellationToken cancel) => ToolStream.Through(ToolProcess.Start(EncryptCommand([])), plain, cancel);

    /// <inheritdoc/>
    public async Task<bool> HasIdentityAsync(CancellationToken cancel)
    {
        if (identity?.File is not null)
        {
            return true;
        }

        foreach (string recipient in recipients)
        {
            ToolResult listing = await ToolProcess.TryReadAsync(Gpg([.. Home, "--list-secret-keys", "--", recipient]), cancel);
            if (listing.ExitCode == 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <inheritdoc/>
    public Stream Decrypt(Stream stored, CancellationToken cancel) => new DecryptedStream(
        Decrypting(stored, cancel),
        ["No secret key"],
        $"gpg has no secret key for this snapshot {Where}; {Needed}.",
        "Name a file with one by --identity FILE (gpg --export-secret-keys FINGERPRINT > FILE), and its passphrase by --passphrase-file FILE.");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (keyring is not null)
        {
            await RemoveAsync(keyring);
        }

        importing.Dispose();
        firstUse.Dispose();
    }

    private DeferredStream Decrypting(Stream stored, CancellationToken cancel) => new(async c =>
    {
        List<string> arguments = [.. await KeyringOptionsAsync(c), "--status-fd", "2", "--decrypt"];
        if (identity?.PassphraseFile is { } passphrase)
        {
            RequireReadable(passphrase);
            arguments.InsertRange(0, ["--pinentry-mode", "loopback", "--passphrase-file", passphrase]);
        }

        FirstUse.Turn turn = await firstUse.EnterAsync(c);
        try
        {
            return new GpgPlaintext(ToolStream.Through(ToolProcess.Start(Gpg(arguments).Named("gpg --decrypt")), stored, c), turn, primary => decryptedBy = primary, Locked);
        }
        catch
        {
            turn.End(false);
            throw;
        }
    }, cancel);

    private static void RequireReadable(string passphraseFile)
    {
        try
        {
            File.OpenRead(passphraseFile).Dispose();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PgBackupException(ErrorCode.IdentityUnusable, $"the file with the passphrase cannot be read: {e.Message}", "Check the path after --passphrase-file, or passphrase_file in the config, and the file's owner and mode.", e);
        }
    }

    private static ToolCommand Gpg(IEnumerable<string> arguments) =>
        new("gpg", ["--batch", "--no-tty", "--quiet", .. arguments]);

    private string Where => identity?.File is { } file ? $"in {file}" : "in its keyring";

    private string Needed => $"the snapshot can be decrypted by the secret key of {string.Join(" or ", recipients)}";

    private PgBackupException Locked(string? fingerprint, PgBackupException reason) => new(
        ErrorCode.IdentityUnusable,
        $"the passphrase of the secret key {(fingerprint is null ? "" : $"{fingerprint} ")}{Where} is {(identity?.PassphraseFile is { } file ? $"not the one in {file}" : "missing or wrong")}; {Needed}.",
        identity?.File is null
            ? "Name a file with it by --passphrase-file FILE; or run `olympus-pgbackup keys test` at a terminal, where gpg-agent asks for it, and remembers it for a while."
            : "Name a file with it by --passphrase-file FILE.",
        reason);

    private IEnumerable<string> Home => homeFolder is null ? [] : ["--homedir", homeFolder];

    private ToolCommand EncryptCommand(IEnumerable<string> options)
    {
        // The keys were checked by fingerprint; the operator's config is the trust decision.
        List<string> arguments =
            [.. Home, "--trust-model", "always", "--no-auto-key-locate", "--no-encrypt-to", "--compress-algo", "none", "--cipher-algo", "AES256", .. options];
        foreach (Recipient recipient in usable ?? throw new InvalidOperationException("the recipients were not checked"))
        {
            arguments.AddRange(["--recipient", recipient.Fingerprint]);
        }

        return Gpg([.. arguments, "--encrypt"]).Named("gpg --encrypt");
    }

    // A bare address would also be found within a longer one (ops@ in devops@); in angle brackets it is the whole address.
    private static string UserId(string recipient) =>
        recipient.Contains('@', StringComparison.Ordinal) && !recipient.AsSpan().ContainsAny(" <>=") && !recipient.StartsWith('@') ? $"<{recipient}>" : recipient;

    // `gpg --with-colons` (GnuPG's doc/DETAILS): pub, then its fpr and uids.
    private async Task<Recipient> FindAsync(string recipient, CancellationToken cancel)
    {
        ToolResult listing = await ToolProcess.TryReadAsync(Gpg([.. Home, "--with-colons", "--fixed-list-mode", "--list-keys", "--", UserId(recipient)]), cancel);
        List<(string Validity, string Capabilities, string Expires, string Fingerprint)> keys = [];
        string[]? key = null;
        foreach (string line in listing.Output.Split('\n'))
        {
            string[] fields = line.Split(':');
            if (fields[0] == "pub")
            {
                key = fields;
            }
            else if (fields[0] == "fpr" && key is not null)
            {
                keys.Add((key[1], key[11], key[6], fields[9]));
                key = null;
            }
        }

        if (keys.Count == 0)
        {
            throw Unusable(recipient, "gpg knows no such key", "Import it: gpg --import KEYFILE (as the user that runs the backup).");
        }

        List<(string Validity, string Capabilities, string Expires, string Fingerprint)> good =
            [.. keys.Where(static k => k.Validity is not ("e" or "r" or "d" or "i") && k.Capabilities.Contains('E', StringComparison.Ordinal))];
        if (good.Count == 1)
        {
            return new Recipient
            {
                Name = recipient,
                Fingerprint = good[0].Fingerprint,
                Expires = long.TryParse(good[0].Expires, CultureInfo.InvariantCulture, out long seconds) ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null,
            };
        }

        if (good.Count > 1)
        {
            throw Unusable(recipient, $"{good.Count} keys match it", $"Write the fingerprint of the one you mean: {string.Join(" or ", good.Select(static k => k.Fingerprint))}.");
        }

        (string validity, _, string expires, string fingerprint) = keys[0];
        string when = long.TryParse(expires, CultureInfo.InvariantCulture, out long at)
            ? $" on {DateTimeOffset.FromUnixTimeSeconds(at):yyyy-MM-dd} (today is {clock.GetUtcNow():yyyy-MM-dd})"
            : "";
        throw validity switch
        {
            "e" => Unusable(recipient, $"its key {fingerprint} expired{when}", "Have its owner extend it (gpg --quick-set-expire), import the new public key, and try again."),
            "r" => Unusable(recipient, $"its key {fingerprint} is revoked", "Name another recipient."),
            "d" => Unusable(recipient, $"its key {fingerprint} is disabled in the keyring", "Enable it (gpg --edit-key, enable) or name another."),
            _ => Unusable(recipient, $"its key {fingerprint} has no usable encryption key (subkeys expired, or a key for signing only)", "Have its owner add or extend an encryption subkey, and import it."),
        };
    }

    private static PgBackupException Unusable(string recipient, string why, string remedy) =>
        new(ErrorCode.RecipientUnusable, $"the gpg recipient \"{recipient}\" cannot be used: {why}.", remedy);

    // An identity given as a file is imported into a keyring of its own, so that the operator's is not changed.
    private async Task<IEnumerable<string>> KeyringOptionsAsync(CancellationToken cancel)
    {
        if (identity?.File is not { } file)
        {
            return Home;
        }

        if (!File.Exists(file))
        {
            throw new PgBackupException(ErrorCode.IdentityUnusable, $"the identity file {file} does not exist; {Needed}.", "Check the path after --identity.");
        }

        await importing.WaitAsync(cancel);
        try
        {
            if (keyring is null)
            {
                keyring = await ImportAsync(file, cancel);
            }
        }
        finally
        {
            importing.Release();
        }

        return ["--homedir", keyring.Path];
    }

    // A keyring with the identity in it, or none at all.
    private async Task<PrivateFolder> ImportAsync(string file, CancellationToken cancel)
    {
        var folder = PrivateFolder.Create();
        try
        {
            ToolResult import = await ToolProcess.TryReadAsync(Gpg(["--homedir", folder.Path, "--import", file]), cancel);
            return import.ExitCode == 0
                ? folder
                : throw new PgBackupException(
                    ErrorCode.IdentityUnusable,
                    $"gpg cannot import the identity {file}; {Needed}:\n  {string.Join("\n  ", import.Errors.TakeLast(4))}",
                    "It must be an exported secret key: gpg --export-secret-keys FINGERPRINT > FILE");
        }
        catch
        {
            await RemoveAsync(folder);
            throw;
        }
    }

    // gpg starts an agent for its home folder that would stay behind.
    private static async Task RemoveAsync(PrivateFolder folder)
    {
        await ToolProcess.TryReadAsync(new ToolCommand("gpgconf", "--homedir", folder.Path, "--kill", "all"), CancellationToken.None);
        folder.Dispose();
    }
}
