using System.Text;
using PgBackup.Applications;

namespace PgBackup.Tests.Applications;

/// <summary>
/// The ciphertexts were made by other implementations than .NET's: those of Hydra and Kratos by Python's cryptography package (AESGCM),
/// those of the settings by the crypto module of Node.js, which Olympus' SDK uses. The nonces count up from 0 (or 12), so that anybody can
/// make them again.
/// </summary>
public sealed class ValueFormatTests
{
    private const string HydraNew = "AAECAwQFBgcICQoLIvtIzJ53tsLgH3uuWC3YRv3jgvWQhc8zaEi8d3Wpn6f1DpozMO4Nx0NpZyYUTUtO9ZJMELna_xom8h4=";
    private const string HydraOld = "DA0ODxAREhMUFRYXCG6QbDCYEE2tYJq7dUj8tLqS-bty7FeGYcoHRxGj4gZuvdhvsP_t-98xSymQOW1muUJZIAV-hQ==";
    private const string Kratos = "000102030405060708090a0b54848945f779bc81c9bf12db02bcfc70896366e944249b9f8586f737f266125422535f7a";
    private const string KratosSecret = "0123456789abcdef0123456789abcdef";
    private const string SettingsV2 = "v2:AAECAwQFBgcICQoL:wGrTkNYZvUNaImmNadICfg==:+LRGRde4TvShbg8dbuk=";
    private const string SettingsLegacy = "AAECAwQFBgcICQoL:ggixH/DSwfG3OIQBuBKzgQ==:Nm5jKv2QK0jXvNiP";
    private const string SettingsLongNonce = "AAECAwQFBgcICQoLDA0ODw==:tiLvhNDb/ELAyPj1Z5rfNA==:q1JH/2N0Emxph9vmycurVgqT";
    private const string SettingsSecret = "settings-encryption-key-of-the-test!";

    private static readonly string[] HydraSecrets = ["new-system-secret-of-hydra", "old-system-secret-of-hydra"];

    [Fact]
    public void Hydras_keys_decrypt_with_the_present_secret_and_with_one_from_before_a_rotation()
    {
        new HydraFormat().Try(HydraNew, HydraSecrets).ShouldBe(new ValueVerdict(ValueState.Decrypts, 1));
        new HydraFormat().Try(HydraOld, HydraSecrets).ShouldBe(new ValueVerdict(ValueState.Decrypts, 2));
        new HydraFormat().Try(HydraNew.TrimEnd('='), HydraSecrets).ShouldBe(new ValueVerdict(ValueState.Decrypts, 1));
    }

    [Fact]
    public void Kratos_tokens_decrypt_with_aes() =>
        new KratosFormat("aes")
            .Try(Kratos, ["another-secret-of-32-characters!", KratosSecret])
            .ShouldBe(new ValueVerdict(ValueState.Decrypts, 2));

    [Fact]
    public void Kratos_passes_over_secrets_that_have_not_32_bytes() =>
        new KratosFormat("aes").Try(Kratos, ["short", KratosSecret]).ShouldBe(new ValueVerdict(ValueState.Decrypts, 2));

    [Theory]
    [InlineData(SettingsV2)]
    [InlineData(SettingsLegacy)]
    public void Settings_decrypt_in_both_forms_of_the_sdk(string value) =>
        new SettingsFormat()
            .Try(value, ["no-key-of-any-value-in-these-tests!!", SettingsSecret])
            .ShouldBe(new ValueVerdict(ValueState.Decrypts, 2));

    [Fact]
    public void Settings_decrypt_when_their_parts_are_hexadecimal()
    {
        string hex = string.Join(':', SettingsLegacy.Split(':').Select(static p => Convert.ToHexStringLower(Convert.FromBase64String(p))));

        new SettingsFormat().Try(hex, [SettingsSecret]).ShouldBe(new ValueVerdict(ValueState.Decrypts, 1));
    }

    [Fact]
    public void The_two_forms_of_settings_have_different_keys()
    {
        new SettingsFormat().Try("v2:" + SettingsLegacy, [SettingsSecret]).State.ShouldBe(ValueState.WrongKey);
        new SettingsFormat().Try(SettingsV2[3..], [SettingsSecret]).State.ShouldBe(ValueState.WrongKey);
    }

    [Theory]
    [InlineData("hydra", HydraNew)]
    [InlineData("kratos", Kratos)]
    [InlineData("settings", SettingsV2)]
    [InlineData("settings", SettingsLegacy)]
    public void Another_key_or_none_decrypts_nothing(string service, string value)
    {
        foreach (
            string[] secrets in (string[][])
                [
                    ["abcdefghijklmnopqrstuvwxyz012345"],
                    ["abcdefghijklmnopqrstuvwxyz012345", "x"],
                    [],
                ]
        )
        {
            Format(service).Try(value, secrets).ShouldBe(new ValueVerdict(ValueState.WrongKey));
        }
    }

    [Theory]
    [InlineData("hydra", HydraNew, "new-system-secret-of-hydra")]
    [InlineData("kratos", Kratos, KratosSecret)]
    [InlineData("settings", SettingsV2, SettingsSecret)]
    [InlineData("settings", SettingsLegacy, SettingsSecret)]
    public void A_value_with_any_bit_changed_is_never_taken_for_decrypted(string service, string value, string secret)
    {
        IValueFormat format = Format(service);
        format.Try(value, [secret]).State.ShouldBe(ValueState.Decrypts);
        foreach ((string changed, string what) in Changed(service, value))
        {
            format.Try(changed, [secret]).State.ShouldNotBe(ValueState.Decrypts, what);
        }
    }

    [Theory]
    [InlineData("hydra", "{\"kty\":\"RSA\"}", "is not base64")]
    [InlineData("hydra", "AAECAwQFBgcICQoL", "is too short for a nonce and a tag")]
    [InlineData("hydra", "A", "is not base64")]
    [InlineData("kratos", "ya29.a0Af", "is not hexadecimal")]
    [InlineData("kratos", "00010203", "is too short for a nonce and a tag")]
    [InlineData("kratos", "000", "is not hexadecimal")]
    [InlineData("settings", "v2:AAECAwQFBgcICQoL:wGrTkNYZvUNaImmNadICfg==", "has not three parts behind v2:")]
    [InlineData("settings", "v2:AAEC:wGrTkNYZvUNaImmNadICfg==:+LRG", "is not base64 of a nonce, a tag and a ciphertext")]
    [InlineData("settings", "v2:AAECAwQFBgcICQoL:wGrT:+LRG", "is not base64 of a nonce, a tag and a ciphertext")]
    [InlineData("settings", "10:20:30", "is not base64 of a nonce, a tag and a ciphertext")]
    public void What_the_service_cannot_have_written_is_told(string service, string value, string why)
    {
        ValueVerdict verdict = Format(service).Try(value, [KratosSecret]);

        (verdict.State, verdict.Why).ShouldBe((ValueState.Malformed, why));
    }

    [Fact]
    public void What_net_has_no_cryptography_for_is_not_called_wrong()
    {
        new KratosFormat("xchacha20-poly1305")
            .Try(Kratos, [KratosSecret])
            .ShouldBe(
                new ValueVerdict(ValueState.NotTestable, Why: "is encrypted by xchacha20-poly1305, which .NET's own cryptography lacks")
            );
        new SettingsFormat().Try(SettingsLongNonce, [SettingsSecret]).State.ShouldBe(ValueState.NotTestable);
    }

    [Fact]
    public void Clear_text_is_told_apart()
    {
        new KratosFormat("noop").Try("79613239", []).ShouldBe(new ValueVerdict(ValueState.Plain));
        new SettingsFormat().Try("plain text", [SettingsSecret]).ShouldBe(new ValueVerdict(ValueState.Plain));
        new SettingsFormat().Try("https://host", [SettingsSecret]).ShouldBe(new ValueVerdict(ValueState.Plain));
    }

    private static IValueFormat Format(string service) =>
        service switch
        {
            "hydra" => new HydraFormat(),
            "kratos" => new KratosFormat("aes"),
            _ => new SettingsFormat(),
        };

    // Each character of the text replaced by another of its alphabet; what only changes the bits that base64 leaves unused is left out.
    private static IEnumerable<(string Changed, string What)> Changed(string service, string value)
    {
        for (int i = 0; i < value.Length; i++)
        {
            if (value[i] is ':' or '=' || (i + 1 < value.Length ? value[i + 1] is '=' : service != "kratos"))
            {
                continue;
            }

            var changed = new StringBuilder(value);
            changed[i] = value[i] == 'a' ? 'b' : 'a';
            yield return (changed.ToString(), $"character {i}");
        }
    }
}
