using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using PgBackup.Storage.S3;

namespace PgBackup.Tests.Storage.S3;

/// <summary>
/// A server that answers S3's requests as a test says, to have answers that no real server gives at will: sent to their end, or cut off.
/// </summary>
internal sealed class FakeS3 : IAsyncDisposable
{
    private readonly TcpListener listener;
    private readonly CancellationTokenSource stop = new();
    private readonly Func<string, string, Answer> answer;
    private readonly Task serving;

    /// <summary>Begins to answer: a method and a path with its query give a status and a body.</summary>
    public FakeS3(Func<string, string, Answer> answer, int port = 0)
    {
        this.answer = answer;
        listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        serving = Task.Run(ServeAsync);
    }

    /// <summary>The requests, in order.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>Where it listens.</summary>
    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public S3Store Store(string name = "s3", string? objectLock = null, int retries = 0, TimeProvider? clock = null) =>
        new(
            name,
            new S3Settings
            {
                Bucket = "b",
                Endpoint = new Uri($"http://127.0.0.1:{Port.ToString(CultureInfo.InvariantCulture)}"),
                PathStyle = true,
                AccessKey = "k",
                SecretKey = "s",
                ObjectLock = objectLock,
                Retries = retries,
            },
            clock ?? TimeProvider.System
        );

    /// <summary>The error that S3 sends.</summary>
    public static Answer Error(int status, string code) =>
        new() { Status = status, Body = $"<Error><Code>{code}</Code><Message>as it was told</Message></Error>" };

    /// <summary>A list of objects.</summary>
    public static Answer Listing(IEnumerable<string> keys, string? next = null, bool truncated = false) =>
        new()
        {
            Body =
                "<ListBucketResult><Name>b</Name>"
                + (next is null ? "" : $"<NextContinuationToken>{next}</NextContinuationToken>")
                + $"<IsTruncated>{(truncated ? "true" : "false")}</IsTruncated>"
                + string.Concat(
                    keys.Select(static k =>
                        $"<Contents><Key>{k}</Key><LastModified>2026-03-22T03:00:00.000Z</LastModified><ETag>\"d41d8cd98f00b204e9800998ecf8427e\"</ETag><Size>1</Size></Contents>"
                    )
                )
                + "</ListBucketResult>",
        };

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Dispose();
        await serving;
        stop.Dispose();
    }

    private async Task ServeAsync()
    {
        List<Task> connections = [];
        try
        {
            while (true)
            {
                TcpClient client = await listener.AcceptTcpClientAsync(stop.Token);
                connections.Add(Task.Run(() => TalkAsync(client)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task TalkAsync(TcpClient client)
    {
        using (client)
        {
            NetworkStream stream = client.GetStream();
            try
            {
                while (await ReadLineAsync(stream) is { Length: > 0 } request)
                {
                    int length = 0;
                    while (await ReadLineAsync(stream) is { Length: > 0 } header)
                    {
                        length = header.StartsWith("content-length:", StringComparison.OrdinalIgnoreCase)
                            ? int.Parse(header[15..], CultureInfo.InvariantCulture)
                            : length;
                    }

                    await stream.ReadExactlyAsync(new byte[length], stop.Token);
                    string[] words = request.Split(' ');
                    Requests.Enqueue($"{words[0]} {words[1]}");
                    if (!await SendAsync(stream, answer(words[0], words[1]), words[0] == "HEAD"))
                    {
                        return;
                    }
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
            {
                // the client has gone, or the test ends
            }
        }
    }

    private async Task<bool> SendAsync(NetworkStream stream, Answer what, bool head)
    {
        byte[] body = Encoding.UTF8.GetBytes(what.Body);
        string headers =
            $"HTTP/1.1 {what.Status.ToString(CultureInfo.InvariantCulture)} x\r\nContent-Type: application/xml\r\nLast-Modified: Sun, "
            + $"22 Mar 2026 03:00:00 GMT\r\n"
            + $"{what.Headers}Content-Length: "
            + $"{(what.CutAt is { } cut && what.Quietly ? cut : body.Length).ToString(CultureInfo.InvariantCulture)}\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(headers), stop.Token);
        if (!head)
        {
            await stream.WriteAsync(body.AsMemory(0, what.CutAt ?? body.Length), stop.Token);
        }

        return what.CutAt is null || what.Quietly;
    }

    private async Task<string?> ReadLineAsync(NetworkStream stream)
    {
        var line = new StringBuilder();
        byte[] one = new byte[1];
        while (await stream.ReadAsync(one, stop.Token) > 0)
        {
            if (one[0] == '\n')
            {
                return line.ToString().TrimEnd('\r');
            }

            line.Append((char)one[0]);
        }

        return null;
    }
}

/// <summary>What the fake says.</summary>
internal sealed record Answer
{
    public int Status { get; init; } = 200;

    public string Body { get; init; } = "";

    /// <summary>More headers, each with its line end.</summary>
    public string Headers { get; init; } = "";

    /// <summary>The connection breaks after so many bytes of the body.</summary>
    public int? CutAt { get; init; }

    /// <summary>No connection breaks: the length says that this is all, as a proxy that lost its own server may.</summary>
    public bool Quietly { get; init; }
}
