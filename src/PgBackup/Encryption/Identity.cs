namespace PgBackup.Encryption;

/// <summary>The private key to decrypt with.</summary>
public sealed record Identity
{
    private readonly SecretInput? file;
    private readonly SecretInput? passphrase;

    /// <summary>An age identity file, or an exported gpg secret key; null uses gpg's own keyring and agent. It may be a pipe.</summary>
    public string? File
    {
        get => file?.Path;
        init =>
            file = value is null
                ? null
                : new SecretInput(value, "the identity file", "Check the path after --identity, and the file's owner and mode.");
    }

    /// <summary>A file with the passphrase of a gpg key, or null (no passphrase, or the agent knows it). It may be a pipe.</summary>
    public string? PassphraseFile
    {
        get => passphrase?.Path;
        init =>
            passphrase = value is null
                ? null
                : new SecretInput(
                    value,
                    "the file with the passphrase",
                    "Check the path after --passphrase-file, or passphrase_file in the config, and the file's owner and mode."
                );
    }

    /// <summary>How to read it; <see cref="File"/> is not null.</summary>
    internal SecretInput Key => file!;

    /// <summary>The same for the passphrase; <see cref="PassphraseFile"/> is not null.</summary>
    internal SecretInput Passphrase => passphrase!;
}
