namespace PgBackup.IntegrationTests.Support;

/// <summary>
/// What the services would have stored encrypted, and the secrets. The ciphertexts were made by other implementations than .NET's (Python's
/// cryptography package, the crypto module of Node.js); the unit tests of the formats have the same ones.
/// </summary>
internal static class EncryptedValues
{
    public const string HydraSecret = "new-system-secret-of-hydra";
    public const string OldHydraSecret = "old-system-secret-of-hydra";
    public const string KratosSecret = "0123456789abcdef0123456789abcdef";
    public const string SettingsSecret = "settings-encryption-key-of-the-test!";

    private const string Hydra = "AAECAwQFBgcICQoLIvtIzJ53tsLgH3uuWC3YRv3jgvWQhc8zaEi8d3Wpn6f1DpozMO4Nx0NpZyYUTUtO9ZJMELna_xom8h4=";
    private const string OldHydra = "DA0ODxAREhMUFRYXCG6QbDCYEE2tYJq7dUj8tLqS-bty7FeGYcoHRxGj4gZuvdhvsP_t-98xSymQOW1muUJZIAV-hQ==";
    private const string Kratos = "000102030405060708090a0b54848945f779bc81c9bf12db02bcfc70896366e944249b9f8586f737f266125422535f7a";
    private const string Settings = "v2:AAECAwQFBgcICQoL:wGrTkNYZvUNaImmNadICfg==:+LRGRde4TvShbg8dbuk=";
    private const string OldSettings = "AAECAwQFBgcICQoL:ggixH/DSwfG3OIQBuBKzgQ==:Nm5jKv2QK0jXvNiP";

    /// <summary>Secrets, ciphertexts and what they decrypt to: what must not be in any report or message.</summary>
    public static IReadOnlyList<string> Secret { get; } =
    [
        HydraSecret,
        OldHydraSecret,
        KratosSecret,
        SettingsSecret,
        Hydra,
        OldHydra,
        Kratos,
        Settings,
        OldSettings,
        "ya29.an-access-token",
        "re_123 gr",
        "legacy value",
        "c2VjcmV0",
    ];

    /// <summary>
    /// Into ciam_hydra (of four keys the oldest with the old secret), ciam_kratos and ciam_settings (one in ten in the old form).
    /// iam_settings keeps the noise of the fixture, which nothing decrypts. A table of settings more has numbers for names.
    /// </summary>
    public static async Task PutIntoAsync(PostgresContainer server)
    {
        await server.SqlAsync(
            "ciam_hydra",
            $"UPDATE hydra_jwk SET keydata = CASE WHEN created_at = (SELECT min(created_at) FROM hydra_jwk) THEN '{OldHydra}' ELSE "
                + $"'{Hydra}' END"
        );
        await server.SqlAsync(
            "ciam_kratos",
            $"UPDATE identity_credentials SET config = jsonb_set(config, '{{providers,0,initial_access_token}}', '\"{Kratos}\"') "
                + $"WHERE config -> 'providers' -> 0 ? 'initial_access_token'"
        );
        await server.SqlAsync(
            "olympus",
            $"UPDATE ciam_settings SET value = CASE WHEN key LIKE '%5' THEN '{OldSettings}' ELSE '{Settings}' END WHERE encrypted"
        );
        await server.SqlAsync(
            "olympus",
            $"CREATE TABLE numbered_settings AS SELECT g AS key, '{Settings}'::text AS value, true AS encrypted, now() AS updated_at "
                + $"FROM generate_series(1, 3) g"
        );
    }
}
