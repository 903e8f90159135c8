using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using PgBackup.Configuration;
using PgBackup.Host;
using PgBackup.Operations.Status;

namespace PgBackup.Notifications;

/// <summary>A webhook, or a dead man's switch. The URL is a secret: it is read from its file for each attempt, and in no message.</summary>
/// <param name="config">Which.</param>
internal sealed class HttpChannel(NotifyConfig config) : IChannel
{
    // A redirect would take the notice, and a secret of its URL, to somebody else.
    private static readonly HttpClient Client = new(new SocketsHttpHandler { AllowAutoRedirect = false })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <inheritdoc/>
    public async Task<Attempt> SendAsync(Notice notice, CancellationToken cancel)
    {
        if (NotifyUrl.TryRead((config.PingFile ?? config.WebhookFile)!, out string problem) is not { } url)
        {
            return Attempt.Never(problem);
        }

        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, config.IsDeadMansSwitch ? PingUrl(url, notice) : url)
            {
                Content = Content(notice),
            };
            request.Headers.UserAgent.Add(new ProductInfoHeaderValue("olympus-pgbackup", ProductVersion.Text));
            using HttpResponseMessage answer = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
            int status = (int)answer.StatusCode;
            string what = string.Create(CultureInfo.InvariantCulture, $"it answered {status}");
            return answer.IsSuccessStatusCode ? Attempt.Delivered
                : status >= 500 || answer.StatusCode is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests
                    ? Attempt.Later(what)
                : Attempt.Never(status is >= 300 and < 400 ? $"{what}, and leads elsewhere: redirects are not followed" : what);
        }
        catch (HttpRequestException e) when (!cancel.IsCancellationRequested)
        {
            return Attempt.Later(HttpFailure.Text(e));
        }
        catch (IOException) when (!cancel.IsCancellationRequested)
        {
            return Attempt.Later("it ended the connection");
        }
    }

    private HttpContent Content(Notice notice) =>
        config switch
        {
            { IsDeadMansSwitch: true } => new StringContent(NoticeText.Body(notice), Encoding.UTF8, "text/plain"),
            { Style: WebhookStyle.Slack } => Json(
                JsonSerializer.SerializeToUtf8Bytes(new SlackMessage(NoticeText.Slack(notice)), NoticeJson.Default.SlackMessage)
            ),
            _ => Json(notice.ToJson()),
        };

    private static ByteArrayContent Json(byte[] body)
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return content;
    }

    // Source: healthchecks.io/docs/http_api: URL, URL/start, URL/fail.
    private static Uri PingUrl(Uri url, Notice notice)
    {
        string? end =
            notice.Kind == NoticeKind.Start ? "/start"
            : notice.Kind == NoticeKind.Run && notice.Level == StatusLevel.Red ? "/fail"
            : notice.Kind == NoticeKind.Test ? "/log"
            : null;
        return end is null ? url : new UriBuilder(url) { Path = url.AbsolutePath.TrimEnd('/') + end }.Uri;
    }
}
