using System.Security.Cryptography;
using PgBackup.Encryption;

namespace PgBackup.Tests.Encryption;

/// <summary>What every cipher promises, even the one that does nothing.</summary>
public abstract class CipherContract
{
    /// <summary>A cipher to the recipients "ops" and "escrow", not yet checked.</summary>
    protected abstract ICipher Encrypting();

    /// <summary>A cipher that decrypts with the private key of "ops", "escrow" or "stranger".</summary>
    protected abstract ICipher Decrypting(string who);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65536)]
    [InlineData(10_000_000)]
    public async Task What_was_encrypted_decrypts_to_the_same_bytes(int size)
    {
        byte[] plain = RandomNumberGenerator.GetBytes(size);

        (await DecryptAsync("ops", await EncryptAsync(plain))).SequenceEqual(plain).ShouldBeTrue();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(3_000_000)]
    public async Task A_plaintext_that_fails_in_the_middle_never_gives_a_whole_ciphertext(int before)
    {
        ICipher cipher = await CheckedAsync();
        await using var plain = new BrokenStream(RandomNumberGenerator.GetBytes(before));
        await using Stream stored = cipher.Encrypt(plain, Cancel);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => stored.CopyToAsync(Stream.Null, Cancel));

        error.Message.ShouldBe("pg_dump failed with exit code 1");
    }

    [Fact]
    public async Task The_result_owns_its_source()
    {
        ICipher cipher = await CheckedAsync();
        var plain = new BrokenStream([1]);
        Stream stored = cipher.Encrypt(plain, Cancel);
        plain.IsDisposed.ShouldBeFalse();

        await stored.DisposeAsync();

        plain.IsDisposed.ShouldBeTrue();
    }

    [Fact]
    public async Task It_can_be_disposed_of_twice_and_unused()
    {
        await using ICipher unused = Encrypting();
        ICipher cipher = Decrypting("ops");
        await AllOfAsync(cipher.Decrypt(new MemoryStream(await EncryptAsync([1])), Cancel));

        await cipher.DisposeAsync();
        await cipher.DisposeAsync();
    }

    protected async Task<ICipher> CheckedAsync()
    {
        ICipher cipher = Encrypting();
        await cipher.CheckAsync(Cancel);
        return cipher;
    }

    protected async Task<byte[]> EncryptAsync(byte[] plain) =>
        await AllOfAsync((await CheckedAsync()).Encrypt(new MemoryStream(plain), Cancel));

    protected async Task<byte[]> DecryptAsync(string who, byte[] stored)
    {
        await using ICipher cipher = Decrypting(who);
        return await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel));
    }
}
