namespace PgBackup.IntegrationTests.Support;

/// <summary>
/// Throw-away keys. <see cref="PublicHome"/> is the backup host's: public keys only. The secret keys are files beside it, and
/// <see cref="SecretHome"/> is the keyring of somebody who restores by hand.
/// </summary>
internal sealed class Keys : IAsyncDisposable
{
    public const string Ops = "ops@example.com";
    public const string Escrow = "escrow@example.com";
    public const string Expired = "expired@example.com";
    public const string Passphrase = "a phrase of escrow";

    // Short: the socket of a gpg-agent inside must fit into 107 bytes.
    private readonly string folder = Directory.CreateTempSubdirectory("opk-").FullName;

    public string PublicHome => Path.Combine(folder, "public");

    public string SecretHome => Path.Combine(folder, "secret");

    public string OpsSecret => Path.Combine(folder, "ops.key");

    public string EscrowSecret => Path.Combine(folder, "escrow.key");

    public string EscrowPassphrase => Path.Combine(folder, "escrow.passphrase");

    public string StrangerSecret => Path.Combine(folder, "stranger.key");

    public string AgeIdentity => Path.Combine(folder, "age.txt");

    public string OtherAgeIdentity => Path.Combine(folder, "age-other.txt");

    public string AgeRecipient { get; private set; } = "";

    public static async Task<Keys> MakeAsync()
    {
        var keys = new Keys();
        Directory.CreateDirectory(keys.PublicHome, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.CreateDirectory(keys.SecretHome, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await File.WriteAllTextAsync(keys.EscrowPassphrase, Passphrase + "\n");
        await keys.GpgAsync("--passphrase", "", "--quick-generate-key", Ops, "future-default", "default", "never");
        await keys.GpgAsync("--passphrase", Passphrase, "--quick-generate-key", Escrow, "future-default", "default", "2y");
        await keys.GpgAsync("--passphrase", "", "--quick-generate-key", "stranger@example.com", "future-default", "default", "never");
        await keys.GpgAsync(
            "--faked-system-time",
            "20200101T000000",
            "--passphrase",
            "",
            "--quick-generate-key",
            Expired,
            "future-default",
            "default",
            "1y"
        );
        await keys.GpgAsync("--passphrase", "", "--output", keys.OpsSecret, "--armor", "--export-secret-keys", Ops);
        await keys.GpgAsync("--passphrase", Passphrase, "--output", keys.EscrowSecret, "--export-secret-keys", Escrow);
        await keys.GpgAsync("--passphrase", "", "--output", keys.StrangerSecret, "--export-secret-keys", "stranger@example.com");
        string publicKeys = Path.Combine(keys.folder, "public.keys");
        await keys.GpgAsync("--output", publicKeys, "--export", Ops, Escrow, Expired);
        await Shell.ReadAsync("gpg", ["--homedir", keys.PublicHome, "--batch", "--quiet", "--import", publicKeys]);
        // Only the keys that a restore by hand may use stay in the keyring.
        await keys.GpgAsync("--yes", "--delete-secret-and-public-key", (await keys.FingerprintAsync("stranger@example.com")));
        await Shell.ReadAsync("age-keygen", ["--output", keys.AgeIdentity]);
        await Shell.ReadAsync("age-keygen", ["--output", keys.OtherAgeIdentity]);
        keys.AgeRecipient = (await Shell.ReadAsync("age-keygen", ["-y", keys.AgeIdentity])).Trim();
        return keys;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (string home in (string[])[PublicHome, SecretHome])
        {
            await Shell.RunAsync("gpgconf", ["--homedir", home, "--kill", "all"]);
        }

        Directory.Delete(folder, recursive: true);
    }

    private async Task<string> FingerprintAsync(string who)
    {
        string listing = await Shell.ReadAsync("gpg", ["--homedir", SecretHome, "--batch", "--with-colons", "--list-keys", who]);
        return listing.Split('\n').First(static l => l.StartsWith("fpr:", StringComparison.Ordinal)).Split(':')[9];
    }

    private Task GpgAsync(params string[] arguments) =>
        Shell.ReadAsync("gpg", ["--homedir", SecretHome, "--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback", .. arguments]);
}
