using System.Security.Cryptography;
using PgBackup.Storage;
using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>A store that says nothing any more holds up nobody for ever.</summary>
public sealed class S3SilenceTests(RadosGateway gateway) : IAsyncLifetime
{
    private readonly byte[] content = RandomNumberGenerator.GetBytes((2 * PartMemory.BlockBytes) + 1);
    private readonly ManualTime time = new();
    private S3Site site = null!;
    private IObjectStore store = null!;

    public async ValueTask InitializeAsync()
    {
        site = await S3Site.NewAsync(gateway);
        store = site.Store(clock: time);
    }

    public ValueTask DisposeAsync() => site.DisposeAsync();

    [Theory]
    [InlineData("PUT", "partNumber=2")]
    [InlineData("POST", "uploadId=")]
    [InlineData("HEAD", "one/a")]
    public async Task A_request_that_is_never_answered_is_sent_again_after_five_minutes(string method, string path)
    {
        site.Proxy.On(method, path, Fault.Hang);

        Task<long> putting = store.PutAsync("one/a", new MemoryStream(content), Cancel);
        await Shell.UntilAsync(() => Task.FromResult(site.Proxy.Count(method, path) == 1), "the request hangs");
        putting.IsCompleted.ShouldBeFalse();
        time.Advance(TimeSpan.FromMinutes(5));

        (await putting.WaitAsync(TimeSpan.FromSeconds(30), Cancel)).ShouldBe(content.Length);
        (await site.BytesAsync("backups/one/a")).AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact]
    public async Task A_store_that_never_answers_fails_the_upload_as_something_that_may_pass()
    {
        site.Proxy.On("PUT", "one/a", Fault.Hang, FaultProxy.Always)
            .On("HEAD", "one/a", Fault.AnswerError(503, "SlowDown"), FaultProxy.Always);

        Task<long> putting = store.PutAsync("one/a", new MemoryStream(content, 0, 1000), Cancel);
        for (int i = 1; i <= 4; i++)
        {
            await Shell.UntilAsync(() => Task.FromResult(site.Proxy.Count("PUT") == i), "the request hangs");
            time.Advance(TimeSpan.FromMinutes(5));
        }

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => putting.WaitAsync(TimeSpan.FromSeconds(30), Cancel));
        (error.Code, error.IsTransient).ShouldBe((ErrorCode.StoreUnavailable, true));
    }

    [Fact]
    public async Task A_download_that_stands_still_goes_on_over_another_connection()
    {
        await site.PutAsync("backups/one/a", new string('x', 1_000_000));
        site.Proxy.On("GET", "one/a", Fault.Slow(20_000));

        Task<byte[]> reading = Task.Run(async () => await AllOfAsync(await store.OpenAsync("one/a", Cancel)), Cancel);
        await Shell.UntilAsync(() => Task.FromResult(site.Proxy.Requests is [{ ResponseBytes: > 5000 }]), "some of it came");
        // First the two minutes of silence, then the pause before the next try.
        await Shell.UntilAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(site.Proxy.Requests.Count == 1 ? 121 : 0));
                return Task.FromResult(reading.IsCompleted);
            },
            "it was read to its end",
            30
        );

        (await reading).Length.ShouldBe(1_000_000);
        site.Proxy.Requests[1].Request.Headers["Range"].ShouldNotBe("bytes=0-");
    }
}
