using PgBackup.Tools;

namespace PgBackup.Encryption;

/// <summary>Encryption by age (age-encryption.org/v1) to its public keys or to SSH keys.</summary>
public sealed class AgeCipher(IReadOnlyList<string> recipients, Identity? identity) : ICipher, IAsyncDisposable
{
    private AgeKeys? keys;
    private string? onlyKey;
    private volatile string? decryptedBy;

    /// <inheritdoc/>
    public string Kind => "age";

    /// <inheritdoc/>
    public string? DecryptedBy => decryptedBy;

    /// <inheritdoc/>
    public string Extension => ".age";

    /// <inheritdoc/>
    public async Task<IReadOnlyList<Recipient>> CheckAsync(CancellationToken cancel)
    {
        List<Recipient> checkedOnes = [];
        foreach (string recipient in recipients)
        {
            ToolResult result = await ToolProcess.TryReadAsync(new ToolCommand("age", "--encrypt", "--armor", "--recipient", recipient), cancel, "test");
            if (result.ExitCode != 0)
            {
                throw new PgBackupException(
                    ErrorCode.RecipientUnusable,
                    $"age cannot encrypt to \"{recipient}\": {string.Join(" ", result.Errors.Where(static e => !e.Contains("age.dev", StringComparison.Ordinal)))}",
                    "A recipient is the public key that age-keygen prints (age1...), or a line of an SSH public key file.");
            }

            checkedOnes.Add(new Recipient { Name = recipient, Fingerprint = recipient });
        }

        return checkedOnes;
    }

    /// <inheritdoc/>
    public Stream Encrypt(Stream plain, CancellationToken cancel)
    {
        List<string> arguments = ["--encrypt"];
        foreach (string recipient in recipients)
        {
            arguments.AddRange(["--recipient", recipient]);
        }

        return ToolStream.Through(ToolProcess.Start(new ToolCommand("age", arguments).Named("age --encrypt")), plain, cancel);
    }

    /// <inheritdoc/>
    public Task<bool> HasIdentityAsync(CancellationToken cancel) => Task.FromResult(identity?.File is not null);

    /// <inheritdoc/>
    public Stream Decrypt(Stream stored, CancellationToken cancel)
    {
        string file = RequireFile();
        var plain = new DecryptedStream(
            ToolStream.Through(ToolProcess.Start(new ToolCommand("age", "--decrypt", "--identity", file).Named("age --decrypt")), stored, cancel),
            ["no identity matched", "malformed secret key", "unknown identity type", "no identities found"],
            $"the identity {file} does not decrypt this snapshot; {Needed}.",
            "Name the file with that one by --identity FILE.")
        {
            AtEnd = () => decryptedBy = onlyKey,
        };
        return new DecryptedStream(
            plain,
            ["could not read passphrase"],
            $"the identity {file} is protected by a passphrase, which age asks for at a terminal only; {Needed}.",
            $"Take it off a copy in memory, name that with --identity, and remove it afterwards: (umask 077; age --decrypt {file} >/dev/shm/identity); for an SSH key, ssh-keygen -p on a copy.");
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ICipher>> WithEachKeyAsync(CancellationToken cancel)
    {
        keys ??= await AgeKeys.ReadAsync(RequireFile(), cancel);
        return [.. keys.Files.Select(key => new AgeCipher(recipients, new Identity { File = key.File }) { onlyKey = recipients.FirstOrDefault(r => AgeKeys.AreSame(r, key.PublicKey)) })];
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        keys?.Dispose();
        return ValueTask.CompletedTask;
    }

    private string Needed => $"the snapshot can be decrypted by the private key of {string.Join(" or ", recipients)}";

    private string RequireFile() =>
        identity?.File is not { } file
            ? throw new PgBackupException(
                ErrorCode.IdentityUnusable,
                $"decrypting needs the age identity, and none is named; {Needed}.",
                "Name the file with --identity FILE, or as encryption.age.identity_file in the config.")
        : File.Exists(file) ? file
        : throw new PgBackupException(ErrorCode.IdentityUnusable, $"the identity file {file} does not exist; {Needed}.", "Check the path after --identity.");
}
