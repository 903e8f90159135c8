using PgBackup.Encryption;

namespace PgBackup.Tests.Encryption;

public sealed class GpgKeyTests
{
    private const string Fingerprint = "C41D1A1B1E1F11121314151617181920AAAABBBB";

    [Theory]
    [InlineData("1800000000", "u:e:1700000000", 1700000000L)] // the subkey ends first
    [InlineData("1800000000", "u:e:1900000000", 1800000000L)]
    [InlineData("", "u:e:1700000000", 1700000000L)]
    [InlineData("", "u:e: u:e:1700000000", null)]
    [InlineData("", "u:e:1700000000 u:e:1750000000", 1750000000L)]
    [InlineData("", "e:e:1900000000 u:e:1750000000", 1750000000L)] // what is expired, revoked or signs does not count
    [InlineData("", "r:e:1900000000 u:e:1750000000 u:s:1900000000", 1750000000L)]
    public void A_key_can_be_encrypted_to_until_the_last_of_its_encryption_subkeys_ends(string primaryEnd, string subkeys, long? expected)
    {
        string listing =
            $"pub:u:255:22:AAAABBBB:1600000000:{primaryEnd}::u:::scESC:::+:::ed25519:::0:\nfpr:::::::::"
            + $"{Fingerprint}:\nuid:u::::1600000000::X::D <d@x.test>::::::::::0:\n";
        foreach (string[] sub in subkeys.Split(' ').Select(static s => s.Split(':')))
        {
            listing +=
                $"sub:{sub[0]}:255:18:CCCC:1600000000:{sub[2]}:::::"
                + $"{sub[1]}:::::cv25519::\nfpr:::::::::0000000000000000000000000000000000000000:\n";
        }

        GpgKey key = GpgKey.Read(listing).ShouldHaveSingleItem();

        (key.Fingerprint, key.IsUsable, key.IsDisabled).ShouldBe((Fingerprint, true, false));
        key.Expires.ShouldBe(expected is { } seconds ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null);
    }

    [Theory]
    [InlineData("u", "scESCD")]
    [InlineData("d", "scESC")]
    public void A_disabled_key_is_told_by_field_12_or_by_field_2(string validity, string capabilities)
    {
        GpgKey key = GpgKey
            .Read($"pub:{validity}:255:22:AAAABBBB:1600000000:::u:::{capabilities}:::+:::ed25519:::0:\nfpr:::::::::{Fingerprint}:\n")
            .ShouldHaveSingleItem();

        (key.IsDisabled, key.IsUsable).ShouldBe((true, false));
    }

    [Theory]
    [InlineData("KEY_CONSIDERED F 0|NO_SECKEY B3", "No secret key", false)]
    [InlineData("KEY_CONSIDERED F 0|ERROR pkdecrypt_failed 17|DECRYPTION_FAILED", "No secret key", false)] // gpg 2.4, another key
    [InlineData("KEY_CONSIDERED F 0|ERROR pkdecrypt_failed 67108881", "No secret key", false)]
    [InlineData("KEY_CONSIDERED F 0|NO_SECKEY B3|ERROR pkdecrypt_failed 67108875", "No secret key", true)]
    [InlineData("KEY_CONSIDERED F 0|ERROR pkdecrypt_failed 83918950", "Inappropriate ioctl for device", true)]
    [InlineData("KEY_CONSIDERED F 0|DECRYPTION_FAILED", "No secret key", true)]
    [InlineData("DECRYPTION_FAILED", "No secret key", false)]
    public void Only_a_passphrase_is_called_a_passphrase(string said, string message, bool expected) =>
        GpgPlaintext.IsLocked([.. said.Split('|').Select(static s => "[GNUPG:] " + s)], message).ShouldBe(expected);
}
