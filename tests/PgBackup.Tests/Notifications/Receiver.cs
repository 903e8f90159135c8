using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace PgBackup.Tests.Notifications;

/// <summary>A server of HTTP on a loopback address that keeps what it is sent, and answers as it is told: with a status, or never.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentQueue<Func<int?>> next = new();
    private readonly X509Certificate2? certificate;
    private readonly Task serving;

    public Receiver(bool tls = false)
    {
        certificate = tls ? SelfSigned() : null;
        listener.Start();
        serving = ServeAsync();
    }

    /// <summary>The port that it listens on.</summary>
    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>The URL, with something in its path that must not be seen elsewhere.</summary>
    public string Url =>
        string.Create(CultureInfo.InvariantCulture, $"{(certificate is null ? "http" : "https")}://127.0.0.1:{Port}/s3cr3t-path");

    /// <summary>What it was sent: the path of the request, and its body.</summary>
    public ConcurrentQueue<(string Path, string Body)> Got { get; } = new();

    /// <summary>How it answers when nothing else is said: a status, or null for never.</summary>
    public int? Answer { get; set; } = 200;

    /// <summary>How it answers the next request.</summary>
    public void Then(int? status) => next.Enqueue(() => status);

    /// <summary>Waits until it was sent so much.</summary>
    public async Task WaitAsync(int count, TimeSpan limit)
    {
        DateTime end = DateTime.UtcNow + limit;
        while (Got.Count < count && DateTime.UtcNow < end)
        {
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        Got.Count.ShouldBeGreaterThanOrEqualTo(count);
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        await serving;
        stop.Dispose();
        listener.Dispose();
        certificate?.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await listener.AcceptTcpClientAsync(stop.Token);
                _ = AnswerAsync(client);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException) { } // it is stopped between two
    }

    private async Task AnswerAsync(TcpClient client)
    {
        try
        {
            using (client)
            {
                Stream stream = client.GetStream();
                if (certificate is not null)
                {
                    var secure = new SslStream(stream);
                    await secure.AuthenticateAsServerAsync(certificate);
                    stream = secure;
                }

                string head = await HeadAsync(stream);
                int length = head.Split("\r\n")
                    .Where(static l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))
                    .Select(static l => int.Parse(l.Split(':')[1], CultureInfo.InvariantCulture))
                    .FirstOrDefault();
                byte[] body = new byte[length];
                await stream.ReadExactlyAsync(body, stop.Token);
                Got.Enqueue((head.Split(' ')[1], Encoding.UTF8.GetString(body)));
                int? status = next.TryDequeue(out Func<int?>? once) ? once() : Answer;
                if (status is null)
                {
                    await Task.Delay(Timeout.Infinite, stop.Token);
                }

                string location = status is >= 300 and < 400 ? "Location: http://127.0.0.1:1/\r\n" : "";
                string answer = $"HTTP/1.1 {status} X\r\n{location}Content-Length: 0\r\nConnection: close\r\n\r\n";
                await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), stop.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or System.Security.Authentication.AuthenticationException)
        { }
    }

    private async Task<string> HeadAsync(Stream stream)
    {
        var head = new StringBuilder();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(one, stop.Token);
            head.Append((char)one[0]);
        }

        return head.ToString();
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }
}
