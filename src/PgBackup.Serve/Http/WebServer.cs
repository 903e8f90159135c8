using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace PgBackup.Serve.Http;

/// <summary>The web server of the service: what monitors ask. It answers from what was read last, and changes nothing.</summary>
internal sealed class WebServer : IAsyncDisposable
{
    private const int MostConnections = 500;
    private static readonly TimeSpan HeadersTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(20);
    private const int LongestRequest = 16 << 10;

    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    private readonly WebApplication app;

    private WebServer(WebApplication app) => this.app = app;

    /// <summary>Starts it.</summary>
    /// <param name="endPoint">Where it listens.</param>
    /// <param name="health">The answer of <c>/healthz</c>.</param>
    /// <param name="metrics">The answer of <c>/metrics</c>.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.AddressTaken"/>.</exception>
    public static async Task<WebServer> StartAsync(IPEndPoint endPoint, Func<(int Code, byte[] Body)> health, Func<Task<byte[]>> metrics)
    {
        // Empty: no settings of a file in the working folder, and no watch on it.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { Args = [] });
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = MostConnections;
            kestrel.Limits.MaxRequestBodySize = LongestRequest;
            // Who says nothing holds no place for long.
            kestrel.Limits.RequestHeadersTimeout = HeadersTime;
            kestrel.Limits.KeepAliveTimeout = IdleTime;
            kestrel.Listen(endPoint, static listen => listen.Protocols = HttpProtocols.Http1);
        });
        WebApplication app = builder.Build();
        app.UseRouting();
        app.MapMethods(
            "/healthz",
            Methods,
            async context =>
            {
                (int code, byte[] body) = health();
                await AnswerAsync(context, code, "application/json; charset=utf-8", body);
            }
        );
        app.MapMethods(
            "/livez",
            Methods,
            static context => AnswerAsync(context, StatusCodes.Status200OK, "text/plain; charset=utf-8", "ok\n"u8.ToArray())
        );
        app.MapMethods(
            "/metrics",
            Methods,
            async context =>
                await AnswerAsync(context, StatusCodes.Status200OK, "text/plain; version=0.0.4; charset=utf-8", await metrics())
        );
        try
        {
            await app.StartAsync();
            return new WebServer(app);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await app.DisposeAsync();
            string why = e.InnerException is AddressInUseException ? "something listens there already" : e.Message.TrimEnd('.');
            throw new PgBackupException(
                ErrorCode.AddressTaken,
                $"serve cannot listen on {endPoint}: {why}.",
                "Write another address into `serve: { listen: }` of the config, or none.",
                e
            );
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync(); // who asks at this moment asks again
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }

    private static async Task AnswerAsync(HttpContext context, int code, string type, byte[] body)
    {
        context.Response.StatusCode = code;
        context.Response.ContentType = type;
        context.Response.ContentLength = body.Length;
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        await context.Response.Body.WriteAsync(body);
    }

    // Signals are the service's own.
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
