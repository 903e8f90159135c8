using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace PgBackup.IntegrationTests.Support;

/// <summary>The first line and the headers of a request or an answer, and the bytes they came in.</summary>
internal sealed class HttpHead
{
    public HttpHead(byte[] raw)
    {
        Raw = raw;
        string[] lines = Encoding.Latin1.GetString(raw).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        FirstLine = lines[0];
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (string[] header in lines.Skip(1).Select(static l => l.Split(':', 2)))
        {
            string value = header[1].Trim();
            headers[header[0]] = headers.TryGetValue(header[0], out string? before) ? $"{before}, {value}" : value;
        }

        Headers = headers;
    }

    public HttpHead(string firstLine, IReadOnlyDictionary<string, string> headers)
    {
        FirstLine = firstLine;
        Headers = headers;
        Raw = ToBytes();
    }

    public byte[] Raw { get; }

    public string FirstLine { get; }

    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>Of an answer.</summary>
    public int Status => int.Parse(FirstLine.Split(' ')[1]);

    public long? ContentLength => Headers.TryGetValue("Content-Length", out string? text) ? long.Parse(text) : null;

    public byte[] ToBytes() =>
        Encoding.Latin1.GetBytes($"{FirstLine}\r\n{string.Concat(Headers.Select(static h => $"{h.Key}: {h.Value}\r\n"))}\r\n");
}

/// <summary>A stream of bytes read as HTTP/1.1.</summary>
internal sealed class HttpConnection : IDisposable
{
    private readonly byte[] buffer = new byte[64 * 1024];
    private readonly Socket? socket;
    private readonly Stream stream;
    private int start;
    private int end;
    private bool closed;

    public HttpConnection(Socket socket)
    {
        socket.NoDelay = true;
        this.socket = socket;
        stream = new NetworkStream(socket, ownsSocket: true);
    }

    public HttpConnection(Stream stream) => this.stream = stream;

    public static async Task<HttpConnection> ToAsync(Uri server, CancellationToken token)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(server.Host, server.Port, token);
            return new HttpConnection(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Null when the other side closed the connection between two messages.</summary>
    public async Task<HttpHead?> ReadHeadAsync(CancellationToken token)
    {
        while (true)
        {
            int found = buffer.AsSpan(start, end - start).IndexOf("\r\n\r\n"u8);
            if (found >= 0)
            {
                byte[] raw = buffer[start..(start + found + 4)];
                start += raw.Length;
                return new HttpHead(raw);
            }

            bool between = start == end;
            if (!await FillAsync(token))
            {
                return between ? null : throw new IOException("the connection was closed in a head");
            }
        }
    }

    public async Task<byte[]> ReadAsync(long count, CancellationToken token)
    {
        using var memory = new MemoryStream();
        using var target = new HttpConnection(memory);
        await PassAsync(target, count, new Fault { Name = "nothing" }, static _ => { }, token);
        return memory.ToArray();
    }

    public async Task<byte[]> ReadChunksAsync(CancellationToken token)
    {
        using var whole = new MemoryStream();
        while (true)
        {
            string size = await ReadLineAsync(token);
            int count = int.Parse(size.Split(';')[0], NumberStyles.HexNumber);
            await whole.WriteAsync(await ReadAsync(count, token), token);
            await ReadLineAsync(token);
            if (count == 0)
            {
                return whole.ToArray();
            }
        }
    }

    /// <summary>Passes so many bytes on (with no target they are read and forgotten), at the fault's speed.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="count">How many; fewer are an <see cref="IOException"/>.</param>
    /// <param name="fault">Its speed.</param>
    /// <param name="passed">Called before each block is written.</param>
    /// <param name="token">Ends it.</param>
    /// <param name="flip">The place of the byte in which a bit is flipped; -1: none.</param>
    /// <param name="readOn">A target that closed is no failure: the rest is read and forgotten.</param>
    public async Task PassAsync(
        HttpConnection? target,
        long count,
        Fault fault,
        Action<int> passed,
        CancellationToken token,
        long flip = -1,
        bool readOn = false
    )
    {
        // Twenty blocks a second, so that a slow connection is slow and not one that stops.
        int most = fault.BytesPerSecond == int.MaxValue ? buffer.Length : Math.Clamp(fault.BytesPerSecond / 20, 1, buffer.Length);
        long began = Stopwatch.GetTimestamp();
        for (long done = 0; done < count; )
        {
            if (start == end && !await FillAsync(token))
            {
                throw new IOException("the connection was closed in a body");
            }

            int now = (int)Math.Min(Math.Min(most, end - start), count - done);
            if (flip >= done && flip < done + now)
            {
                buffer[start + (int)(flip - done)] ^= 1;
            }

            if (target is not null)
            {
                passed(now);
                try
                {
                    await target.WriteAsync(buffer.AsMemory(start, now), token);
                }
                catch (IOException) when (readOn)
                {
                    target = null;
                }
            }

            start += now;
            done += now;
            if (
                fault.BytesPerSecond != int.MaxValue
                && TimeSpan.FromSeconds((double)done / fault.BytesPerSecond) - Stopwatch.GetElapsedTime(began) is { Ticks: > 0 } early
            )
            {
                await Task.Delay(early, token);
            }
        }
    }

    public async Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken token) => await stream.WriteAsync(bytes, token);

    public void Close()
    {
        closed = true;
        stream.Dispose();
    }

    /// <summary>Reads and forgets, until the other side closes.</summary>
    public async Task UntilClosedAsync(CancellationToken token)
    {
        do
        {
            start = end = 0;
        } while (await FillAsync(token));
    }

    /// <summary>Closes it so that the other side sees an error and not an end.</summary>
    public void Reset()
    {
        if (socket is not null && !closed)
        {
            socket.LingerState = new LingerOption(true, 0);
            // The stream would shut it down first, which is an end.
            socket.Dispose();
        }

        Close();
    }

    public void Dispose() => Close();

    private async Task<string> ReadLineAsync(CancellationToken token)
    {
        var line = new StringBuilder();
        while (start < end || await FillAsync(token))
        {
            char next = (char)buffer[start++];
            if (next == '\n')
            {
                return line.ToString().TrimEnd('\r');
            }

            line.Append(next);
        }

        throw new IOException("the connection was closed in a line");
    }

    private async Task<bool> FillAsync(CancellationToken token)
    {
        if (start == end)
        {
            start = end = 0;
        }
        else if (end == buffer.Length)
        {
            if (start == 0)
            {
                throw new IOException("a head of more than 64 KiB");
            }

            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, end) = (0, end - start);
        }

        int read = await stream.ReadAsync(buffer.AsMemory(end), token);
        end += read;
        return read > 0;
    }
}
