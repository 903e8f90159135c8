using System.Security.Authentication;

namespace PgBackup.Host;

/// <summary>Why a request of HTTP got no answer, in words of ours: the message of the exception names the host, which may be a
/// secret.</summary>
internal static class HttpFailure
{
    /// <summary>The reason, as half a sentence.</summary>
    public static string Text(HttpRequestException error) =>
        error.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => "its name is not known",
            HttpRequestError.ConnectionError => "no connection",
            HttpRequestError.SecureConnectionError => $"no encrypted connection: {Reason(error.InnerException)}",
            _ => "it did not answer as a server of HTTP does",
        };

    private static string Reason(Exception? error) => error is AuthenticationException tls ? tls.Message : "the handshake failed";
}
