using System.Security.Cryptography;
using PgBackup.Storage;
using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>What the store says it holds is compared with what was sent.</summary>
public sealed class S3VerificationTests(RadosGateway gateway) : IAsyncLifetime
{
    private const int Parts = PartMemory.BlockBytes + 1;

    private readonly byte[] content = RandomNumberGenerator.GetBytes(Parts);
    private S3Site site = null!;
    private IObjectStore store = null!;

    public async ValueTask InitializeAsync()
    {
        site = await S3Site.NewAsync(gateway);
        store = site.Store();
    }

    public ValueTask DisposeAsync() => site.DisposeAsync();

    [Theory]
    [InlineData(1000)]
    [InlineData(Parts)]
    public async Task An_object_of_another_size_is_refused_and_removed(int size)
    {
        site.Proxy.On("HEAD", "", Fault.ResponseHeader("Content-Length", "999"));

        (await RefusedAsync(size)).ShouldContain($"999 bytes, and {size} were sent");
    }

    [Theory]
    [InlineData(1000, "\"00000000000000000000000000000000\"")]
    [InlineData(1000, "\"opaque\"")]
    [InlineData(Parts, "\"00000000000000000000000000000000-2\"")]
    [InlineData(Parts, null)]
    public async Task An_object_of_another_ETag_is_read_back_and_refused_if_its_content_is_another(int size, string? etag)
    {
        site.Proxy.On("HEAD", "", Fault.ResponseHeader("ETag", etag))
            .On("GET", "backups/one/a", Fault.TamperResponse(static b => [.. b[..^1], (byte)(b[^1] ^ 1)]));

        (await RefusedAsync(size)).ShouldContain("its content is another");
    }

    [Theory]
    [InlineData(1000, "\"00000000000000000000000000000000\"")]
    [InlineData(0, "\"opaque\"")]
    [InlineData(1000, "\"opaque\"")]
    [InlineData(Parts, "\"00000000000000000000000000000000-2\"")]
    [InlineData(Parts, null)]
    public async Task A_store_whose_ETags_are_no_digests_is_read_back_and_believed(int size, string? etag)
    {
        site.Proxy.On(static r => r.Method is "HEAD" or "GET", Fault.ResponseHeader("ETag", etag), FaultProxy.Always);

        await store.PutAsync("one/a", new MemoryStream(content, 0, size), Cancel);

        site.Proxy.Count("GET", "one/a").ShouldBe(1);
        (await site.EverythingAsync()).ShouldBe(["backups/one/a"]);
    }

    [Fact]
    public async Task The_lost_answer_of_a_completion_is_found_out_by_reading_where_ETags_are_opaque()
    {
        site.Proxy.On(static r => r.Method == "HEAD", Fault.ResponseHeader("ETag", "\"opaque\""), FaultProxy.Always)
            .On("POST", "uploadId=", Fault.CutAfterForward, FaultProxy.Always);

        await store.PutAsync("one/a", new MemoryStream(content), Cancel);

        (await site.BytesAsync("backups/one/a")).AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact]
    public async Task An_object_that_vanishes_at_once_is_no_success()
    {
        site.Proxy.On("HEAD", "", Fault.Answer(404));

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            store.PutAsync("one/a", new MemoryStream(content, 0, 10), Cancel)
        );

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Message.ShouldContain("does not have it");
    }

    [Fact]
    public async Task A_small_object_takes_two_requests()
    {
        await store.PutAsync("one/a", new MemoryStream(content, 0, 1000), Cancel);

        site.Proxy.Requests.Select(static r => r.Method).ShouldBe(["PUT", "HEAD"]);
    }

    private async Task<string> RefusedAsync(int size)
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            store.PutAsync("one/a", new MemoryStream(content, 0, size), Cancel)
        );

        (error.Code, error.IsTransient).ShouldBe((ErrorCode.StoreUnavailable, false));
        error.Message.ShouldContain("does not hold what was sent");
        error.Remedy.ShouldNotBeNull();
        (await site.EverythingAsync()).ShouldBeEmpty();
        return error.Message;
    }
}
