using System.Globalization;
using System.Text.Json;
using PgBackup.Configuration;
using PgBackup.Notifications;
using PgBackup.Operations.Status;

namespace PgBackup.Tests.Notifications;

public sealed class ChannelTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_webhook_gets_the_notice_as_json()
    {
        await using var receiver = new Receiver();

        (await SendAsync(Webhook(receiver.Url))).ShouldBe(Attempt.Delivered);

        receiver.Got.TryDequeue(out (string Path, string Body) got).ShouldBeTrue();
        got.Path.ShouldBe("/s3cr3t-path");
        using var json = JsonDocument.Parse(got.Body);
        json.RootElement.GetProperty("kind").GetString().ShouldBe("red");
        json.RootElement.GetProperty("level").GetString().ShouldBe("red");
        json.RootElement.GetProperty("findings")[0].GetProperty("code").GetString().ShouldBe("PGB-0165");
    }

    [Fact]
    public async Task Slack_gets_a_text_in_which_nothing_is_obeyed()
    {
        await using var receiver = new Receiver();

        await SendAsync(Webhook(receiver.Url) with { Style = WebhookStyle.Slack });

        receiver.Got.TryDequeue(out (string Path, string Body) got).ShouldBeTrue();
        using var json = JsonDocument.Parse(got.Body);
        string text = json.RootElement.GetProperty("text").GetString()!;
        text.ShouldContain("FAILED: PGB-0165: &lt;!channel&gt; has no rows &amp; no columns");
        text.ShouldNotContain("<");
    }

    [Theory]
    [InlineData(NoticeKind.Start, StatusLevel.Green, "/s3cr3t-path/start")]
    [InlineData(NoticeKind.Run, StatusLevel.Green, "/s3cr3t-path")]
    [InlineData(NoticeKind.Run, StatusLevel.Yellow, "/s3cr3t-path")]
    [InlineData(NoticeKind.Run, StatusLevel.Red, "/s3cr3t-path/fail")]
    [InlineData(NoticeKind.Test, StatusLevel.Green, "/s3cr3t-path/log")]
    public async Task A_dead_mans_switch_is_told_start_success_and_failure(NoticeKind kind, StatusLevel level, string path)
    {
        await using var receiver = new Receiver();
        var ping = new NotifyConfig
        {
            Name = "ping",
            PingFile = folder.Write("url", receiver.Url + "\n"),
            On = [],
        };

        (await SendAsync(ping, Sample with { Kind = kind, Level = level })).ShouldBe(Attempt.Delivered);

        receiver.Got.Single().Path.ShouldBe(path);
    }

    [Theory]
    [InlineData(500, true)]
    [InlineData(503, true)]
    [InlineData(429, true)]
    [InlineData(404, false)]
    [InlineData(401, false)]
    [InlineData(302, false)]
    public async Task What_a_webhook_answers_decides_whether_it_is_asked_again(int status, bool again)
    {
        await using var receiver = new Receiver { Answer = status };

        Attempt attempt = await SendAsync(Webhook(receiver.Url));

        attempt.Problem.ShouldNotBeNull().ShouldContain(status.ToString(CultureInfo.InvariantCulture));
        attempt.MayPass.ShouldBe(again);
    }

    [Fact]
    public async Task A_bad_certificate_is_no_receiver()
    {
        await using var receiver = new Receiver(tls: true);

        Attempt attempt = await SendAsync(Webhook(receiver.Url));

        attempt.Problem.ShouldNotBeNull().ShouldContain("certificate");
        receiver.Got.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("not a url s3cr3t")]
    [InlineData("ftp://s3cr3t.example.org/")]
    [InlineData("")]
    public async Task What_is_no_url_is_said_without_it(string content)
    {
        Attempt attempt = await SendAsync(Webhook(content));

        attempt.MayPass.ShouldBeFalse();
        attempt.Problem.ShouldNotBeNull().ShouldNotContain("s3cr3t");
    }

    [Fact]
    public async Task A_server_that_is_down_is_said_without_the_secret_of_its_url()
    {
        string url;
        await using (var receiver = new Receiver())
        {
            url = receiver.Url;
        }

        Attempt attempt = await SendAsync(Webhook(url));

        attempt.MayPass.ShouldBeTrue();
        attempt.Problem.ShouldNotBeNull().ShouldNotContain("s3cr3t");
    }

    [Fact]
    public async Task Mail_arrives_with_all_that_is_wrong_and_how_to_mend_it()
    {
        await using var server = new MailServer();

        (await SendAsync(Mail(server.Port))).ShouldBe(Attempt.Delivered);

        string mail = server.Mails.Single();
        mail.ShouldContain("Subject: [olympus-pgbackup] olympus RED: ");
        mail.ShouldContain("To: ops@example.org");
        mail.ShouldContain("Auto-Submitted: auto-generated");
        mail.ShouldContain("FAILED: PGB-0165: <!channel> has no rows & no columns");
        mail.ShouldContain("what to do: look");
    }

    [Fact]
    public async Task Mail_signs_in_where_a_user_is_named()
    {
        await using var server = new MailServer { Extensions = ["AUTH PLAIN"] };

        (await SendAsync(WithPassword(Mail(server.Port)))).ShouldBe(Attempt.Delivered);

        server.Commands.ShouldContain(static c => c.StartsWith("AUTH PLAIN ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_wrong_password_is_not_tried_again()
    {
        await using var server = new MailServer { Extensions = ["AUTH PLAIN"], SignedIn = "535 no, not passw0rd" };

        Attempt attempt = await SendAsync(WithPassword(Mail(server.Port)));

        attempt.MayPass.ShouldBeFalse();
        attempt.Problem.ShouldNotBeNull().ShouldNotContain("passw0rd");
    }

    [Fact]
    public async Task Mail_never_goes_without_the_encryption_that_the_config_asks_for()
    {
        await using var server = new MailServer();

        Attempt attempt = await SendAsync(WithPassword(Mail(server.Port, SmtpTls.StartTls)));

        attempt.Problem.ShouldNotBeNull();
        server.Commands.ShouldNotContain(static c => c.StartsWith("AUTH", StringComparison.Ordinal));
        server.Mails.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_mail_server_with_a_bad_certificate_gets_nothing()
    {
        await using var server = new MailServer { Extensions = ["STARTTLS"] };

        Attempt attempt = await SendAsync(WithPassword(Mail(server.Port, SmtpTls.StartTls)));

        attempt.Problem.ShouldNotBeNull().ShouldContain("certificate");
        server.Commands.ShouldNotContain(static c => c.StartsWith("AUTH", StringComparison.Ordinal));
        server.Mails.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("451 later", true)]
    [InlineData("550 never", false)]
    public async Task What_a_mail_server_answers_decides_whether_it_is_asked_again(string answer, bool again)
    {
        await using var server = new MailServer { FirstSender = answer };

        Attempt attempt = await SendAsync(Mail(server.Port));

        attempt.Problem.ShouldNotBeNull();
        attempt.MayPass.ShouldBe(again);
    }

    [Fact]
    public async Task A_program_gets_the_notice_on_its_stdin_and_nothing_of_it_in_its_arguments()
    {
        string program = folder.Write("page-me", $"#!/bin/sh\necho \"$@\" > {folder["arguments"]}\ncat > {folder["stdin"]}\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        (await SendAsync(Command(program, "--now"))).ShouldBe(Attempt.Delivered);

        (await File.ReadAllTextAsync(folder["arguments"], TestContext.Current.CancellationToken)).ShouldBe("--now\n");
        string json = await File.ReadAllTextAsync(folder["stdin"], TestContext.Current.CancellationToken);
        JsonDocument.Parse(json).RootElement.GetProperty("title").GetString().ShouldBe(Sample.Title);
    }

    [Fact]
    public async Task A_program_that_fails_is_tried_again_and_one_that_is_missing_is_not()
    {
        string program = folder.Write("page-me", "#!/bin/sh\necho no network >&2\nexit 7\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        (await SendAsync(Command(program))).ShouldBe(Attempt.Later("it ended with exit code 7"));
        (await SendAsync(Command(folder["missing"]))).MayPass.ShouldBeFalse();
    }

    [Fact]
    public async Task A_program_that_hangs_is_ended()
    {
        string program = folder.Write("page-me", $"#!/bin/sh\necho $$ > {folder["pid"]}\nexec sleep 600\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        using var stop = new CancellationTokenSource();
        Task<Attempt> sending = Deliverer.MakeChannel(Command(program)).SendAsync(Sample, stop.Token);
        int pid;
        while (
            !File.Exists(folder["pid"])
            || !int.TryParse(await File.ReadAllTextAsync(folder["pid"], TestContext.Current.CancellationToken), out pid)
        )
        {
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        await stop.CancelAsync();

        (await sending.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken)).Problem.ShouldNotBeNull();
        Directory.Exists(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}")).ShouldBeFalse();
    }

    [Fact]
    public async Task What_a_program_leaves_behind_is_not_waited_for()
    {
        string program = folder.Write("page-me", "#!/bin/sh\ncat >/dev/null\nsleep 20 &\nexit 0\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        Attempt attempt = await SendAsync(Command(program)).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        attempt.ShouldBe(Attempt.Delivered);
    }

    [Fact]
    public async Task A_mail_server_that_never_stops_talking_is_left()
    {
        await using var server = new MailServer { Greeting = "220-" + new string('x', 4 << 20) };

        Attempt attempt = await SendAsync(Mail(server.Port)).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        attempt.Problem.ShouldNotBeNull();
    }

    [Fact]
    public async Task One_recipient_who_is_refused_costs_the_others_nothing()
    {
        await using var server = new MailServer { RefusedRecipient = "gone@example.org" };
        NotifyConfig mail = Mail(server.Port);

        Attempt attempt = await SendAsync(mail with { Smtp = mail.Smtp! with { To = ["ops@example.org", "gone@example.org"] } });

        attempt.ShouldBe(Attempt.DeliveredInPart("it took the mail, but not for gone@example.org"));
        server.Mails.Count.ShouldBe(1);
    }

    private static Notice Sample =>
        new()
        {
            Format = Notice.CurrentFormat,
            Id = "0a1b",
            Kind = NoticeKind.Red,
            Cluster = "olympus",
            Time = new DateTimeOffset(2026, 3, 1, 3, 0, 0, TimeSpan.Zero),
            Level = StatusLevel.Red,
            Title = "olympus RED: a table has no rows",
            Findings = [Finding.Error(ErrorCode.TableEmptied, "a", "<!channel> has no rows & no columns", null, "look")],
        };

    private static Task<Attempt> SendAsync(NotifyConfig config, Notice? notice = null) =>
        Deliverer.MakeChannel(config).SendAsync(notice ?? Sample, TestContext.Current.CancellationToken);

    private NotifyConfig Webhook(string url) =>
        new()
        {
            Name = "webhook",
            WebhookFile = folder.Write("url", url + "\n"),
            On = [],
        };

    private static NotifyConfig Command(params string[] command) =>
        new()
        {
            Name = "command",
            Command = command,
            On = [],
        };

    private static NotifyConfig Mail(int port, SmtpTls tls = SmtpTls.None) =>
        new()
        {
            Name = "smtp",
            On = [],
            Smtp = new SmtpConfig
            {
                Host = "127.0.0.1",
                Port = port,
                Tls = tls,
                From = "backup@example.org",
                To = ["ops@example.org"],
            },
        };

    private NotifyConfig WithPassword(NotifyConfig mail) =>
        mail with
        {
            Smtp = mail.Smtp! with { User = "ops", PasswordFile = folder.Write("password", "passw0rd\n") },
        };
}
