using System.Net;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3.Model;
using PgBackup.Streams;

namespace PgBackup.Storage.S3;

/// <summary>
/// An object being read. A connection that breaks, or stands still, is opened again where it broke, for the same object only. An
/// object whose ETag is the MD5 of its bytes is compared with it.
/// </summary>
internal sealed class S3Download : ForwardStream
{
    private const int Attempts = 5;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly string what;
    private readonly Func<long, string?, CancellationToken, Task<GetObjectResponse?>> open;
    private readonly Func<Exception, PgBackupException> explain;
    private readonly TimeProvider clock;
    private readonly long size;
    private readonly string etag;
    private readonly IncrementalHash? md5;
    private GetObjectResponse? response;
    private long position;

    /// <param name="what">The object, for messages.</param>
    /// <param name="response">The answer to the first request, which is for everything.</param>
    /// <param name="compare">An ETag that looks like an MD5 is one.</param>
    /// <param name="open">Asks for everything from a place on, of the object with this ETag.</param>
    /// <param name="explain">Makes the last of several failures an error.</param>
    /// <param name="clock">For pauses.</param>
    public S3Download(
        string what,
        GetObjectResponse response,
        bool compare,
        Func<long, string?, CancellationToken, Task<GetObjectResponse?>> open,
        Func<Exception, PgBackupException> explain,
        TimeProvider clock
    )
    {
        this.what = what;
        this.response = response;
        this.open = open;
        this.explain = explain;
        this.clock = clock;
        size = response.ContentLength;
        etag = response.ETag ?? "";
#pragma warning disable CA5351 // S3's own checksum
        md5 =
            compare && etag.Trim('"') is { Length: 32 } hex && hex.All(char.IsAsciiHexDigit)
                ? IncrementalHash.CreateHash(HashAlgorithmName.MD5)
                : null;
#pragma warning restore CA5351
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.Length == 0 || position == size)
        {
            return 0;
        }

        int count = await ReadSomeAsync(buffer, cancellationToken);
        md5?.AppendData(buffer.Span[..count]);
        position += count;
        if (
            position == size
            && md5 is not null
            && !Convert.ToHexString(md5.GetHashAndReset()).Equals(etag.Trim('"'), StringComparison.OrdinalIgnoreCase)
        )
        {
            throw new PgBackupException(
                ErrorCode.ObjectDamaged,
                $"{what} is damaged: the store sends other bytes than those whose MD5 is its ETag.",
                "Use another snapshot or another store, and do not rely on this one: it does not keep what it is given."
            );
        }

        return count;
    }

    /// <inheritdoc/>
    protected override ValueTask DisposeOnceAsync()
    {
        response?.Dispose();
        md5?.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<int> ReadSomeAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        for (int attempt = 1; ; attempt++)
        {
            using var patience = new CancellationTokenSource(Patience, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, patience.Token);
            try
            {
                response ??= await ReopenAsync(cancel);
                // A store that sends more than it promised would be read beyond the end.
                int count = await response.ResponseStream.ReadAsync(buffer[..(int)Math.Min(buffer.Length, size - position)], either.Token);
                return count > 0 ? count : throw new IOException("the connection ended before the object did");
            }
            // A read that begins when its patience has just ended finds the connection disposed.
            catch (Exception e)
                when (e is IOException or HttpRequestException or AmazonClientException or OperationCanceledException
                    || (e is ObjectDisposedException && either.IsCancellationRequested)
                )
            {
                cancel.ThrowIfCancellationRequested();
                response?.Dispose();
                response = null;
                if (attempt == Attempts)
                {
                    throw explain(
                        e is OperationCanceledException or ObjectDisposedException
                            ? new IOException($"nothing came for {Patience.TotalMinutes:0} minutes", e)
                            : e
                    );
                }

                await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(100, 300 << attempt)), clock, cancel);
            }
        }
    }

    // A server may ignore the range, or the condition: then its answer is no continuation.
    private async Task<GetObjectResponse> ReopenAsync(CancellationToken cancel)
    {
        GetObjectResponse? again = await open(position, etag.Length > 0 ? etag : null, cancel);
        bool continues =
            again is not null
            && (again.ETag ?? "") == etag
            && (position == 0 || (again.HttpStatusCode == HttpStatusCode.PartialContent && again.ContentLength == size - position));
        if (continues)
        {
            return again!;
        }

        again?.Dispose();
        throw new PgBackupException(
            ErrorCode.StoreUnavailable,
            $"{what} could not be resumed at byte {position}, where the connection broke: the store sent something else.",
            "The object was replaced meanwhile, or the store does not know ranges. Try again."
        )
        {
            IsTransient = true,
        };
    }
}
