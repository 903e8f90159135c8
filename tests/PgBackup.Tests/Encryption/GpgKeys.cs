using PgBackup.Tools;

namespace PgBackup.Tests.Encryption;

/// <summary>Throw-away keys of gpg: a keyring with public keys alone, as on a backup host, and the secret keys in files.</summary>
public sealed class GpgKeys : IAsyncLifetime
{
    private readonly TestFolder folder = new();

    /// <summary>A home folder with the public keys of everyone but the stranger.</summary>
    public string PublicHome => folder["p"];

    /// <summary>A home folder with all secret keys.</summary>
    public string SecretHome => folder["s"];

    /// <summary>Fingerprints by the part of the address before the @.</summary>
    public Dictionary<string, string> Fingerprints { get; } = [];

    /// <summary>The file of a secret key.</summary>
    public string File(string who) => folder[who + ".key"];

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(PublicHome, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.CreateDirectory(SecretHome, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await MakeAsync("ops", "ops@example.com");
        await MakeAsync("escrow", "Escrow <escrow@example.com>");
        await MakeAsync("stranger", "stranger@example.org");
        await MakeAsync("locked", "locked@example.com", "open sesame");
        await MakeAsync("revoked", "revoked@example.com");
        await MakeAsync("twin1", "First <twin@example.com>");
        await MakeAsync("twin2", "Second <twin@example.com>");
        await MakeAsync("devops", "devs <devops2@example.com>");
        await MakeAsync("expired", "expired@example.com", "", "default", "--faked-system-time", "20200101T000000");
        await MakeAsync("disabled", "disabled@example.com");
        await MakeAsync("signer", "signer@example.com", usage: "sign");
        string certificate = Path.Combine(SecretHome, "openpgp-revocs.d", Fingerprints["revoked"] + ".rev");
        string revocation = (await System.IO.File.ReadAllTextAsync(certificate, Cancel)).Replace(":-----BEGIN", "-----BEGIN");
        await GpgAsync(SecretHome, ["--import"], revocation);
        string publicKeys = await GpgAsync(
            SecretHome,
            ["--armor", "--export", .. Fingerprints.Where(static f => f.Key != "stranger").Select(static f => f.Value)]
        );
        await GpgAsync(PublicHome, ["--import"], publicKeys);
        await GpgAsync(PublicHome, ["--command-fd", "0", "--edit-key", Fingerprints["disabled"]], "disable\nsave\n");
        foreach (string who in (string[])["ops", "escrow", "stranger", "expired"])
        {
            await GpgAsync(SecretHome, ["--output", File(who), "--export-secret-keys", Fingerprints[who]]);
        }

        await GpgAsync(
            SecretHome,
            [
                "--pinentry-mode",
                "loopback",
                "--passphrase",
                "open sesame",
                "--output",
                File("locked"),
                "--export-secret-keys",
                Fingerprints["locked"],
            ]
        );
    }

    public async ValueTask DisposeAsync()
    {
        foreach (string home in (string[])[PublicHome, SecretHome])
        {
            await ToolProcess.TryReadAsync(new ToolCommand("gpgconf", "--homedir", home, "--kill", "all"), CancellationToken.None);
        }

        folder.Dispose();
    }

    /// <summary>Runs gpg in a home folder.</summary>
    public static Task<string> GpgAsync(string home, IReadOnlyList<string> arguments, string? input = null) =>
        ToolProcess.ReadAsync(new ToolCommand("gpg", ["--homedir", home, "--batch", "--no-tty", "--quiet", .. arguments]), Cancel, input);

    private async Task MakeAsync(string who, string name, string passphrase = "", string usage = "default", params string[] options)
    {
        string algorithm = usage == "default" ? "future-default" : "ed25519";
        await GpgAsync(
            SecretHome,
            [.. options, "--pinentry-mode", "loopback", "--passphrase", passphrase, "--quick-generate-key", name, algorithm, usage, "1y"]
        );
        string listing = await GpgAsync(SecretHome, ["--with-colons", "--list-keys"]);
        string[] lines = listing.Split('\n');
        Fingerprints[who] = lines
            .Where(
                (line, i) => line.StartsWith("fpr:", StringComparison.Ordinal) && lines[i - 1].StartsWith("pub:", StringComparison.Ordinal)
            )
            .Select(static line => line.Split(':')[9])
            .Single(fingerprint => !Fingerprints.ContainsValue(fingerprint));
    }
}
