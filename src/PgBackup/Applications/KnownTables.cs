namespace PgBackup.Applications;

/// <summary>
/// The tables of Ory Kratos, Ory Hydra and Olympus' settings, and what they may lose. By name and schema, and only in a database that is
/// known by a table that nobody else has: others may have a table <c>sessions</c> too.
/// </summary>
/// <remarks>Kratos' and Hydra's own clean-up (<c>kratos cleanup sql</c>, <c>hydra janitor</c>) removes rows of the ephemeral ones; so do
/// logouts, retries of the courier, and the end of flows.</remarks>
internal static class KnownTables
{
    private const string Schema = "public.";

    private static readonly HashSet<string> KratosEphemeral = new(StringComparer.Ordinal)
    {
        "sessions",
        "session_devices",
        "session_token_exchanges",
        "courier_messages",
        "courier_message_dispatches",
        "continuity_containers",
    };

    private static readonly HashSet<string> KratosDurable = new(StringComparer.Ordinal)
    {
        "identities",
        "identity_credentials",
        "identity_credential_identifiers",
        "identity_credential_types",
        "identity_verifiable_addresses",
        "identity_recovery_addresses",
        "networks",
        "schema_migration",
    };

    private static readonly HashSet<string> HydraDurable = new(StringComparer.Ordinal)
    {
        "hydra_client",
        "hydra_jwk",
        "hydra_oauth2_trusted_jwt_bearer_issuer",
        "hydra_oauth2_obfuscated_authentication_session",
        "networks",
        "schema_migration",
    };

    // hydra_oauth2_authentication_request and the like are of Hydra 1.
    private static readonly HashSet<string> HydraEphemeral = new(StringComparer.Ordinal)
    {
        "hydra_oauth2_flow",
        "hydra_oauth2_access",
        "hydra_oauth2_refresh",
        "hydra_oauth2_code",
        "hydra_oauth2_oidc",
        "hydra_oauth2_pkce",
        "hydra_oauth2_jti_blacklist",
        "hydra_oauth2_logout_request",
        "hydra_oauth2_authentication_session",
        "hydra_oauth2_device_auth_codes",
        "hydra_oauth2_device_code",
        "hydra_oauth2_user_code",
        "hydra_oauth2_authentication_request",
        "hydra_oauth2_authentication_request_handled",
        "hydra_oauth2_consent_request",
        "hydra_oauth2_consent_request_handled",
    };

    private static readonly HashSet<string> OlympusDurable = new(StringComparer.Ordinal) { "ciam_settings", "iam_settings" };

    /// <summary>The class of a table.</summary>
    /// <param name="table">As a proof names it: <c>public.sessions</c>.</param>
    /// <param name="has">Whether its database has, or had, a table of such a name.</param>
    public static TableClass ClassOf(string table, Func<string, bool> has)
    {
        if (!table.StartsWith(Schema, StringComparison.Ordinal))
        {
            return TableClass.Unclassified;
        }

        string name = table[Schema.Length..];
        if (OlympusDurable.Contains(name))
        {
            return TableClass.Durable;
        }

        // By two of them, so that one that is lost does not make the others unknown.
        bool isKratos = has("public.identity_credentials") && (has("public.identities") || has("public.identity_credential_identifiers"));
        bool isHydra = has("public.hydra_client") || has("public.hydra_jwk");
        return (isKratos && KratosDurable.Contains(name)) || (isHydra && HydraDurable.Contains(name)) ? TableClass.Durable
            : (isKratos && IsEphemeralInKratos(name)) || (isHydra && HydraEphemeral.Contains(name)) ? TableClass.Ephemeral
            : TableClass.Unclassified;
    }

    // selfservice_login_flows, identity_recovery_codes, identity_verification_tokens: every flow has its own, and versions add more.
    private static bool IsEphemeralInKratos(string name) =>
        KratosEphemeral.Contains(name)
        || name.StartsWith("selfservice_", StringComparison.Ordinal)
        || (
            name.StartsWith("identity_", StringComparison.Ordinal)
            && (name.EndsWith("_codes", StringComparison.Ordinal) || name.EndsWith("_tokens", StringComparison.Ordinal))
        );
}
