using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace PgBackup.Tests.Neon;

/// <summary>A server of the tests' own that answers as Neon's API is documented to, or as it is told. It is not Neon.</summary>
internal sealed class NeonServer : IAsyncDisposable
{
    public const string Project = "wispy-wind-123456";
    public const string Key = "napi_s3cr3tk3y0f4pr0j3ct";

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly Task serving;
    private bool isGone;

    public NeonServer()
    {
        listener.Start();
        Base = new Uri(
            string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/api/v2/")
        );
        serving = ServeAsync();
    }

    /// <summary>Where it is.</summary>
    public Uri Base { get; }

    /// <summary>The answer about the project: a status and a body; null for never.</summary>
    public (int Status, string Body)? OfProject { get; set; } = (200, ProjectJson(86_400));

    /// <summary>The answer about its branches.</summary>
    public (int Status, string Body)? OfBranches { get; set; } =
        (
            200,
            """
            { "branches": [
              { "id": "br-old-1", "name": "old", "default": false, "current_state": "ready", "created_at": "2026-01-01T00:00:00Z" },
              { "id": "br-main-2", "name": "main", "default": true, "current_state": "ready", "created_at": "2026-01-02T00:00:00Z" } ] }
            """
        );

    /// <summary>The answer about its computes.</summary>
    public (int Status, string Body)? OfEndpoints { get; set; } =
        (
            200,
            """
            { "endpoints": [
              { "id": "ep-b", "host": "ep-read.eu-central-1.aws.neon.tech", "branch_id": "br-main-2", "type": "read_only" },
              { "id": "ep-a", "host": "ep-x.c-2.eu-central-1.aws.neon.tech", "branch_id": "br-main-2", "type": "read_write" } ] }
            """
        );

    /// <summary>What it was asked: the first line, the key, and the body.</summary>
    public ConcurrentQueue<(string Line, string Authorization, string Body)> Got { get; } = new();

    public static string ProjectJson(long seconds, string name = "olympus") =>
        $$"""
            { "project": { "id": "{{Project}}", "name": "{{name}}", "region_id": "aws-eu-central-1", "pg_version": 17,
              "history_retention_seconds": {{seconds}}, "created_at": "2026-01-01T00:00:00Z" } }
            """;

    public async ValueTask DisposeAsync()
    {
        if (isGone)
        {
            return;
        }

        isGone = true;
        await stop.CancelAsync();
        listener.Stop();
        await serving;
        stop.Dispose();
        listener.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                _ = AnswerAsync(await listener.AcceptTcpClientAsync(stop.Token));
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
                NetworkStream stream = client.GetStream();
                string[] head = await HeadAsync(stream);
                byte[] body = new byte[int.Parse(Field(head, "Content-Length") ?? "0", CultureInfo.InvariantCulture)];
                await stream.ReadExactlyAsync(body, stop.Token);
                Got.Enqueue((head[0], Field(head, "Authorization") ?? "", Encoding.UTF8.GetString(body)));
                string path = head[0].Split(' ')[1].Split('?')[0];
                (int Status, string Body)? answer =
                    path.EndsWith("/branches", StringComparison.Ordinal) ? OfBranches
                    : path.EndsWith("/endpoints", StringComparison.Ordinal) ? OfEndpoints
                    : OfProject;
                if (answer is not { } said)
                {
                    await Task.Delay(Timeout.Infinite, stop.Token);
                    return;
                }

                // Without a status, the connection ends without a word.
                if (said.Status > 0)
                {
                    byte[] bytes = Encoding.UTF8.GetBytes(said.Body);
                    string start =
                        $"HTTP/1.1 {said.Status} X\r\nLocation: http://127.0.0.1:1/\r\n"
                        + $"Content-Length: {bytes.Length}\r\nConnection: close\r\n\r\n";
                    await stream.WriteAsync(Encoding.ASCII.GetBytes(start), stop.Token);
                    await stream.WriteAsync(bytes, stop.Token);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException) { }
    }

    private static string? Field(string[] head, string name) =>
        head.FirstOrDefault(l => l.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim();

    private async Task<string[]> HeadAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(one, stop.Token);
            head.Append((char)one[0]);
        }

        return head.ToString().Split("\r\n");
    }
}
