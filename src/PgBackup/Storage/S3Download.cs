using Amazon.Runtime;
using Amazon.S3.Model;

namespace PgBackup.Storage;

/// <summary>An object being read. A connection that breaks is opened again where it broke, for the same object only.</summary>
internal sealed class S3Download : ForwardStream
{
    private const int Attempts = 5;

    private readonly Func<long, string, CancellationToken, Task<GetObjectResponse>> reopen;
    private readonly Func<Exception, PgBackupException> explain;
    private readonly TimeProvider clock;
    private readonly long size;
    private readonly string etag;
    private GetObjectResponse? response;
    private long position;

    public S3Download(
        GetObjectResponse response, Func<long, string, CancellationToken, Task<GetObjectResponse>> reopen, Func<Exception, PgBackupException> explain, TimeProvider clock)
    {
        this.response = response;
        this.reopen = reopen;
        this.explain = explain;
        this.clock = clock;
        size = response.ContentLength;
        etag = response.ETag;
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.Length == 0 || position == size)
        {
            return 0;
        }

        for (int attempt = 1; ; attempt++)
        {
            try
            {
                response ??= await reopen(position, etag, cancellationToken);
                int count = await response.ResponseStream.ReadAsync(buffer, cancellationToken);
                if (count == 0)
                {
                    throw new IOException("the connection ended before the object did");
                }

                position += count;
                return count;
            }
            catch (Exception e) when (e is IOException or HttpRequestException or AmazonClientException && !cancellationToken.IsCancellationRequested)
            {
                response?.Dispose();
                response = null;
                if (attempt == Attempts)
                {
                    throw explain(e);
                }

                await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(100, 300 << attempt)), clock, cancellationToken);
            }
        }
    }

    /// <inheritdoc/>
    protected override ValueTask DisposeOnceAsync()
    {
        response?.Dispose();
        return ValueTask.CompletedTask;
    }
}
