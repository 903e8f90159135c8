using PgBackup.Tests.Notifications;

namespace PgBackup.IntegrationTests.Environments;

/// <summary>Notices of the published program, over several nights: a good one, a bad one, and a mended one.</summary>
[Collection("bad days")]
public sealed class NoticesTests(BadDaysCluster cluster)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task Everybody_hears_of_a_bad_night_once_and_that_it_is_mended()
    {
        await using var ping = new Receiver();
        await using var hook = new Receiver();
        await using var mail = new MailServer { Extensions = ["AUTH PLAIN"] };
        using var own = new Workspace(
            $$"""
            cluster: test
            source:
              podman: { container: {{cluster.Server.Name}}, user: postgres }
            databases: [tiny, small]
            encryption: none
            stores: [{ name: local, path: STORE }]
            notify:
              - { ping_file: STORE.ping }
              - { webhook_file: STORE.hook }
              - { smtp: { host: 127.0.0.1, port: {{mail.Port}}, from: a@example.org, to: [b@example.org], user: a, password_file: STORE.pw } }
              - { command: [/bin/sh, -c, "cat >>STORE.told"] }
            """
        );
        own.SetEnvironment("XDG_STATE_HOME", own.Store + ".state");
        Secret(own.Store + ".ping", ping.Url);
        Secret(own.Store + ".hook", hook.Url);
        Secret(own.Store + ".pw", "passw0rd");

        await own.RunAsync(0, "run");
        ping.Got.Select(static g => g.Path).ShouldBe(["/s3cr3t-path/start", "/s3cr3t-path"]);
        (hook.Got.Count, mail.Mails.Count, File.Exists(own.Store + ".told")).ShouldBe((0, 0, false));

        string good = own.Config();
        own.Configure(good.Replace(", small]", ", no_such_database]", StringComparison.Ordinal));
        Outcome bad = await own.RunAsync(3, "run");
        await own.RunAsync(3, "run");

        await hook.WaitAsync(1, Limit);
        hook.Got.ShouldHaveSingleItem().Body.ShouldContain("no_such_database");
        mail.Mails.ShouldHaveSingleItem().ShouldContain("Subject: [olympus-pgbackup] test RED: ");
        ping.Got.Count(static g => g.Path == "/s3cr3t-path/fail").ShouldBe(2);
        bad.Errors.ShouldNotContain("s3cr3t");

        own.Configure(good);
        await own.RunAsync(0, "run");

        hook.Got.Last().Body.ShouldContain("\"kind\":\"recovered\"");
        mail.Mails.Last().ShouldContain("Subject: [olympus-pgbackup] test recovered");
        (await File.ReadAllLinesAsync(own.Store + ".told", TestContext.Current.CancellationToken)).Length.ShouldBe(2);
        Outcome log = await own.RunAsync(0, "log");
        log.Output.ShouldContain("3 channels of 3 took a notice: test RED: ");
        log.Output.ShouldNotContain("s3cr3t");
    }

    private static void Secret(string file, string content)
    {
        File.WriteAllText(file, content + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
