using PgBackup.Applications;

namespace PgBackup.Tests.Applications;

public sealed class KnownTablesTests
{
    private static readonly string[] Kratos = ["public.identities", "public.identity_credentials"];
    private static readonly string[] Hydra = ["public.hydra_client"];

    [Theory]
    [InlineData("public.sessions", TableClass.Ephemeral)]
    [InlineData("public.session_devices", TableClass.Ephemeral)]
    [InlineData("public.session_token_exchanges", TableClass.Ephemeral)]
    [InlineData("public.selfservice_login_flows", TableClass.Ephemeral)]
    [InlineData("public.selfservice_errors", TableClass.Ephemeral)]
    [InlineData("public.identity_recovery_codes", TableClass.Ephemeral)]
    [InlineData("public.identity_verification_tokens", TableClass.Ephemeral)]
    [InlineData("public.courier_messages", TableClass.Ephemeral)]
    [InlineData("public.courier_message_dispatches", TableClass.Ephemeral)]
    [InlineData("public.continuity_containers", TableClass.Ephemeral)]
    [InlineData("public.identities", TableClass.Durable)]
    [InlineData("public.identity_credentials", TableClass.Durable)]
    [InlineData("public.identity_credential_identifiers", TableClass.Durable)]
    [InlineData("public.identity_recovery_addresses", TableClass.Durable)]
    [InlineData("public.networks", TableClass.Durable)]
    [InlineData("public.schema_migration", TableClass.Durable)]
    [InlineData("other.sessions", TableClass.Unclassified)]
    [InlineData("public.hydra_jwk", TableClass.Unclassified)]
    [InlineData("public.jobs", TableClass.Unclassified)]
    public void Tables_of_Kratos(string table, TableClass expected) => Of(table, Kratos).ShouldBe(expected);

    [Theory]
    [InlineData("public.hydra_oauth2_flow", TableClass.Ephemeral)]
    [InlineData("public.hydra_oauth2_refresh", TableClass.Ephemeral)]
    [InlineData("public.hydra_oauth2_jti_blacklist", TableClass.Ephemeral)]
    [InlineData("public.hydra_oauth2_authentication_session", TableClass.Ephemeral)]
    [InlineData("public.hydra_oauth2_device_auth_codes", TableClass.Ephemeral)]
    [InlineData("public.hydra_client", TableClass.Durable)]
    [InlineData("public.hydra_jwk", TableClass.Durable)]
    [InlineData("public.hydra_oauth2_trusted_jwt_bearer_issuer", TableClass.Durable)]
    [InlineData("public.hydra_oauth2_obfuscated_authentication_session", TableClass.Durable)]
    [InlineData("public.sessions", TableClass.Unclassified)]
    public void Tables_of_Hydra(string table, TableClass expected) => Of(table, Hydra).ShouldBe(expected);

    [Fact]
    public void Names_alone_are_not_enough()
    {
        Of("public.sessions", []).ShouldBe(TableClass.Unclassified);
        Of("public.identities", ["public.identities"]).ShouldBe(TableClass.Unclassified);
        Of("public.ciam_settings", []).ShouldBe(TableClass.Durable, "nobody else has it");
        Of("public.sessions", [.. Kratos, .. Hydra]).ShouldBe(TableClass.Ephemeral);
        Of("public.hydra_jwk", [.. Kratos, .. Hydra]).ShouldBe(TableClass.Durable);
    }

    private static TableClass Of(string table, string[] has) => KnownTables.ClassOf(table, has.Contains);
}
