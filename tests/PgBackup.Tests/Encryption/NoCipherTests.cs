using PgBackup.Encryption;

namespace PgBackup.Tests.Encryption;

public sealed class NoCipherTests : CipherContract
{
    protected override ICipher Encrypting() => new NoCipher();

    protected override ICipher Decrypting(string who) => new NoCipher();

    [Fact]
    public async Task It_needs_nobody_and_changes_nothing()
    {
        var cipher = new NoCipher();

        (cipher.Kind, cipher.Extension).ShouldBe(("none", ""));
        (await cipher.CheckAsync(Cancel)).ShouldBeEmpty();
        (await EncryptAsync([1, 2, 3])).ShouldBe([1, 2, 3]);
    }
}
