using System.Text;
using PgBackup.Host;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Encryption;

/// <summary>Encryption by age (age-encryption.org/v1) to its public keys or to SSH keys.</summary>
public sealed class AgeCipher(IReadOnlyList<string> recipients, Identity? identity, TimeProvider clock) : ICipher
{
    // One key twice is one.
    private readonly IReadOnlyList<string> recipients = [.. recipients.DistinctBy(AgeKeys.WithoutComment)];
    private readonly SemaphoreSlim reading = new(1, 1);
    private PrivateFolder? folder;
    private string? keyFile;
    private AgeKeys? keys;
    private string? onlyKey;
    private volatile string? decryptedBy;

    /// <inheritdoc/>
    public string Kind => EncryptionKind.Age.Word();

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
            ToolResult result = await ToolProcess.TryReadAsync(
                new ToolCommand("age", "--encrypt", "--armor", "--recipient", recipient),
                cancel,
                "test"
            );
            if (result.ExitCode != 0)
            {
                throw new PgBackupException(
                    ErrorCode.RecipientUnusable,
                    $"age cannot encrypt to \"{recipient}\": "
                        + $"{Quotation.Joined(result.Errors.Where(static e => !e.Contains("age.dev", StringComparison.Ordinal)), 4, " ")}",
                    "A recipient is the public key that age-keygen prints (age1...), or a line of an SSH public key file."
                );
            }

            checkedOnes.Add(new Recipient { Name = recipient, Fingerprint = recipient });
        }

        // Each alone is right, and age refuses some together (keys for after quantum computers beside the others).
        ToolResult together = await ToolProcess.TryReadAsync(new ToolCommand("age", [.. EncryptArguments, "--armor"]), cancel, "test");
        return together.ExitCode == 0
            ? checkedOnes
            : throw new PgBackupException(
                ErrorCode.RecipientUnusable,
                $"age encrypts to each of the {recipients.Count} recipients, and not to all of them together: "
                    + $"{Quotation.Joined(together.Errors.Where(static e => !e.Contains("age.dev", StringComparison.Ordinal)), 4, " ")}",
                "Use recipients of one kind (age1pq... does not go with others)."
            );
    }

    /// <inheritdoc/>
    public Stream Encrypt(Stream plain, CancellationToken cancel) =>
        ToolStream.Through(ToolProcess.Start(new ToolCommand("age", EncryptArguments).Named("age --encrypt")), plain, cancel);

    /// <inheritdoc/>
    public Task<bool> HasIdentityAsync(CancellationToken cancel) => Task.FromResult(identity?.File is not null);

    /// <inheritdoc/>
    public Stream Decrypt(Stream stored, CancellationToken cancel)
    {
        string name = RequireFile();
        return new DeferredStream(async c => Decrypting(await KeyFileAsync(c), name, stored, c), cancel, stored);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ICipher>> WithEachKeyAsync(CancellationToken cancel)
    {
        RequireFile();
        keys ??= await AgeKeys.ReadAsync(await KeyFileAsync(cancel), clock, cancel);
        return
        [
            .. keys.Files.Select(key => new AgeCipher(recipients, identity, clock)
            {
                keyFile = key.File,
                onlyKey = recipients.FirstOrDefault(r => AgeKeys.AreSame(r, key.PublicKey)),
            }),
        ];
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        keys?.Dispose();
        folder?.Dispose();
        reading.Dispose();
        return ValueTask.CompletedTask;
    }

    private List<string> EncryptArguments => ["--encrypt", .. recipients.SelectMany(static r => (string[])["--recipient", r])];

    private DecryptedStream Decrypting(string file, string name, Stream stored, CancellationToken cancel)
    {
        var plain = new DecryptedStream(
            ToolStream.Through(
                ToolProcess.Start(new ToolCommand("age", "--decrypt", "--identity", file).Named("age --decrypt")),
                stored,
                cancel
            ),
            ["no identity matched", "malformed secret key", "unknown identity type", "no identities found", "no secret keys found"],
            $"the identity {name} does not decrypt this snapshot; {Needed}.",
            "Name the file with that one by --identity FILE."
        )
        {
            AtEnd = () => decryptedBy = onlyKey,
        };
        return new DecryptedStream(
            plain,
            ["could not read passphrase"],
            $"the identity {name} is protected by a passphrase, which age asks for at a terminal only; {Needed}.",
            $"Take it off a copy in memory, name that with --identity, and remove it afterwards: (umask 077; age --decrypt {name} "
                + $">/dev/shm/identity); for an SSH key, ssh-keygen -p on a copy."
        );
    }

    // The file itself where age reads from it what was read here; of a pipe, or a text with a byte order mark, a private copy.
    private async Task<string> KeyFileAsync(CancellationToken cancel)
    {
        await reading.WaitAsync(cancel);
        try
        {
            if (keyFile is null)
            {
                (byte[] bytes, bool isFile) = await identity!.Key.ReadAsync(Needed, cancel);
                RequireKey(Encoding.UTF8.GetString(bytes));
                if (!isFile)
                {
                    folder = PrivateFolder.Create(clock);
                }

                keyFile = isFile ? identity.Key.Path : await SecretInput.WriteAsync(folder!, "identity", bytes, cancel);
            }

            return keyFile;
        }
        finally
        {
            reading.Release();
        }
    }

    private void RequireKey(string text)
    {
        bool held = text.Split('\n')
            .Select(static l => l.Trim())
            .Any(static l =>
                l.StartsWith("AGE-", StringComparison.OrdinalIgnoreCase)
                || l.StartsWith("age-encryption.org/", StringComparison.Ordinal)
                || l == "-----BEGIN AGE ENCRYPTED FILE-----"
                || (l.StartsWith("-----BEGIN ", StringComparison.Ordinal) && l.EndsWith("PRIVATE KEY-----", StringComparison.Ordinal))
            );
        if (!held)
        {
            throw new PgBackupException(
                ErrorCode.IdentityUnusable,
                $"the identity file {identity!.File} holds no private key{(text.Length == 0 ? ": it is empty" : "")}; {Needed}.",
                "It must have a line that begins with AGE-SECRET-KEY-, or be a private key of SSH. Was it copied as a whole?"
            );
        }
    }

    private string Needed => $"the snapshot can be decrypted by the private key of {string.Join(" or ", recipients)}";

    private string RequireFile() =>
        identity?.File
        ?? throw new PgBackupException(
            ErrorCode.IdentityUnusable,
            $"decrypting needs the age identity, and none is named; {Needed}.",
            "Name the file with --identity FILE, or as encryption.age.identity_file in the config."
        );
}
