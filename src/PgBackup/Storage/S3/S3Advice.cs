using System.Net;
using System.Xml;
using Amazon.Runtime;

namespace PgBackup.Storage.S3;

/// <summary>What to do about the errors of S3 servers and of the way to them.</summary>
internal static class S3Advice
{
    /// <summary>What it means that an answer is none of S3's.</summary>
    public const string NoServer = "this is not an S3 server";

    /// <summary>What to do about an answer that is none of S3's.</summary>
    public const string NoServerRemedy =
        "Check endpoint: in the config, and whether a proxy on the way asks to sign in; `curl -i` of the endpoint shows who answers.";

    /// <summary>Why, what to do, and whether the same may succeed a little later.</summary>
    public static (string Why, string Remedy, bool IsTransient) On(Exception e, S3Settings settings)
    {
        string? code = (e as AmazonServiceException)?.ErrorCode;
        int status = (int)((e as AmazonServiceException)?.StatusCode ?? 0);
        bool lacksCredentials =
            status is 0 && e is AmazonClientException && e.Message.Contains("credentials", StringComparison.OrdinalIgnoreCase);
        string why =
            IsNoXml(e) ? $"its answer is not XML: {NoServer}."
            : lacksCredentials ? "there are no credentials for it, neither in the config nor where the AWS SDK looks."
            : !string.IsNullOrEmpty(code) ? Told(code, e)
            : status > 0 ? Told($"HTTP status {status}", e)
            : e.GetBaseException().Message;
        (string remedy, bool transient) = code switch
        {
            "NoSuchBucket" => ("Check bucket:, region: and endpoint:; the bucket is never made by olympus-pgbackup.", false),
            "InvalidAccessKeyId" => ("Check the access key; this store does not know it.", false),
            "SignatureDoesNotMatch" => (
                "The secret key is not the one of this access key, or region: is not what the store signs for.",
                false
            ),
            "BadDigest" or "XAmzContentSHA256Mismatch" or "XAmzContentChecksumMismatch" => (
                "Something between this host and the store changes what is sent: a proxy, or bad hardware.",
                false
            ),
            "AccessDenied" or "AllAccessDisabled" => (
                "The key may not do this. It needs to list, read, write and delete objects, and to abort uploads, below the prefix "
                    + "(docs/configuration.md has a policy).",
                false
            ),
            "QuotaExceeded" => (
                "The store is full for this user or bucket: raise the quota, or keep less; no object was left half-written.",
                false
            ),
            "RequestTimeTooSkewed" => ("The clock of this host is wrong: set it (chrony, systemd-timesyncd).", false),
            "ExpiredToken" or "InvalidToken" => ("The credentials are temporary and have expired: renew them.", false),
            _ when IsNoXml(e) => (NoServerRemedy, false),
            _ when IsCut(e) => ("The answer of the store broke off; it was tried several times. The next run continues.", true),
            _ when IsFull(e) => ("The store is full: make room, or keep less; no object was left half-written.", false),
            _ when IsUnknownRequest(e) => ("The store does not know this kind of request.", false),
            _ when status is >= 500 or 429 || code is "SlowDown" or "RequestTimeout" or "ServiceUnavailable" or "InternalError" => (
                "The store is busy or broken; it was tried several times. The next run continues.",
                true
            ),
            _ when status is 401 or 403 => (
                "The store refuses this key without a reason: check the access key, the secret key and region:, and what the key may "
                    + "do (docs/configuration.md has a policy).",
                false
            ),
            _ when lacksCredentials => (
                "Give access_key_id and secret_access_key_file in the config, or credentials where the AWS SDK looks: environment, "
                    + "~/.aws, role of the machine.",
                false
            ),
            _ when status is 0 && e.GetBaseException() is System.Security.Authentication.AuthenticationException => (
                "The TLS connection is not trusted: check endpoint: and the certificates of this host.",
                false
            ),
            _ when status is 0 => (
                $"Check that {settings.Endpoint?.Authority ?? $"s3.{settings.Region}.amazonaws.com"} can be reached from here "
                    + $"(network, DNS, proxy, TLS).",
                true
            ),
            _ => ("Check bucket:, region: and endpoint:, and whether the store knows this kind of request.", false),
        };
        return (why, remedy, transient);
    }

    /// <summary>An answer that is no whole XML: a connection that broke in the middle of it, for which the SDK hands on what its parser
    /// says.</summary>
    public static bool IsCut(Exception e) =>
        !IsNoXml(e) && (e is XmlException or AmazonUnmarshallingException || ParserErrorOf(e) is not null);

    /// <summary>An answer that is whole and no XML, as most pages of HTML are: a proxy or a web server gave it. What is cut ends too
    /// early.</summary>
    public static bool IsNoXml(Exception e) =>
        ParserErrorOf(e) is { } error
        && (
            !error.Message.StartsWith("Unexpected end of file", StringComparison.Ordinal)
            || error.Message.Contains("html", StringComparison.OrdinalIgnoreCase)
        );

    /// <summary>An answer came, and it is none that can be read.</summary>
    public static bool IsUnreadable(Exception e) => IsCut(e) || IsNoXml(e);

    /// <summary>The store has no room.</summary>
    public static bool IsFull(Exception e) =>
        e
            is AmazonServiceException { ErrorCode: "QuotaExceeded" or "XMinioStorageFull" }
                or AmazonServiceException { StatusCode: HttpStatusCode.InsufficientStorage };

    /// <summary>The store does not know this kind of request, now or later.</summary>
    public static bool IsUnknownRequest(Exception e) =>
        e
            is AmazonServiceException { ErrorCode: "NotImplemented" or "MethodNotAllowed" }
                or AmazonServiceException { StatusCode: HttpStatusCode.NotImplemented or HttpStatusCode.MethodNotAllowed };

    private static XmlException? ParserErrorOf(Exception e) => e as XmlException ?? e.InnerException as XmlException;

    // Some servers send a code and no text.
    private static string Told(string what, Exception e) => string.IsNullOrWhiteSpace(e.Message) ? what : $"{what}: {e.Message}";
}
