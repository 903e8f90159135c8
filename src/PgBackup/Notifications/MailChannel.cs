using System.Globalization;
using System.Net.Sockets;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;
using PgBackup.Configuration;
using PgBackup.Host;

namespace PgBackup.Notifications;

/// <summary>Mail by a server, with MailKit. Its certificate must be good. Of what the server says only the codes are told: some repeat the
/// password.</summary>
/// <param name="config">The server.</param>
internal sealed class MailChannel(SmtpConfig config) : IChannel
{
    // All that a server says while it takes a mail, certificates included, is some 10 kB.
    private const long MostBytes = 1 << 20;

    private const int Permanent = 500;

    /// <inheritdoc/>
    public async Task<Attempt> SendAsync(Notice notice, CancellationToken cancel)
    {
        try
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(config.Host, config.Port, cancel);
            // A server that never stops talking heeds no cancellation: this ends it.
            await using CancellationTokenRegistration end = cancel.UnsafeRegister(static s => ((TcpClient)s!).Dispose(), socket);
            await using var stream = new CappedStream(socket.GetStream(), MostBytes);
            using var client = new Client { CheckCertificateRevocation = false };
            await client.ConnectAsync(stream, config.Host, config.Port, Security(config.Tls), cancel);
            if (config is { User: { } user, PasswordFile: { } file })
            {
                TrustedFile.Require(file, "file of the password");
                await client.AuthenticateAsync(user, SmallFile.Lines(file)[0], cancel);
            }

            using MimeMessage mail = Mail(notice);
            await client.SendAsync(mail, cancel);
            // It has the mail, whatever it says now.
            return client.Refused.Count == 0
                ? Attempt.Delivered
                : Attempt.DeliveredInPart($"it took the mail, but not for {string.Join(", ", client.Refused)}");
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            return Failed(e);
        }
    }

    private Attempt Failed(Exception error) =>
        error switch
        {
            PgBackupException or UnauthorizedAccessException => Attempt.Never(error.Message),
            AuthenticationException { InnerException: SmtpCommandException refused } => Answered(
                refused,
                $"to the password of {config.User}"
            ),
            AuthenticationException => Attempt.Never($"it does not let {config.User} in"),
            NotSupportedException => Attempt.Never("it has no STARTTLS, or no way to sign in"),
            SmtpCommandException { Mailbox: { } who } refused => Answered(refused, $"to {who.Address}"),
            SmtpCommandException refused => Answered(refused, "to the mail"),
            SslHandshakeException => Attempt.Later($"no encrypted connection: {(error.InnerException ?? error).Message}"),
            SocketException socket => Attempt.Later($"no connection: {socket.Message}"),
            CommandException or ProtocolException => Attempt.Later("it does not answer as a mail server does"),
            IOException or ServiceNotConnectedException => Attempt.Later($"the connection ended: {error.Message}"),
            _ => Attempt.Never($"an unexpected error: {error.GetType().Name}"),
        };

    private static Attempt Answered(SmtpCommandException refused, string what)
    {
        int code = (int)refused.StatusCode;
        string text = string.Create(CultureInfo.InvariantCulture, $"it answered {code} {what}");
        return code >= Permanent ? Attempt.Never(text) : Attempt.Later(text);
    }

    private MimeMessage Mail(Notice notice)
    {
        var mail = new MimeMessage
        {
            Subject = $"[olympus-pgbackup] {notice.Title}",
            Date = notice.Time,
            MessageId = $"{notice.Id}@olympus-pgbackup",
            Body = new TextPart("plain") { Text = NoticeText.Body(notice) },
        };
        mail.From.Add(MailboxAddress.Parse(config.From));
        mail.To.AddRange(config.To.Select(MailboxAddress.Parse));
        // RFC 3834: no holiday answers to this.
        mail.Headers.Add(HeaderId.AutoSubmitted, "auto-generated");
        return mail;
    }

    private static SecureSocketOptions Security(SmtpTls tls) =>
        tls switch
        {
            SmtpTls.StartTls => SecureSocketOptions.StartTls,
            SmtpTls.Implicit => SecureSocketOptions.SslOnConnect,
            _ => SecureSocketOptions.None,
        };

    // One colleague who left must not cost the others their mail.
    private sealed class Client : SmtpClient
    {
        public List<string> Refused { get; } = [];

        protected override void OnRecipientNotAccepted(MimeMessage message, MailboxAddress mailbox, SmtpResponse response) =>
            Refused.Add(mailbox.Address);
    }
}
