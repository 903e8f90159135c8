using System.CommandLine;
using PgBackup.Encryption;

namespace PgBackup.App.Verbs;

/// <summary>The options that give a verb the private key.</summary>
internal sealed class IdentityOptions
{
    private readonly Option<string?> file = new("--identity", "-i")
    {
        Description = "The private key: an age identity file or an exported gpg secret key (else the config's, or gpg's keyring)",
        HelpName = "FILE",
    };

    private readonly Option<string?> passphrase = new("--passphrase-file")
    {
        Description = "A file with the passphrase of the gpg key",
        HelpName = "FILE",
    };

    /// <summary>Adds the options to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(file);
        command.Options.Add(passphrase);
    }

    /// <summary>What was written, or null when nothing was.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/> for a key where a file is meant.</exception>
    public Identity? Read(ParseResult parsed)
    {
        string? identity = parsed.GetValue(file);
        string? phrase = parsed.GetValue(passphrase);
        return PrivateKey.IsIn(identity ?? "") || PrivateKey.IsIn(phrase ?? "")
                ? throw new PgBackupException(ErrorCode.Usage, $"--identity takes a file, and {PrivateKey.Refusal}", PrivateKey.Remedy)
            : identity is null && phrase is null ? null
            : new Identity { File = identity, PassphraseFile = phrase };
    }
}
