using System.Text.RegularExpressions;
using PgBackup.Encryption;
using PgBackup.Tools;

namespace PgBackup.Tests.Encryption;

public sealed partial class AgeCipherTests : SecretCipherContract, IAsyncLifetime
{
    private readonly TestFolder folder = new();
    private readonly Dictionary<string, string> recipients = [];

    public async ValueTask InitializeAsync()
    {
        foreach (string who in (string[])["ops", "escrow", "stranger"])
        {
            await ToolProcess.ReadAsync(new ToolCommand("age-keygen", "--output", folder[who]), Cancel);
            recipients[who] = PublicKey().Match(await File.ReadAllTextAsync(folder[who], Cancel)).Value;
        }
    }

    public ValueTask DisposeAsync()
    {
        folder.Dispose();
        return ValueTask.CompletedTask;
    }

    protected override ICipher Encrypting() => new AgeCipher([recipients["ops"], recipients["escrow"]], null);

    protected override ICipher Decrypting(string who) => DecryptingWith(folder[who]);

    protected override ICipher DecryptingWith(string identityFile) =>
        new AgeCipher([recipients["ops"], recipients["escrow"]], new Identity { File = identityFile });

    protected override ToolCommand StockDecryption(string file) => new("age", "--decrypt", "--identity", folder["escrow"], file);

    [Fact]
    public async Task Its_recipients_are_their_public_keys()
    {
        ICipher cipher = Encrypting();

        (cipher.Kind, cipher.Extension).ShouldBe(("age", ".age"));
        (await cipher.CheckAsync(Cancel)).ShouldBe(
            [new Recipient { Name = recipients["ops"], Fingerprint = recipients["ops"] }, new Recipient { Name = recipients["escrow"], Fingerprint = recipients["escrow"] }]);
    }

    [Theory]
    [InlineData("ops@example.com")]
    [InlineData("age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq")]
    [InlineData("--version")]
    [InlineData("")]
    public async Task What_is_no_public_key_is_refused_before_anything_is_encrypted(string recipient)
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => new AgeCipher([recipients["ops"], recipient], null).CheckAsync(Cancel));

        error.Code.ShouldBe(ErrorCode.RecipientUnusable);
        error.Message.ShouldContain($"\"{recipient}\"");
        error.Remedy.ShouldNotBeNull().ShouldContain("age1");
    }

    [Fact]
    public void Without_an_identity_it_says_how_to_name_one()
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => Encrypting().Decrypt(new MemoryStream(), Cancel));

        error.Code.ShouldBe(ErrorCode.IdentityUnusable);
        error.Remedy.ShouldNotBeNull().ShouldContain("--identity");
    }

    [Theory]
    [InlineData("--passphrase")]
    [InlineData("--passphrase --armor")]
    public async Task An_identity_with_a_passphrase_is_told_as_that(string options)
    {
        // age takes a passphrase from a terminal only; script makes one.
        await ToolProcess.ReadAsync(
            new ToolCommand(
                "sh", "-c", "{ sleep 1; echo open sesame; sleep 1; echo open sesame; sleep 2; } | script --quiet --return --command \"age $1 --output $2 $3\" /dev/null", "sh",
                options, folder["locked"], folder["ops"]),
            Cancel);
        (await File.ReadAllTextAsync(folder["locked"], Cancel)).ShouldNotContain("AGE-SECRET-KEY");
        byte[] stored = await EncryptAsync([1, 2, 3]);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(async () => await AllOfAsync(DecryptingWith(folder["locked"]).Decrypt(new MemoryStream(stored), Cancel)));

        error.Code.ShouldBe(ErrorCode.IdentityUnusable);
        error.Message.ShouldBe($"the identity {folder["locked"]} is protected by a passphrase, which age asks for at a terminal only.");
        error.Remedy.ShouldNotBeNull().ShouldContain($"age --decrypt {folder["locked"]}");
    }

    [Fact]
    public async Task An_ssh_key_with_a_passphrase_is_told_as_that_too()
    {
        await ToolProcess.ReadAsync(new ToolCommand("ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", folder["ssh"]), Cancel);
        var encrypting = new AgeCipher([(await File.ReadAllTextAsync(folder["ssh.pub"], Cancel)).Trim()], null);
        byte[] stored = await AllOfAsync(encrypting.Encrypt(new MemoryStream([1, 2, 3]), Cancel));

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(async () => await AllOfAsync(DecryptingWith(folder["ssh"]).Decrypt(new MemoryStream(stored), Cancel)));

        (error.Code, error.Message).ShouldBe((ErrorCode.IdentityUnusable, $"the identity {folder["ssh"]} is protected by a passphrase, which age asks for at a terminal only."));
    }

    [GeneratedRegex("age1[a-z0-9]+")]
    private static partial Regex PublicKey();
}
