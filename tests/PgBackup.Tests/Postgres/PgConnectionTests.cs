using PgBackup.Postgres;

namespace PgBackup.Tests.Postgres;

public sealed class PgConnectionTests
{
    [Theory]
    [InlineData(
        "postgres://reader@db:5433/olympus?sslmode=verify-full",
        "PGDATABASE=olympus PGHOST=db PGPORT=5433 PGSSLMODE=verify-full PGUSER=reader"
    )]
    [InlineData("postgresql://db", "PGHOST=db")]
    [InlineData("postgres://", "")]
    [InlineData("postgres:///olympus", "PGDATABASE=olympus")]
    [InlineData(
        "postgres://us%40er:p%3A%2F%3F%23%5B%5D%40%25ss@db/na%20me",
        "PGDATABASE=na me PGHOST=db PGPASSWORD=p:/?#[]@%ss PGUSER=us@er"
    )]
    [InlineData("postgres://u:a:b@c@db/", "PGHOST=db PGPASSWORD=a:b@c PGUSER=u")]
    [InlineData("postgres://u:@db/", "PGHOST=db PGUSER=u")]
    [InlineData("postgres://a,b:5433,c:5434/", "PGHOST=a,b,c PGPORT=,5433,5434")]
    [InlineData("postgres://[::1]:5433/x", "PGDATABASE=x PGHOST=::1 PGPORT=5433")]
    [InlineData("postgres://[2001:db8::7]/x", "PGDATABASE=x PGHOST=2001:db8::7")]
    [InlineData("postgres://%2Fvar%2Frun%2Fpostgresql/x", "PGDATABASE=x PGHOST=/var/run/postgresql")]
    [InlineData(
        "postgres:///x?host=/var/run/postgresql&port=5433&user=me",
        "PGDATABASE=x PGHOST=/var/run/postgresql PGPORT=5433 PGUSER=me"
    )]
    [InlineData("postgres://db/?ssl=true", "PGHOST=db PGSSLMODE=require")]
    [InlineData("postgres://db/?options=-c%20a%3Db&connect_timeout=3", "PGCONNECT_TIMEOUT=3 PGHOST=db PGOPTIONS=-c a=b")]
    [InlineData(
        "postgres://ep-x.neon.tech/?channel_binding=require&sslrootcert=/ca.pem",
        "PGCHANNELBINDING=require PGHOST=ep-x.neon.tech PGSSLROOTCERT=/ca.pem"
    )]
    public void A_url_of_libpq_becomes_its_environment(string url, string settings) =>
        string.Join(' ', PgConnection.Parse(url).Settings.Select(static s => $"{s.Key}={s.Value}").Order(StringComparer.Ordinal))
            .ShouldBe(settings);

    [Theory]
    [InlineData("db:5432/olympus", "it must start with postgres:// or postgresql://")]
    [InlineData("http://db/", "it must start with postgres:// or postgresql://")]
    [InlineData("jdbc:postgresql://db/", "it must start with postgres:// or postgresql://")]
    [InlineData("postgres://db:abc/", "the port \"abc\" is not a number from 1 to 65535")]
    [InlineData("postgres://db:65536/", "the port \"65536\" is not a number from 1 to 65535")]
    [InlineData("postgres://db:0/", "the port \"0\" is not a number from 1 to 65535")]
    [InlineData("postgres://db:-1/", "the port \"-1\" is not a number from 1 to 65535")]
    [InlineData("postgres://a:1,b:x/", "the port \"1,x\" is not a number from 1 to 65535")]
    [InlineData("postgres://db/?sslmode", "the parameter \"sslmode\" has no value")]
    [InlineData(
        "postgres://db/?sslmode=bogus",
        "sslmode has no value \"bogus\"; it has disable, allow, prefer, require, verify-ca, verify-full"
    )]
    [InlineData("postgres://db/?sslmode=Require", "sslmode has no value \"Require\"; it has")]
    [InlineData("postgres://db/?channel_binding=yes", "channel_binding has no value \"yes\"; it has require, prefer, disable")]
    [InlineData("postgres://db/?target_session_attrs=master", "target_session_attrs has no value \"master\"; it has any, read-write")]
    [InlineData("postgres://db/?ssl_min_protocol_version=1.2", "ssl_min_protocol_version has no value \"1.2\"; it has TLSv1")]
    [InlineData("postgres://db/?pgbouncer=true", "the parameter \"pgbouncer\" is not supported; supported are host, hostaddr, port")]
    public void What_is_wrong_with_a_url_is_said(string url, string message) =>
        Should.Throw<FormatException>(() => PgConnection.Parse(url)).Message.ShouldStartWith(message);

    [Theory]
    [InlineData("postgres://u:hunter2@db:x/")]
    [InlineData("postgres://u:hunter2@db/?nonsense=1")]
    [InlineData("postgres://u:hunter2@db/?nonsense")]
    [InlineData("postgres://u:hunter2/x@db:5432/")]
    [InlineData("postgres://u:x/hunter2@db/?nonsense=1")]
    [InlineData("postgres://u:x?hunter2@db/")]
    [InlineData("postgres://u:1?hunter2=@db/")]
    [InlineData("postgresq://u:hunter2@db/")]
    public void An_error_never_shows_the_password(string url) =>
        Should.Throw<FormatException>(() => PgConnection.Parse(url)).Message.ShouldNotContain("hunter2");

    [Theory]
    [InlineData("postgres://u:hunter2@db:5433/x?sslmode=require", "postgres://u@db:5433")]
    [InlineData("postgres://db/x?password=hunter2", "postgres://db")]
    [InlineData("postgres:///x", "postgres://localhost")]
    public void As_text_it_is_the_place_without_the_secret(string url, string text)
    {
        PgConnection connection = PgConnection.Parse(url);

        connection.ToString().ShouldBe(text);
        $"{connection}".ShouldNotContain("hunter2");
    }

    [Theory]
    [InlineData("postgres://db/", true)]
    [InlineData("postgres://10.0.0.7/", true)]
    [InlineData("postgres://localhost,db/", true)]
    [InlineData("postgres://[2001:db8::7]/", true)]
    [InlineData("postgres:///?hostaddr=10.0.0.7", true)]
    [InlineData("postgres://localhost/?hostaddr=10.0.0.7", true)]
    [InlineData("postgres://localhost.evil.com/", true)]
    [InlineData("postgres://localhost/", false)]
    [InlineData("postgres://127.0.0.1:5433/", false)]
    [InlineData("postgres://[::1]/", false)]
    [InlineData("postgres:///x", false)]
    [InlineData("postgres:///x?host=/run/postgresql", false)]
    [InlineData("postgres:///x?hostaddr=127.0.0.1", false)]
    public void Another_machine_is_known_as_one(string url, bool remote) => PgConnection.Parse(url).IsRemote.ShouldBe(remote);

    [Fact]
    public void The_environment_of_a_tool_has_nothing_of_the_operators_but_a_password()
    {
        Dictionary<string, string?> environment = PgConnection
            .Parse("postgres://reader@db/postgres")
            .EnvironmentFor("ciam_kratos", "olympus-pgbackup");

        environment["PGHOST"].ShouldBe("db");
        environment["PGDATABASE"].ShouldBe("ciam_kratos");
        environment["PGAPPNAME"].ShouldBe("olympus-pgbackup");
        environment["PGCONNECT_TIMEOUT"].ShouldBe("15");
        foreach (
            string removed in (string[])
                [
                    "PGPORT",
                    "PGHOSTADDR",
                    "PGSERVICE",
                    "PGSERVICEFILE",
                    "PGOPTIONS",
                    "PGSSLMODE",
                    "PGSSLROOTCERT",
                    "PGTZ",
                    "PGDATESTYLE",
                    "PGCLIENTENCODING",
                ]
        )
        {
            environment.ShouldContainKeyAndValue(removed, null);
        }

        environment.ShouldNotContainKey("PGPASSWORD");
        environment.ShouldNotContainKey("PGPASSFILE");
    }

    [Fact]
    public void A_connection_of_its_own_settings_keeps_them_in_the_environment()
    {
        Dictionary<string, string?> environment = PgConnection
            .Parse("postgres://u:secret@db:5433/own?connect_timeout=3")
            .EnvironmentFor(null, "x");

        environment["PGDATABASE"].ShouldBe("own");
        environment["PGPORT"].ShouldBe("5433");
        environment["PGPASSWORD"].ShouldBe("secret");
        environment["PGCONNECT_TIMEOUT"].ShouldBe("3");
    }

    [Fact]
    public void A_password_file_gives_the_password_without_its_line_end()
    {
        using var folder = new TestFolder();
        string file = folder.Write("password", " with space \r\n");
        PgConnection connection = PgConnection.Parse("postgres://u@db/");

        connection.WithPasswordOf(file).Settings["PGPASSWORD"].ShouldBe(" with space ");
        connection.WithPasswordOf(null).ShouldBeSameAs(connection);
        connection.Settings.Keys.ShouldNotContain("PGPASSWORD");
    }

    [Fact]
    public void A_password_file_that_cannot_be_read_is_named()
    {
        PgBackupException error = Should.Throw<PgBackupException>(() =>
            PgConnection.Parse("postgres://u@db/").WithPasswordOf("/nowhere/password")
        );

        error.Code.ShouldBe(ErrorCode.Connection);
        error.Message.ShouldContain("/nowhere/password");
        error.Remedy.ShouldNotBeNull();
    }

    [Fact]
    public void Verified_tls_without_a_named_certificate_uses_one_of_this_host()
    {
        string own = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".postgresql", "root.crt");
        string[] places = [own, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

        PgConnection
            .Parse("postgres://u@db/?sslmode=verify-full")
            .WithSurroundings()
            .Settings.GetValueOrDefault("PGSSLROOTCERT")
            .ShouldBe(Array.Find(places, File.Exists));
        PgConnection
            .Parse("postgres://u@db/?sslmode=verify-full&sslrootcert=/ca.pem")
            .WithSurroundings()
            .Settings["PGSSLROOTCERT"]
            .ShouldBe("/ca.pem");
        PgConnection.Parse("postgres://u@db/").WithSurroundings().Settings.Keys.ShouldNotContain("PGSSLROOTCERT");
    }

    [Fact]
    public void A_password_in_the_url_is_not_replaced_by_that_of_the_surroundings() =>
        PgConnection.Parse("postgres://u:own@db/").WithSurroundings().Settings["PGPASSWORD"].ShouldBe("own");

    [Fact]
    public void A_server_behind_a_network_is_asked_for_signs_of_life_as_the_url_says()
    {
        PgConnection connection = PgConnection.Parse(
            "postgres://reader@db.example.com/?keepalives_idle=20&tcp_user_timeout=5000&sslmode=verify-full"
        );
        connection.Parameters["keepalives_idle"].ShouldBe("20");
        connection.Parameters["tcp_user_timeout"].ShouldBe("5000");
        connection.Parameters["keepalives_count"].ShouldBe("4");
        connection.With("PGPASSWORD", "x").Parameters["keepalives_idle"].ShouldBe("20", "it stays with the connection");
        connection.EnvironmentFor("d", "a").Keys.ShouldNotContain("keepalives_idle");
        PgConnection.InContainer("postgres", null).Parameters.ShouldBeEmpty();
        Should
            .Throw<FormatException>(static () => PgConnection.Parse("postgres://h/?tcp_user_timeout=soon"))
            .Message.ShouldContain("tcp_user_timeout");
    }
}
