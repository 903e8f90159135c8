using System.Net.Sockets;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;
using PgBackup.Configuration;
using PgBackup.Host;

namespace PgBackup.Notifications;

/// <summary>Mail by a server, with MailKit. Its certificate must be good.</summary>
/// <param name="config">The server.</param>
internal sealed class MailChannel(SmtpConfig config) : IChannel
{
    /// <inheritdoc/>
    public async Task<Attempt> SendAsync(Notice notice, CancellationToken cancel)
    {
        try
        {
            using var client = new SmtpClient { CheckCertificateRevocation = false };
            await client.ConnectAsync(config.Host, config.Port, Security(config.Tls), cancel);
            if (config is { User: { } user, PasswordFile: { } file })
            {
                TrustedFile.Require(file, "file of the password");
                await client.AuthenticateAsync(user, SmallFile.Lines(file)[0], cancel);
            }

            using MimeMessage mail = Mail(notice);
            await client.SendAsync(mail, cancel);
            await client.DisconnectAsync(quit: true, cancel);
            return Attempt.Delivered;
        }
        catch (PgBackupException e)
        {
            return Attempt.Never(e.Message);
        }
        catch (UnauthorizedAccessException e)
        {
            return Attempt.Never(e.Message);
        }
        catch (AuthenticationException e) when (e.InnerException is SmtpCommandException inner && (int)inner.StatusCode < 500)
        {
            return Attempt.Later(e.Message);
        }
        catch (AuthenticationException e)
        {
            return Attempt.Never($"it does not let {config.User} in: {e.Message}");
        }
        catch (NotSupportedException e)
        {
            return Attempt.Never(e.Message); // no STARTTLS, or no way to sign in
        }
        catch (SmtpCommandException e) when ((int)e.StatusCode >= 500)
        {
            return Attempt.Never($"it answered {(int)e.StatusCode}: {e.Message}");
        }
        catch (SslHandshakeException e)
        {
            return Attempt.Later($"no encrypted connection: {(e.InnerException ?? e).Message}");
        }
        catch (Exception e)
            when (!cancel.IsCancellationRequested
                && e is CommandException or ProtocolException or ServiceNotConnectedException or IOException or SocketException
            )
        {
            return Attempt.Later(e.Message);
        }
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
}
