using PgBackup.Postgres;

namespace PgBackup.Tests.Postgres;

public sealed class ConnectionAdviceTests
{
    private const string Prefix = "psql: error: connection to server at \"db\" (10.0.0.7), port 5432 failed: ";

    [Theory]
    [InlineData("FATAL:  password authentication failed for user \"reader\"", "The password is wrong")]
    [InlineData("fe_sendauth: no password supplied", "The server asks for a password")]
    [InlineData("root certificate file \"/root/.postgresql/root.crt\" does not exist", "Add sslrootcert=")]
    [InlineData("SSL error: certificate verify failed", "Add sslrootcert=")]
    [InlineData("FATAL:  database \"olympos\" does not exist", "`psql -l`")]
    [InlineData("FATAL:  role \"postgres\" does not exist", "Name a role that the server has")]
    [InlineData(
        "FATAL:  database \"olympus\" is not currently accepting connections",
        "Somebody closed it: ALTER DATABASE ... ALLOW_CONNECTIONS true"
    )]
    [InlineData(
        "FATAL:  cannot connect to invalid database \"olympus\"\nHINT:  Use DROP DATABASE to drop invalid databases.",
        "A DROP DATABASE of it was interrupted"
    )]
    [InlineData("FATAL:  sorry, too many clients already", "A run needs one connection for each database")]
    [InlineData(
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        "A run needs one connection for each database"
    )]
    [InlineData("FATAL:  permission denied for database \"olympus\"", "GRANT CONNECT ON DATABASE")]
    [InlineData("FATAL:  unsupported startup parameter: options", "That is a connection pooler (pgbouncer).")]
    [InlineData("FATAL:  unsupported startup parameter in options: statement_timeout", "That is a connection pooler (pgbouncer).")]
    [InlineData("FATAL:  no such database: postgres", "That is a connection pooler (pgbouncer).")]
    [InlineData(
        "connection to server on socket \"/var/run/postgresql/.s.PGSQL.5432\" failed: No such file or directory",
        "No server listens there"
    )]
    [InlineData("Connection refused", "Check host and port")]
    [InlineData("could not translate host name \"db\" to address: Name or service not known", "Check host and port")]
    public void A_known_error_has_its_remedy(string message, string advice) =>
        ConnectionAdvice.For(Prefix + message).ShouldNotBeNull().ShouldStartWith(advice);

    [Fact]
    public void An_unknown_error_has_none() => ConnectionAdvice.For(Prefix + "something else").ShouldBeNull();

    [Theory]
    [InlineData("FATAL:  Datenbank »olympos« existiert nicht", true)]
    [InlineData("FATAL:  no pg_hba.conf entry for host \"10.0.0.8\", user \"reader\", database \"postgres\", no encryption", true)]
    [InlineData("FATAL:  permission denied for database \"postgres\"", true)]
    [InlineData("FATAL:  password authentication failed for user \"reader\"", false)]
    [InlineData("Connection refused", false)]
    public void Another_database_is_tried_where_the_first_may_be_the_reason(string message, bool tried) =>
        ConnectionAdvice.IsOfDatabase(new PgBackupException(ErrorCode.Connection, Prefix + message)).ShouldBe(tried);

    [Theory]
    [InlineData("Connection refused")]
    [InlineData("FATAL:  the database system is starting up")]
    [InlineData("timeout expired")]
    [InlineData("server closed the connection unexpectedly")]
    [InlineData("ERROR: Control plane request failed")]
    [InlineData("could not translate host name \"db\" to address: Temporary failure in name resolution")]
    public void What_passes_by_itself_is_tried_again(string message) => ConnectionAdvice.IsTransient(Prefix + message).ShouldBeTrue();

    [Theory]
    [InlineData("FATAL:  password authentication failed for user \"reader\"")]
    [InlineData("FATAL:  database \"olympos\" does not exist")]
    [InlineData("certificate verify failed")]
    public void What_does_not_is_told_at_once(string message) => ConnectionAdvice.IsTransient(Prefix + message).ShouldBeFalse();
}
