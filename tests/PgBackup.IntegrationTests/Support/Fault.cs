using System.Text;

namespace PgBackup.IntegrationTests.Support;

/// <summary>
/// What goes wrong with one request on its way through a <see cref="FaultProxy"/>. Several can be combined by <c>with</c>.
/// </summary>
internal sealed record Fault
{
    /// <summary>Shown when a test fails.</summary>
    public required string Name { get; init; }

    /// <summary>The connection is closed before the server hears of the request.</summary>
    public static Fault CutBeforeForward { get; } = new() { Name = "cut before forward", RequestHead = false };

    /// <summary>The server does what was asked and answers; the client gets no answer, only a closed connection.</summary>
    public static Fault CutAfterForward { get; } = new() { Name = "cut after forward", ResponseHead = false };

    /// <summary>Nothing is answered and nothing closed, until the client gives up or the proxy is disposed. The server does not hear of the
    /// request.</summary>
    public static Fault Hang { get; } = new() { Name = "hang", Silent = true };

    /// <summary>The server gets one byte of the body, in its middle, with a bit flipped.</summary>
    public static Fault CorruptBody { get; } = new() { Name = "corrupt body", FlipsBit = true };

    internal bool RequestHead { get; private init; } = true;

    internal bool ResponseHead { get; private init; } = true;

    internal bool Silent { get; private init; }

    internal bool FlipsBit { get; private init; }

    internal long RequestBytes { get; private init; } = long.MaxValue;

    internal long ResponseBytes { get; private init; } = long.MaxValue;

    /// <summary>Both ways.</summary>
    public int BytesPerSecond { get; init; } = int.MaxValue;

    /// <summary>Instead of the server's: it does not hear of the request.</summary>
    internal (int Status, byte[] Body, IReadOnlyDictionary<string, string> Headers)? Answered { get; private init; }

    internal Func<byte[], byte[]>? ChangesBody { get; private init; }

    /// <summary>Changes the names and values of the answer's headers.</summary>
    public Action<IDictionary<string, string>>? ChangesHeaders { get; init; }

    /// <summary>Both connections are closed when so many bytes of the request's body are with the server.</summary>
    public static Fault CutInBody(long afterBytes) =>
        new() { Name = $"cut in the request's body after {afterBytes} bytes", RequestBytes = afterBytes };

    /// <summary>The client gets so many bytes of the answer's body, of which the headers promise all.</summary>
    public static Fault CutInResponse(long afterBytes) =>
        new() { Name = $"cut in the response's body after {afterBytes} bytes", ResponseBytes = afterBytes };

    /// <summary>An answer of the proxy's own, once it has read the request; the server does not hear of it.</summary>
    public static Fault Answer(int status, string body = "", params (string Name, string Value)[] headers) =>
        new()
        {
            Name = $"answer {status}",
            Answered = (
                status,
                Encoding.UTF8.GetBytes(body),
                headers.ToDictionary(static h => h.Name, static h => h.Value, StringComparer.OrdinalIgnoreCase)
            ),
        };

    /// <summary>An answer with an error in S3's XML, such as 503 SlowDown, or, as CompleteMultipartUpload does it, 200
    /// InternalError.</summary>
    public static Fault AnswerError(int status, string code, string message = "said by the fault proxy") =>
        Answer(
            status,
            $"<?xml version=\"1.0\" "
                + $"encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>fault-proxy</RequestId></Error>",
            ("Content-Type", "application/xml")
        );

    /// <summary>Bodies pass at this speed, both ways.</summary>
    public static Fault Slow(int bytesPerSecond) => new() { Name = $"{bytesPerSecond} bytes a second", BytesPerSecond = bytesPerSecond };

    /// <summary>The answer's body is changed; its Content-Length is then that of the new body. There is none in an answer to
    /// HEAD.</summary>
    public static Fault TamperResponse(Func<byte[], byte[]> change) => new() { Name = "tampered response", ChangesBody = change };

    /// <summary>The answer's headers are changed, by any case of their names. Content-Length is believed as it is left, even where it
    /// lies.</summary>
    public static Fault TamperHeaders(Action<IDictionary<string, string>> change) =>
        new() { Name = "tampered headers", ChangesHeaders = change };

    /// <summary>One header of the answer has another value, or, with null, is left out.</summary>
    public static Fault ResponseHeader(string name, string? value) =>
        TamperHeaders(headers =>
        {
            headers.Remove(name);
            if (value is not null)
            {
                headers[name] = value;
            }
        });
}
