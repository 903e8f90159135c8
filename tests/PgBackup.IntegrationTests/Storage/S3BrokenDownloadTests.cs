using System.Security.Cryptography;
using PgBackup.Storage;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>What happens to the connection while an object is read: the same bytes come, or an error.</summary>
public sealed class S3BrokenDownloadTests(RadosGateway gateway) : IAsyncLifetime
{
    private const int Size = 3_000_000;

    private readonly byte[] content = RandomNumberGenerator.GetBytes(Size);
    private S3Site site = null!;
    private IObjectStore store = null!;

    public async ValueTask InitializeAsync()
    {
        site = await S3Site.NewAsync(gateway);
        store = site.Store();
        await store.PutAsync("one/a", new MemoryStream(content), Cancel);
    }

    public ValueTask DisposeAsync() => site.DisposeAsync();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1_234_567)]
    [InlineData(Size - 1)]
    public async Task A_connection_that_is_cut_goes_on_where_it_broke(int after)
    {
        site.Proxy.On("GET", "one/a", Fault.CutInResponse(after));

        (await ReadAsync()).AsSpan().SequenceEqual(content).ShouldBeTrue();

        List<ProxyRequest> gets = [.. site.Proxy.Requests.Select(static r => r.Request).Where(static r => r.Method == "GET")];
        gets.Select(static r => r.Headers["Range"]).ShouldBe(["bytes=0-", $"bytes={after}-"]);
        gets[1].Headers.Keys.ShouldContain("If-Match", StringComparer.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_connection_that_is_cut_again_and_again_gets_there_as_long_as_it_gets_on()
    {
        site.Proxy.On("GET", "one/a", Fault.CutInResponse(400_000), FaultProxy.Always);

        (await ReadAsync()).AsSpan().SequenceEqual(content).ShouldBeTrue();

        site.Proxy.Count("GET", "one/a").ShouldBe(8);
    }

    [Fact]
    public async Task A_connection_that_is_cut_for_ever_is_an_error_that_may_pass()
    {
        site.Proxy.On("GET", "one/a", Fault.CutInResponse(1_000_000)).On("GET", "one/a", Fault.CutInResponse(0), FaultProxy.Always);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(ReadAsync);

        (error.Code, error.IsTransient).ShouldBe((ErrorCode.StoreUnavailable, true));
        error.Message.ShouldContain("offsite");
        error.Message.ShouldContain("one/a");
        error.Remedy.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_store_that_is_gone_in_the_middle_is_an_error_that_may_pass()
    {
        site.Proxy.On("GET", "one/a", Fault.CutInResponse(1_000_000))
            .On("GET", "one/a", Fault.AnswerError(503, "SlowDown"), FaultProxy.Always);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(ReadAsync);

        (error.Code, error.IsTransient).ShouldBe((ErrorCode.StoreUnavailable, true));
        error.Message.ShouldContain("SlowDown");
    }

    [Theory]
    [InlineData(Size)]
    [InlineData(10)]
    public async Task An_object_that_was_replaced_meanwhile_is_an_error_and_no_mixture(int size)
    {
        site.Proxy.On("GET", "one/a", Fault.CutInResponse(1_000_000));
        await using Stream reader = await store.OpenAsync("one/a", Cancel);
        await site.Client.PutObjectAsync(
            new()
            {
                BucketName = site.Bucket,
                Key = "backups/one/a",
                InputStream = new MemoryStream(new byte[size]),
            },
            Cancel
        );

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => reader.CopyToAsync(Stream.Null, Cancel));

        (error.Code, error.IsTransient).ShouldBe((ErrorCode.StoreUnavailable, true));
        error.Message.ShouldContain("replaced");
    }

    [Fact]
    public async Task A_store_that_ignores_ranges_is_not_read_on()
    {
        // The proxy cuts, and forges the answer to the second request: everything again.
        site.Proxy.On("GET", "one/a", Fault.CutInResponse(1_000_000))
            .On("GET", "one/a", Fault.Answer(200, new string('x', Size), ("ETag", $"\"{Md5(content)}\"")));

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(ReadAsync);

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Message.ShouldContain("at byte 1000000");
    }

    [Fact]
    public async Task Bytes_that_are_not_those_of_their_own_ETag_are_damage()
    {
        site.Proxy.On("GET", "one/a", Fault.TamperResponse(static b => [.. b[..100], (byte)(b[100] ^ 1), .. b[101..]]));

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(ReadAsync);

        error.Code.ShouldBe(ErrorCode.ObjectDamaged);
        error.Message.ShouldContain("one/a");
        error.Message.ShouldContain("MD5");
        site.Proxy.Count("GET", "one/a").ShouldBe(1);
    }

    [Fact]
    public async Task Damage_is_found_in_an_object_that_came_in_two_pieces()
    {
        site.Proxy.On("GET", "one/a", Fault.CutInResponse(1_000_000))
            .On("GET", "one/a", Fault.TamperResponse(static b => [.. b[..^1], (byte)(b[^1] ^ 1)]));

        (await Should.ThrowAsync<PgBackupException>(ReadAsync)).Code.ShouldBe(ErrorCode.ObjectDamaged);
    }

    [Fact]
    public async Task An_object_whose_ETag_is_no_MD5_is_read_as_it_is()
    {
        site.Proxy.On("GET", "one/a", Fault.ResponseHeader("ETag", "\"opaque\""));

        (await ReadAsync()).AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact]
    public async Task A_store_that_promises_more_than_it_sends_is_noticed()
    {
        site.Proxy.On("GET", "one/a", Fault.ResponseHeader("Content-Length", $"{Size + 10}"), FaultProxy.Always);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(ReadAsync);

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
    }

    [Fact]
    public async Task An_object_that_vanished_is_said_to_be_missing()
    {
        await site.Client.DeleteObjectAsync(site.Bucket, "backups/one/a", Cancel);

        (await Should.ThrowAsync<PgBackupException>(ReadAsync)).Code.ShouldBe(ErrorCode.ObjectDamaged);
    }

    private static string Md5(byte[] bytes)
    {
#pragma warning disable CA5351 // S3's own checksum
        return Convert.ToHexStringLower(MD5.HashData(bytes));
#pragma warning restore CA5351
    }

    private async Task<byte[]> ReadAsync() => await AllOfAsync(await store.OpenAsync("one/a", Cancel));
}
