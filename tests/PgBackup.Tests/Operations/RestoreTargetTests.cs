using PgBackup.Operations;

namespace PgBackup.Tests.Operations;

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
    public void Weak_tls_can_be_accepted_in_so_many_words() => RestoreTarget.Parse("postgres://u@db/", acceptWeakTls: true).Connection.Host.ShouldBe("db");
}
