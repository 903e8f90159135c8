using System.Security.Cryptography;
using System.Text;
using PgBackup.Encryption;
using PgBackup.Tools;

namespace PgBackup.Tests.Encryption;

/// <summary>What every cipher promises that keeps a secret.</summary>
public abstract class SecretCipherContract : CipherContract
{
    /// <summary>The call of the stock tool, without options of ours, that decrypts a file to stdout with the key of "escrow".</summary>
    protected abstract ToolCommand StockDecryption(string file);

    /// <summary>A cipher that decrypts with an identity file.</summary>
    protected abstract ICipher DecryptingWith(string identityFile);

    [Fact]
    public async Task Each_recipient_can_decrypt_alone()
    {
        byte[] plain = RandomNumberGenerator.GetBytes(1000);
        byte[] stored = await EncryptAsync(plain);

        (await DecryptAsync("ops", stored)).ShouldBe(plain);
        (await DecryptAsync("escrow", stored)).ShouldBe(plain);
    }

    [Fact]
    public async Task The_stock_tool_reads_it()
    {
        using var folder = new TestFolder();
        await File.WriteAllBytesAsync(folder["object"], await EncryptAsync("for the day when this program is lost\n"u8.ToArray()), Cancel);

        (await ToolProcess.ReadAsync(StockDecryption(folder["object"]), Cancel)).ShouldBe("for the day when this program is lost\n");
    }

    [Fact]
    public async Task Nothing_of_the_plaintext_shows()
    {
        byte[] plain = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("identity of a person ", 1000)));

        byte[] stored = await EncryptAsync(plain);

        stored.AsSpan().IndexOf("identity"u8).ShouldBe(-1);
        stored.Length.ShouldBeGreaterThan(plain.Length); // and it was not compressed again
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(150)]
    [InlineData(100_000)]
    [InlineData(-65_552)]
    [InlineData(-20)]
    [InlineData(-1)]
    public async Task A_ciphertext_that_is_cut_never_ends_well(int where)
    {
        byte[] stored = await EncryptAsync(new byte[200_000]);
        byte[] cut = stored[..(where < 0 ? stored.Length + where : where)];

        await Should.ThrowAsync<PgBackupException>(() => DecryptAsync("ops", cut));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(2000)]
    [InlineData(100_000)]
    [InlineData(199_000)]
    public async Task A_ciphertext_with_one_changed_bit_never_ends_well(int beforeTheEnd)
    {
        byte[] stored = await EncryptAsync(new byte[200_000]);
        stored[^beforeTheEnd] ^= 1;

        (await Should.ThrowAsync<PgBackupException>(() => DecryptAsync("ops", stored))).Code.ShouldBe(ErrorCode.ToolFailed);
    }

    [Fact]
    public async Task A_broken_off_encryption_cannot_be_decrypted_to_an_end()
    {
        ICipher cipher = await CheckedAsync();
        await using Stream stored = cipher.Encrypt(new BrokenStream(new byte[3_000_000]), Cancel);
        using var written = new MemoryStream();
        await Should.ThrowAsync<PgBackupException>(() => stored.CopyToAsync(written, Cancel));

        await Should.ThrowAsync<PgBackupException>(() => DecryptAsync("ops", written.ToArray()));
    }

    [Fact]
    public async Task Who_is_no_recipient_is_told_whose_key_is_needed()
    {
        byte[] stored = await EncryptAsync([1, 2, 3]);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => DecryptAsync("stranger", stored));

        error.Code.ShouldBe(ErrorCode.IdentityUnusable);
        IReadOnlyList<Recipient> recipients = await Encrypting().CheckAsync(Cancel);
        recipients.Count.ShouldBe(2);
        recipients.ShouldAllBe(recipient => error.Message.Contains(recipient.Name));
        error.Message.ShouldNotContain("\n");
    }

    [Theory]
    [InlineData("ops")]
    [InlineData("escrow")]
    public async Task Which_recipients_key_decrypted_is_known_at_the_end_and_not_before(string who)
    {
        byte[] stored = await EncryptAsync(RandomNumberGenerator.GetBytes(300_000));
        await using ICipher all = Decrypting(who);
        ICipher cipher = (await all.WithEachKeyAsync(Cancel)).ShouldHaveSingleItem();
        await using (Stream broken = cipher.Decrypt(new MemoryStream(stored), Cancel))
        {
            (await broken.ReadAsync(new byte[100], Cancel)).ShouldBeGreaterThan(0);
        }

        cipher.DecryptedBy.ShouldBeNull();
        await Should.ThrowAsync<PgBackupException>(async () => await AllOfAsync(cipher.Decrypt(new MemoryStream(stored[..^1]), Cancel)));
        cipher.DecryptedBy.ShouldBeNull();
        await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel));

        cipher.DecryptedBy.ShouldBe((await Encrypting().CheckAsync(Cancel))[who == "ops" ? 0 : 1].Fingerprint);
    }

    [Fact]
    public async Task Whether_a_private_key_is_at_hand_is_known_beforehand()
    {
        (await Encrypting().HasIdentityAsync(Cancel)).ShouldBeFalse();
        (await Decrypting("ops").HasIdentityAsync(Cancel)).ShouldBeTrue();
    }

    [Theory]
    [InlineData("/nowhere/key")]
    [InlineData("/etc/hostname")]
    public async Task An_identity_file_that_is_none_is_named(string file)
    {
        byte[] stored = await EncryptAsync([1, 2, 3]);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(async () =>
            await AllOfAsync(DecryptingWith(file).Decrypt(new MemoryStream(stored), Cancel))
        );

        error.Code.ShouldBe(ErrorCode.IdentityUnusable);
        error.Message.ShouldContain(file);
        error.Remedy.ShouldNotBeNull();
    }
}
