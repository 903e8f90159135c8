using PgBackup.Host;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Encryption;

/// <summary>
/// Encryption by GnuPG to public keys of its keyring. Dumps come compressed: gpg does not compress them again, which made it ten
/// times slower.
/// </summary>
public sealed class GpgCipher : ICipher
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
    private GpgAgent? agent;
    private PrivateFolder? secrets;
    private string? passphraseFile;

    /// <summary>A cipher for recipients (fingerprints, key ids or mail addresses) of the keyring in a home folder (null: gpg's
    /// default).</summary>
    public GpgCipher(IReadOnlyList<string> recipients, string? homeFolder, Identity? identity, TimeProvider clock)
    {
        this.recipients = recipients;
        this.homeFolder = homeFolder;
        this.identity = identity;
        this.clock = clock;
    }

    /// <inheritdoc/>
    public string Kind => EncryptionKind.Gpg.Word();

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
            // An address and a fingerprint may be the same key, which counts once.
            Recipient one = await FindAsync(recipient, cancel);
            if (!found.Exists(r => r.Fingerprint == one.Fingerprint))
            {
                found.Add(one);
            }
        }

        usable = found;
        ToolResult trial = await ToolProcess.TryReadAsync(EncryptCommand(["--armor"]), cancel, "test");
        return trial.ExitCode == 0
            ? found
            : throw new PgBackupException(
                ErrorCode.RecipientUnusable,
                $"gpg cannot encrypt to {string.Join(", ", recipients)}:\n  {Quotation.Joined(trial.Errors, 4)}",
                "Try it by hand: echo test | gpg --encrypt --recipient ..."
            );
    }

    /// <inheritdoc/>
    public Stream Encrypt(Stream plain, CancellationToken cancel) =>
        ToolStream.Through(ToolProcess.Start(EncryptCommand([])), plain, cancel);

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
    public Stream Decrypt(Stream stored, CancellationToken cancel) =>
        new DecryptedStream(
            Decrypting(stored, cancel),
            ["No secret key"],
            $"gpg has no secret key for this snapshot {Where}; {Needed}.",
            "Name a file with one by --identity FILE (gpg --export-secret-keys FINGERPRINT > FILE), and its passphrase by "
                + "--passphrase-file FILE."
        );

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref keyring, null) is { } imported)
        {
            await RemoveAsync(imported, agent);
        }

        secrets?.Dispose();
        importing.Dispose();
        firstUse.Dispose();
    }

    private DeferredStream Decrypting(Stream stored, CancellationToken cancel) =>
        new(
            async c =>
            {
                List<string> arguments = [.. await KeyringOptionsAsync(c), "--status-fd", "2", "--decrypt"];
                if (identity?.PassphraseFile is not null)
                {
                    arguments.InsertRange(0, ["--pinentry-mode", "loopback", "--passphrase-file", await PassphraseFileAsync(c)]);
                }

                FirstUse.Turn turn = await firstUse.EnterAsync(c);
                try
                {
                    return new GpgPlaintext(
                        ToolStream.Through(ToolProcess.Start(Gpg(arguments).Named("gpg --decrypt")), stored, c),
                        turn,
                        primary => decryptedBy = primary,
                        Locked,
                        clock
                    );
                }
                catch
                {
                    turn.End(false);
                    throw;
                }
            },
            cancel,
            stored
        );

    // A private copy of its first line, which is all that gpg reads, without the line end of other systems.
    private async Task<string> PassphraseFileAsync(CancellationToken cancel)
    {
        await importing.WaitAsync(cancel);
        try
        {
            if (passphraseFile is null)
            {
                (byte[] bytes, _) = await identity!.Passphrase.ReadAsync(Needed, cancel);
                int end = Array.IndexOf(bytes, (byte)'\n');
                byte[] line = bytes[..(end < 0 ? bytes.Length : end)];
                secrets = PrivateFolder.Create(clock);
                passphraseFile = await SecretInput.WriteAsync(
                    secrets,
                    "passphrase",
                    line is [.. var before, (byte)'\r'] ? before : line,
                    cancel
                );
            }

            return passphraseFile;
        }
        finally
        {
            importing.Release();
        }
    }

    private static ToolCommand Gpg(IEnumerable<string> arguments) =>
        new("gpg", ["--batch", "--no-tty", "--quiet", .. arguments]) { StatusPrefix = GpgPlaintext.Status };

    private string Where => identity?.File is { } file ? $"in {file}" : "in its keyring";

    private string Needed => $"the snapshot can be decrypted by the secret key of {string.Join(" or ", recipients)}";

    private PgBackupException Locked(string? fingerprint, PgBackupException reason) =>
        new(
            ErrorCode.IdentityUnusable,
            $"the passphrase of the secret key {(fingerprint is null ? "" : $"{fingerprint} ")}{Where} is "
                + $"{(identity?.PassphraseFile is { } file ? $"not the one in {file}" : "missing or wrong")}; {Needed}.",
            identity?.File is null
                ? "Name a file with it by --passphrase-file FILE; or run `olympus-pgbackup keys test` at a terminal, where gpg-agent "
                    + "asks for it, and remembers it for a while."
                : "Name a file with it by --passphrase-file FILE.",
            reason
        );

    private IEnumerable<string> Home => homeFolder is null ? [] : ["--homedir", homeFolder];

    private ToolCommand EncryptCommand(IEnumerable<string> options)
    {
        // The keys were checked by fingerprint; the operator's config is the trust decision.
        List<string> arguments =
        [
            .. Home,
            "--trust-model",
            "always",
            "--no-auto-key-locate",
            "--no-encrypt-to",
            "--compress-algo",
            "none",
            "--cipher-algo",
            "AES256",
            .. options,
        ];
        foreach (Recipient recipient in usable ?? throw new InvalidOperationException("the recipients were not checked"))
        {
            arguments.AddRange(["--recipient", recipient.Fingerprint]);
        }

        return Gpg([.. arguments, "--encrypt"]).Named("gpg --encrypt");
    }

    // A bare address would also be found within a longer one (ops@ in devops@); in angle brackets it is the whole address.
    private static string UserId(string recipient) =>
        recipient.Contains('@', StringComparison.Ordinal) && !recipient.AsSpan().ContainsAny(" <>=") && !recipient.StartsWith('@')
            ? $"<{recipient}>"
            : recipient;

    private async Task<Recipient> FindAsync(string recipient, CancellationToken cancel)
    {
        if (homeFolder is not null && !Directory.Exists(homeFolder))
        {
            throw Unusable(
                recipient,
                $"gpg's home folder {homeFolder} is not there",
                "Correct `gpg: { home: ... }` in the config, or make the folder and import the keys into it."
            );
        }

        if (recipient.EndsWith('!'))
        {
            throw Unusable(
                recipient,
                "a single subkey (with ! behind it) cannot be chosen: gpg encrypts to the newest encryption subkey of the key that is "
                    + "recorded",
                "Write the fingerprint of the primary key, without the !."
            );
        }

        ToolResult listing = await ToolProcess.TryReadAsync(
            Gpg([.. Home, "--with-colons", "--fixed-list-mode", "--list-keys", "--", UserId(recipient)]),
            cancel
        );
        IReadOnlyList<GpgKey> keys = GpgKey.Read(listing.Output);
        if (keys.Count == 0)
        {
            throw Unusable(recipient, "gpg knows no such key", "Import it: gpg --import KEYFILE (as the user that runs the backup).");
        }

        List<GpgKey> good = [.. keys.Where(static k => k.IsUsable)];
        if (good.Count == 1)
        {
            return new Recipient
            {
                Name = recipient,
                Fingerprint = good[0].Fingerprint,
                Expires = good[0].Expires,
            };
        }

        if (good.Count > 1)
        {
            throw Unusable(
                recipient,
                $"{good.Count} keys match it",
                $"Write the fingerprint of the one you mean: {string.Join(" or ", good.Select(static k => k.Fingerprint))}."
            );
        }

        GpgKey key = keys[0];
        string when = key.PrimaryExpires is { } at ? $" on {at:yyyy-MM-dd} (today is {clock.GetUtcNow():yyyy-MM-dd})" : "";
        string extend =
            $"Have its owner extend it and its subkeys (gpg --quick-set-expire {key.Fingerprint} 2y, and the same with '*' behind "
            + $"it), import the new public key, and try again.";
        throw (key.IsDisabled ? "d" : key.Validity) switch
        {
            "e" => Unusable(recipient, $"its key {key.Fingerprint} expired{when}", extend),
            "r" => Unusable(recipient, $"its key {key.Fingerprint} is revoked", "Name another recipient."),
            "d" => Unusable(
                recipient,
                $"its key {key.Fingerprint} is disabled in the keyring",
                "Enable it (gpg --edit-key, enable) or name another."
            ),
            _ => Unusable(
                recipient,
                $"its key {key.Fingerprint} has no usable encryption key (subkeys expired, or a key for signing only)",
                $"Have its owner add or extend an encryption subkey (gpg --quick-set-expire {key.Fingerprint} 2y '*'), and import it."
            ),
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
        (byte[] bytes, _) = await identity!.Key.ReadAsync(Needed, cancel);
        var folder = PrivateFolder.Create(clock);
        try
        {
            agent = await GpgAgent.StartAsync(folder, cancel);
            string copy = await SecretInput.WriteAsync(folder, "identity", bytes, cancel);
            ToolResult import = await ToolProcess.TryReadAsync(Gpg(["--homedir", folder.Path, "--import", copy]), cancel);
            File.Delete(copy);
            return import.ExitCode == 0
                ? folder
                : throw new PgBackupException(
                    ErrorCode.IdentityUnusable,
                    $"gpg cannot import the identity {file}; {Needed}:\n  {Quotation.Joined(import.Errors, 4)}",
                    "It must be an exported secret key: gpg --export-secret-keys FINGERPRINT > FILE"
                );
        }
        catch
        {
            await RemoveAsync(folder, agent);
            throw;
        }
    }

    // Other helpers of gpg, or an agent that it started itself, would stay behind.
    private static async Task RemoveAsync(PrivateFolder folder, GpgAgent? agent)
    {
        if (agent is not null)
        {
            await agent.DisposeAsync();
        }

        await ToolProcess.TryReadAsync(new ToolCommand("gpgconf", "--homedir", folder.Path, "--kill", "all"), CancellationToken.None);
        folder.Dispose();
    }
}
