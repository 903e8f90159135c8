using System.Net;
using System.Net.Sockets;

namespace PgBackup.IntegrationTests.Support;

/// <summary>A request as it came to the proxy. The number counts from 1 in the order of arrival; the headers' names ignore case.</summary>
internal sealed record ProxyRequest(string Method, string PathAndQuery, IReadOnlyDictionary<string, string> Headers, int Number);

/// <summary>What became of a request.</summary>
internal sealed class ProxyExchange(ProxyRequest request, Fault? fault)
{
    private long requestBytes;
    private long responseBytes;

    public ProxyRequest Request { get; } = request;

    public string Method => Request.Method;

    public string PathAndQuery => Request.PathAndQuery;

    public Fault? Fault { get; } = fault;

    /// <summary>What the client was told; 0 as long as it was told nothing.</summary>
    public int Status { get; internal set; }

    /// <summary>What the server said; 0 as long as it said nothing.</summary>
    public int ServerStatus { get; internal set; }

    /// <summary>Of the body that went to the server.</summary>
    public long RequestBytes => Interlocked.Read(ref requestBytes);

    /// <summary>Of the body that went to the client.</summary>
    public long ResponseBytes => Interlocked.Read(ref responseBytes);

    public override string ToString() =>
        $"{Request.Number} {Method} {PathAndQuery}: {RequestBytes} bytes, {ServerStatus}, {Status}, {ResponseBytes} "
        + $"bytes{(Fault is null ? "" : $" ({Fault.Name})")}";

    internal void AddRequestBytes(int count) => Interlocked.Add(ref requestBytes, count);

    internal void AddResponseBytes(int count) => Interlocked.Add(ref responseBytes, count);
}

/// <summary>
/// Stands between a client and an HTTP server, records every request, and lets some go wrong as a test says. A request's head goes on as it
/// came, with its Host, so that signatures hold: a client signs for the proxy's address. It speaks as much of HTTP/1.1 as S3 needs:
/// requests with a Content-Length or no body, and <c>Expect: 100-continue</c>; an answer in chunks it passes on in one piece. A cut is a
/// reset of the connection; in a response's body it is its end.
/// <para>
/// Every connection carries one request, because .NET's HttpClient may send one that was cut on a kept connection again by itself. The AWS
/// SDK does so always: it sends a request of any method whose connection was reset up to ten times more, at once, without counting
/// them as retries, with MaxErrorRetry 0 too. So the caller does not see one cut, but the server may have got the request twice; a
/// test that wants the caller to fail cuts <see cref="Always"/>, and heals.
/// </para>
/// </summary>
internal sealed class FaultProxy : IAsyncDisposable
{
    /// <summary>For a rule that is never used up.</summary>
    public const int Always = int.MaxValue;

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource ending = new();
    private readonly Lock gate = new();
    private readonly List<Rule> rules = [];
    private readonly List<ProxyExchange> exchanges = [];
    private readonly List<Task> connections = [];
    private readonly Uri server;
    private readonly Task accepting;

    public FaultProxy(string serverEndpoint)
    {
        server = new Uri(serverEndpoint);
        listener.Start();
        Endpoint = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
        accepting = AcceptAsync();
    }

    public string Endpoint { get; }

    /// <summary>All that have come until now, in their order.</summary>
    public IReadOnlyList<ProxyExchange> Requests
    {
        get
        {
            lock (gate)
            {
                return [.. exchanges];
            }
        }
    }

    /// <summary>The next requests that match go wrong, so many of them. The first rule that matches and is not used up holds.</summary>
    public FaultProxy On(Func<ProxyRequest, bool> match, Fault fault, int times = 1)
    {
        lock (gate)
        {
            rules.Add(new Rule(match, fault) { Left = times });
        }

        return this;
    }

    /// <summary>The same for requests of this method whose path, with its query, contains this.</summary>
    public FaultProxy On(string method, string path, Fault fault, int times = 1) =>
        On(r => r.Method == method && r.PathAndQuery.Contains(path, StringComparison.Ordinal), fault, times);

    /// <summary>From now on nothing goes wrong.</summary>
    public void Heal()
    {
        lock (gate)
        {
            rules.Clear();
        }
    }

    /// <summary>How many requests of this method had this in their path or query.</summary>
    public int Count(string method, string path = "") =>
        Requests.Count(r => r.Method == method && r.PathAndQuery.Contains(path, StringComparison.Ordinal));

    /// <summary>Closes every connection. Throws what the proxy itself, or a delegate of a test, did wrong.</summary>
    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        listener.Stop();
        await accepting;
        Task[] all;
        lock (gate)
        {
            all = [.. connections];
        }

        await Task.WhenAll(all);
        ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket client = await listener.AcceptSocketAsync(ending.Token);
                lock (gate)
                {
                    connections.Add(ServeAsync(client));
                }
            }
        }
        catch (Exception e) when (IsEnd(e))
        {
            // Disposed.
        }
    }

    private static bool IsEnd(Exception e) => e is OperationCanceledException or IOException or SocketException or ObjectDisposedException;

    private async Task ServeAsync(Socket socket)
    {
        await Task.Yield();
        using var client = new HttpConnection(socket);
        try
        {
            if (await client.ReadHeadAsync(ending.Token) is { } head)
            {
                (ProxyExchange exchange, Fault fault) = Arrived(head);
                if (!await ExchangeAsync(client, head, exchange, fault))
                {
                    client.Reset();
                }
            }
        }
        catch (Exception e) when (IsEnd(e))
        {
            // The client went away, or the server, or the proxy: a closed connection says it.
            client.Reset();
        }
    }

    private (ProxyExchange Exchange, Fault Fault) Arrived(HttpHead head)
    {
        string[] line = head.FirstLine.Split(' ');
        lock (gate)
        {
            var request = new ProxyRequest(line[0], line[1], head.Headers, exchanges.Count + 1);
            Rule? rule = rules.Find(r => r.Left > 0 && r.Match(request));
            if (rule is not null && rule.Left != Always)
            {
                rule.Left--;
            }

            var exchange = new ProxyExchange(request, rule?.Fault);
            exchanges.Add(exchange);
            return (exchange, rule?.Fault ?? Rule.Nothing);
        }
    }

    // False: the client was not told all, and shall notice.
    private async Task<bool> ExchangeAsync(HttpConnection client, HttpHead head, ProxyExchange exchange, Fault fault)
    {
        CancellationToken token = ending.Token;
        if (fault.Silent)
        {
            await client.UntilClosedAsync(token);
            return false;
        }

        if (!fault.RequestHead)
        {
            return false;
        }

        if (head.Headers.ContainsKey("Transfer-Encoding"))
        {
            throw new NotSupportedException($"a request in chunks: {head.FirstLine}");
        }

        long length = head.ContentLength ?? 0;
        if (fault.Answered is { } answer)
        {
            if (head.Headers.ContainsKey("Expect"))
            {
                await client.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray(), token);
            }

            await client.PassAsync(null, length, fault, static _ => { }, token);
            exchange.Status = answer.Status;
            var headers = new Dictionary<string, string>(answer.Headers, StringComparer.OrdinalIgnoreCase)
            {
                ["Content-Length"] = $"{answer.Body.Length}",
                ["Connection"] = "close",
            };
            await client.WriteAsync(new HttpHead($"HTTP/1.1 {answer.Status} {(HttpStatusCode)answer.Status}", headers).ToBytes(), token);
            await client.WriteAsync(exchange.Method == "HEAD" ? [] : answer.Body, token);
            return true;
        }

        using HttpConnection origin = await HttpConnection.ToAsync(server, token);
        await origin.WriteAsync(head.Raw, token);

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        Task<bool> sending = SendBodyAsync(client, origin, Math.Min(length, fault.RequestBytes), length, exchange, fault, stop.Token);
        Task<bool> receiving = ReceiveAsync(client, origin, exchange, fault, stop.Token);
        try
        {
            return await await Task.WhenAny(sending, receiving) && await sending && await receiving;
        }
        finally
        {
            // One that was cut, or failed, leaves the other waiting.
            await stop.CancelAsync();
            await Task.WhenAll(sending, receiving)
                .ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private static async Task<bool> SendBodyAsync(
        HttpConnection client,
        HttpConnection origin,
        long bytes,
        long length,
        ProxyExchange exchange,
        Fault fault,
        CancellationToken token
    )
    {
        if (length == 0)
        {
            return true;
        }

        // A server may refuse without reading to the end; its answer counts, not that it went away.
        await client.PassAsync(origin, bytes, fault, exchange.AddRequestBytes, token, fault.FlipsBit ? bytes / 2 : -1, readOn: true);
        if (bytes == length)
        {
            return true;
        }

        origin.Reset();
        return false;
    }

    private static async Task<bool> ReceiveAsync(
        HttpConnection client,
        HttpConnection origin,
        ProxyExchange exchange,
        Fault fault,
        CancellationToken token
    )
    {
        HttpHead? head = await origin.ReadHeadAsync(token);
        while (head is { Status: >= 100 and < 200 })
        {
            await client.WriteAsync(head.Raw, token);
            head = await origin.ReadHeadAsync(token);
        }

        if (head is null)
        {
            return false;
        }

        exchange.ServerStatus = head.Status;
        bool hasBody = exchange.Method != "HEAD" && head.Status is not (204 or 304);
        byte[]? body = null;
        if (
            hasBody
            && head.Headers.TryGetValue("Transfer-Encoding", out string? coding)
            && coding.Contains("chunked", StringComparison.OrdinalIgnoreCase)
        )
        {
            body = await origin.ReadChunksAsync(token);
        }
        else if (hasBody && (fault.ChangesBody is not null || !fault.ResponseHead))
        {
            body = await origin.ReadAsync(head.ContentLength ?? 0, token);
        }

        if (!fault.ResponseHead)
        {
            return false;
        }

        var headers = new Dictionary<string, string>(head.Headers, StringComparer.OrdinalIgnoreCase);
        if (body is not null)
        {
            body = fault.ChangesBody?.Invoke(body) ?? body;
            headers.Remove("Transfer-Encoding");
            headers["Content-Length"] = $"{body.Length}";
        }

        fault.ChangesHeaders?.Invoke(headers);
        headers["Connection"] = "close";
        exchange.Status = head.Status;
        await client.WriteAsync(new HttpHead(head.FirstLine, headers).ToBytes(), token);
        if (!hasBody)
        {
            return true;
        }

        long length = body?.Length ?? head.ContentLength ?? 0;
        long bytes = Math.Min(length, fault.ResponseBytes);
        bool promised = headers.TryGetValue("Content-Length", out string? text) && text == $"{bytes}";
        using HttpConnection? memory = body is null ? null : new HttpConnection(new MemoryStream(body));
        await (memory ?? origin).PassAsync(client, bytes, fault, exchange.AddResponseBytes, token);
        if (!promised)
        {
            // An end, not a reset, which would take back what the client has not read yet.
            client.Close();
        }

        return promised;
    }

    private sealed record Rule(Func<ProxyRequest, bool> Match, Fault Fault)
    {
        public static readonly Fault Nothing = new() { Name = "nothing" };

        public int Left { get; set; }
    }
}
