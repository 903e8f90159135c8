using System.Net;
using Amazon.S3.Model;
using PgBackup.Storage.S3;
using PgBackup.Streams;

namespace PgBackup.Tests.Storage.S3;

public sealed class S3DownloadTests
{
    [Fact]
    public async Task A_connection_that_was_disposed_for_its_silence_is_opened_again_where_it_stood_still()
    {
        var clock = new ManualClock(new DateTimeOffset(2026, 3, 22, 4, 0, 0, TimeSpan.Zero));
        var silent = new SilentStream();
        List<long> opened = [];
        await using var download = new S3Download(
            "the object",
            Answer(silent, HttpStatusCode.OK),
            compare: false,
            (position, _, _) =>
            {
                opened.Add(position);
                return Task.FromResult<GetObjectResponse?>(Answer(new MemoryStream([1, 2, 3]), HttpStatusCode.PartialContent));
            },
            static e => new PgBackupException(ErrorCode.StoreUnavailable, e.Message),
            clock
        );

        Task<byte[]> reading = AllOfAsync(download);
        await silent.Asked.Task.WaitAsync(Cancel);
        while (!reading.IsCompleted)
        {
            clock.Advance(TimeSpan.FromMinutes(opened.Count == 0 ? 2 : 0));
            await Task.Delay(10, Cancel);
        }

        (await reading).ShouldBe([1, 2, 3]);
        opened.ShouldBe([0]);
    }

    private static GetObjectResponse Answer(Stream content, HttpStatusCode status) =>
        new()
        {
            ResponseStream = content,
            ContentLength = 3,
            ETag = "\"one\"",
            HttpStatusCode = status,
        };

    // As a connection of HttpClient that a cancellation disposes just before it is read.
    private sealed class SilentStream : ForwardStream
    {
        public TaskCompletionSource Asked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Asked.TrySetResult();
            await Task.Delay(Timeout.Infinite, cancellationToken).ContinueWith(static _ => { }, TaskScheduler.Default);
            throw new ObjectDisposedException("NetworkStream");
        }

        protected override ValueTask DisposeOnceAsync() => ValueTask.CompletedTask;
    }
}
