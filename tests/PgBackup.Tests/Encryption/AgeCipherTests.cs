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

    [GeneratedRegex("age1[a-z0-9]+")]
    private static partial Regex PublicKey();
}
