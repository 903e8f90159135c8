using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace PgBackup.Tests.Notifications;

/// <summary>A server of SMTP on a loopback address that keeps the mail it is given.</summary>
internal sealed class MailServer : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly X509Certificate2 certificate;
    private readonly Task serving;

    public MailServer()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        listener.Start();
        serving = ServeAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>What it says it can do.</summary>
    public IReadOnlyList<string> Extensions { get; init; } = ["8BITMIME"];

    /// <summary>How it answers a password.</summary>
    public string SignedIn { get; init; } = "235 welcome";

    /// <summary>How it answers the first sender.</summary>
    public string? FirstSender { get; set; }

    /// <summary>What it says first.</summary>
    public string Greeting { get; init; } = "220 test";

    /// <summary>Somebody whom it does not know.</summary>
    public string? RefusedRecipient { get; init; }

    /// <summary>The mails.</summary>
    public ConcurrentQueue<string> Mails { get; } = new();

    /// <summary>All that clients said.</summary>
    public ConcurrentQueue<string> Commands { get; } = new();

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        await serving;
        stop.Dispose();
        listener.Dispose();
        certificate.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await listener.AcceptTcpClientAsync(stop.Token);
                _ = TalkAsync(client);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException) { } // it is stopped between two
    }

    private async Task TalkAsync(TcpClient client)
    {
        try
        {
            using (client)
            {
                Stream stream = client.GetStream();
                await SayAsync(stream, Greeting);
                while (await LineAsync(stream) is { } line)
                {
                    Commands.Enqueue(line);
                    string word = line.Split(' ')[0].ToUpperInvariant();
                    if (word == "STARTTLS")
                    {
                        await SayAsync(stream, "220 go");
                        var secure = new SslStream(stream);
                        await secure.AuthenticateAsServerAsync(certificate);
                        stream = secure;
                    }
                    else if (word == "EHLO")
                    {
                        await SayAsync(stream, string.Join("\r\n", [.. Extensions.Select(static e => "250-" + e), "250 OK"]));
                    }
                    else if (word == "DATA")
                    {
                        await SayAsync(stream, "354 go");
                        var mail = new StringBuilder();
                        while (await LineAsync(stream) is { } text && text != ".")
                        {
                            mail.Append(text).Append('\n');
                        }

                        Mails.Enqueue(mail.ToString());
                        await SayAsync(stream, "250 taken");
                    }
                    else if (word == "RCPT" && RefusedRecipient is { } gone && line.Contains(gone, StringComparison.Ordinal))
                    {
                        await SayAsync(stream, "550 unknown");
                    }
                    else if (word == "MAIL" && FirstSender is { } refusal)
                    {
                        FirstSender = null;
                        await SayAsync(stream, refusal);
                    }
                    else
                    {
                        await SayAsync(
                            stream,
                            word switch
                            {
                                "AUTH" => SignedIn,
                                "QUIT" => "221 bye",
                                _ => "250 OK",
                            }
                        );
                    }
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or System.Security.Authentication.AuthenticationException)
        { }
    }

    private async Task SayAsync(Stream stream, string text) => await stream.WriteAsync(Encoding.UTF8.GetBytes(text + "\r\n"), stop.Token);

    private async Task<string?> LineAsync(Stream stream)
    {
        List<byte> line = [];
        byte[] one = new byte[1];
        while (await stream.ReadAsync(one, stop.Token) == 1)
        {
            if (one[0] == '\n')
            {
                return Encoding.UTF8.GetString([.. line]).TrimEnd('\r');
            }

            line.Add(one[0]);
        }

        return null;
    }
}
