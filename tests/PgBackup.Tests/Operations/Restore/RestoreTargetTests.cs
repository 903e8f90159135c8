using PgBackup.Configuration;
using PgBackup.Operations.Restore;
using PgBackup.Tests.Configuration;

namespace PgBackup.Tests.Operations.Restore;

public sealed class RestoreTargetTests
{
    [Theory]
    [InlineData("podman:pg", "podman", "pg", "postgres")]
    [InlineData("docker:pg-2", "docker", "pg-2", "postgres")]
    [InlineData("podman:admin@pg", "podman", "pg", "admin")]
    [InlineData("podman:a@b@pg", "podman", "pg", "a@b")]
    public void A_container_is_named_with_its_engine_and_perhaps_a_role(string text, string engine, string container, string user)
    {
        RestoreTarget target = RestoreTarget.Parse(text);

        (target.Engine, target.Container, target.Connection.User).ShouldBe((engine, container, user));
    }

    [Fact]
    public void A_url_is_a_target_too()
    {
        RestoreTarget target = RestoreTarget.Parse("postgres://admin@db:5433/?sslmode=verify-full");

        (target.Engine, target.Connection.Host, target.Connection.Settings["PGPORT"]).ShouldBe((null, "db", "5433"));
        RestoreTarget.Parse("postgres://localhost/").Connection.Host.ShouldBe("localhost");
    }

    [Theory]
    [InlineData("")]
    [InlineData("nowhere")]
    [InlineData("podman:")]
    [InlineData("podman:admin@")]
    [InlineData("kubernetes:pg")]
    [InlineData("postgres://u:hunter2@db:x/")]
    [InlineData("u:hunter2@db")]
    public void What_is_no_target_is_refused_without_showing_a_password(string text)
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => RestoreTarget.Parse(text));

        error.Code.ShouldBe(ErrorCode.Usage);
        error.Message.ShouldNotContain("hunter2");
        error.Remedy.ShouldNotBeNull();
    }

    [Theory]
    [InlineData("postgres://u@ep-x-pooler.neon.tech/?sslmode=verify-full", "Use the direct host: ep-x.neon.tech")]
    [InlineData("postgres://u@db/?sslmode=require", "Add ?sslmode=verify-full")]
    public void What_a_backup_must_not_go_through_a_restore_must_not_either(string url, string remedy)
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => RestoreTarget.Parse(url));

        error.Code.ShouldBe(ErrorCode.ConnectionRefusedByPolicy);
        error.Remedy.ShouldNotBeNull().ShouldContain(remedy);
    }

    [Fact]
    public void Weak_tls_can_be_accepted_in_so_many_words() =>
        RestoreTarget.Parse("postgres://u@db/", acceptWeakTls: true).Connection.Host.ShouldBe("db");

    [Theory]
    [InlineData("podman: { container: pg, user: backup }", "podman:other@pg", true)]
    [InlineData("podman: { container: pg }", "podman:pg-new", false)]
    [InlineData("podman: { container: pg }", "docker:pg", false)]
    [InlineData("podman: { container: pg }", "postgres://localhost/", false)]
    [InlineData("url: \"postgres://reader@localhost/\"", "postgres://postgres@127.0.0.1:5432/other", true)]
    [InlineData("url: \"postgres://reader@localhost:5433/\"", "postgres://postgres@localhost/", false)]
    [InlineData("url: \"postgres://reader@DB/?sslmode=verify-full\"", "postgres://postgres@db/?sslmode=verify-full", true)]
    [InlineData("url: \"postgres://reader@a,b:5433/?sslmode=verify-full\"", "postgres://postgres@b:5433/?sslmode=verify-full", true)]
    [InlineData("url: \"postgres://reader@a,b:5433/?sslmode=verify-full\"", "postgres://postgres@b/?sslmode=verify-full", false)]
    public void The_server_of_the_source_is_known_by_its_container_or_host_and_port(string source, string target, bool same)
    {
        BackupConfig config = ConfigReader.ParseForBackup(
            ConfigText.With("podman: { container: olympus-postgres, user: backup }", source),
            "test.yaml"
        );

        RestoreTarget.Parse(target).IsSourceOf(config).ShouldBe(same);
    }
}
