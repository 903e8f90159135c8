using PgBackup.Postgres;

namespace PgBackup.Tests.Postgres;

public sealed class ConnectionPolicyTests
{
    [Theory]
    [InlineData(
        "postgres://r@ep-cool-pond-1-pooler.eu-central-1.aws.neon.tech/",
        "Use the direct host: ep-cool-pond-1.eu-central-1.aws.neon.tech"
    )]
    [InlineData("postgres://r@db-pooler/", "Use the direct host: db")]
    public void For_a_pooler_the_direct_host_is_named(string url, string remedy) =>
        ConnectionPolicy.PoolerRemedy(PgConnection.Parse(url)).ShouldBe(remedy);

    [Theory]
    [InlineData("postgres://r@ep-cool-pond-1.eu-central-1.aws.neon.tech/")]
    [InlineData("postgres://r@db.x-pooler.com/")]
    [InlineData("postgres://r@pooler/")]
    [InlineData("postgres:///x")]
    public void Any_other_host_is_none(string url) => ConnectionPolicy.PoolerRemedy(PgConnection.Parse(url)).ShouldBeNull();

    [Theory]
    [InlineData("", "no sslmode (which accepts plain text)")]
    [InlineData("?sslmode=disable", "sslmode=disable")]
    [InlineData("?sslmode=prefer", "sslmode=prefer")]
    [InlineData("?sslmode=require", "sslmode=require")]
    [InlineData("?sslmode=verify-ca", "sslmode=verify-ca")]
    [InlineData("?ssl=true", "sslmode=require")]
    public void Tls_that_does_not_verify_the_host_is_too_weak_for_another_machine(string query, string why) =>
        ConnectionPolicy
            .WeakTls(PgConnection.Parse("postgres://r@db.example.com/" + query))
            .ShouldBe($"db.example.com is another machine, and the connection would use {why}.");

    [Theory]
    [InlineData("postgres://r@db.example.com/?sslmode=verify-full")]
    [InlineData("postgres://r@localhost/")]
    [InlineData("postgres://r@127.0.0.1/?sslmode=disable")]
    [InlineData("postgres:///x?host=/run/postgresql")]
    public void Verify_full_and_this_machine_are_fine(string url) => ConnectionPolicy.WeakTls(PgConnection.Parse(url)).ShouldBeNull();

    [Fact]
    public void An_address_without_a_host_name_is_another_machine_too() =>
        ConnectionPolicy
            .WeakTls(PgConnection.Parse("postgres:///x?hostaddr=10.0.0.7"))
            .ShouldNotBeNull()
            .ShouldStartWith("10.0.0.7 is another machine");
}
