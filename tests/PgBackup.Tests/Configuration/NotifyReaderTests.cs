using PgBackup.Configuration;

namespace PgBackup.Tests.Configuration;

public sealed class NotifyReaderTests : IDisposable
{
    private readonly TestFolder folder = new();

    public NotifyReaderTests()
    {
        folder.Write("url", "https://example.org/s3cr3t\n");
        folder.Write("password", "passw0rd\n");
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Each_kind_of_channel_is_read()
    {
        IReadOnlyList<NotifyConfig> channels = Read(
            "{ ping_file: {0}/url }",
            "{ webhook_file: {0}/url, style: slack, on: [red, yellow, recovered, drill] }",
            "{ smtp: { host: mail.example.org, from: a@example.org, to: [b@example.org, c@example.org], user: a, password_file: {0}/password } }",
            "{ command: [/usr/local/bin/page-me, --now] }"
        );

        channels
            .Select(static c => c.Name)
            .ShouldBe([
                $"ping {folder["url"]}",
                $"webhook {folder["url"]}",
                "smtp mail.example.org:587 b@example.org c@example.org",
                "command /usr/local/bin/page-me",
            ]);
        channels.Select(static c => c.IsDeadMansSwitch).ShouldBe([true, false, false, false]);
        channels[1].Style.ShouldBe(WebhookStyle.Slack);
        channels[1].On.Count.ShouldBe(4);
        channels[2].Smtp!.Tls.ShouldBe(SmtpTls.StartTls);
        channels[3].On.ShouldBe([NoticeTopic.Red, NoticeTopic.Recovered], ignoreOrder: true);
        channels[3].Command.ShouldBe(["/usr/local/bin/page-me", "--now"]);
    }

    [Theory]
    [InlineData("host: mail.example.org, port: 465", SmtpTls.Implicit)]
    [InlineData("host: mail.example.org", SmtpTls.StartTls)]
    [InlineData("host: mail.example.org, tls: none", SmtpTls.None)]
    [InlineData("host: localhost", SmtpTls.None)]
    [InlineData("host: 127.0.0.1, tls: starttls", SmtpTls.StartTls)]
    public void Mail_is_encrypted_unless_the_server_is_this_host_or_the_config_says_so(string server, SmtpTls expected) =>
        Read($"{{ smtp: {{ {server}, from: a@example.org, to: [b@example.org] }} }}").Single().Smtp!.Tls.ShouldBe(expected);

    [Theory]
    [InlineData("{ on: [red] }", "notify[0].ping_file: nothing says whom to tell.")]
    [InlineData("text", "notify: each item is a mapping.")]
    [InlineData("{ ping_file: {0}/url, command: [/bin/true] }", "notify[0].command: ping_file and command are two ways to tell somebody.")]
    [InlineData("{ ping_file: {0}/url, on: [red] }", "notify[0].on: a dead man's switch is told of every run.")]
    [InlineData("{ webhook_file: hook.url }", "notify[0].webhook_file: it is not the whole path of a file.")]
    [InlineData("{ smtp: { host: 'smtp://m:25', from: a@b.c, to: [a@b.c] } }", "notify[0].smtp.host: it is not the name of a host.")]
    [InlineData("{ webhook_file: {0}/url, style: teams }", "notify[0].style: \"teams\" is not allowed. Write json or slack.")]
    [InlineData("{ webhook_file: {0}/url, on: [green] }", "notify[0].on: \"green\" is not allowed. Write red, yellow, recovered or drill.")]
    [InlineData("{ webhook_file: {0}/url, on: [] }", "notify[0].on: it would be told nothing.")]
    [InlineData("{ command: [page-me] }", "notify[0].command: no program is named by its whole path.")]
    [InlineData("{ command: [/bin/true], style: json }", "notify[0].style: there is no such key.")]
    [InlineData("{ smtp: { host: m, from: a, to: [b@example.org] } }", "notify[0].smtp.from: \"a\" is no address of mail.")]
    [InlineData("{ smtp: { host: m, from: a@example.org, to: [] } }", "notify[0].smtp.to: nobody is named.")]
    [InlineData("{ smtp: { host: m, from: a@b.c, to: [a@b.c], user: a } }", "user and password_file belong together.")]
    [InlineData("{ smtp: { host: m, from: a@b.c, to: [a@b.c], tls: ssl } }", "notify[0].smtp.tls: \"ssl\" is not allowed.")]
    [InlineData(
        "{ smtp: { host: m, from: a@b.c, to: [a@b.c], tls: none, user: a, password_file: {0}/password } }",
        "notify[0].smtp.tls: the password would travel unencrypted."
    )]
    public void A_wrong_channel_is_named(string item, string message) =>
        Should.Throw<PgBackupException>(() => Read(item)).Message.ShouldContain(message);

    [Fact]
    public void A_file_that_is_missing_costs_no_backup_and_no_other_channel() =>
        Read("{ webhook_file: {0}/missing }", "{ ping_file: {0}/url }").Count.ShouldBe(2);

    [Fact]
    public void One_program_may_tell_several_people() =>
        Read("{ command: [/bin/page, a] }", "{ command: [/bin/page, b] }")
            .Select(static c => c.Name)
            .ShouldBe(["command /bin/page", "command /bin/page (2)"]);

    [Fact]
    public void One_place_is_named_once() =>
        Should
            .Throw<PgBackupException>(() => Read("{ webhook_file: {0}/url }", "{ webhook_file: {0}/url, style: slack }"))
            .Message.ShouldContain("notify[1].webhook_file: an earlier item leads there too.");

    private IReadOnlyList<NotifyConfig> Read(params string[] items)
    {
        string text =
            "cluster: olympus\nsource: { podman: p }\ndatabases: [olympus]\nencryption: none\n"
            + $"stores: [{{ name: local, path: {folder["store"]} }}]\nnotify:\n"
            + string.Concat(items.Select(i => $"  - {i.Replace("{0}", folder.Path, StringComparison.Ordinal)}\n"));
        return ConfigReader.ParseForBackup(text, "config.yaml").Notify;
    }
}
