using System.Net;
using System.Net.Sockets;
using PgBackup.Storage;
using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>A store that lets nobody in says which store, why, and what to do, and leaves nothing half done.</summary>
public sealed class S3RefusalTests(RadosGateway gateway)
{
    [Theory]
    [InlineData(100)]
    [InlineData((2 * PartMemory.BlockBytes) + 1)]
    public async Task A_wrong_secret_is_told_from_an_unknown_access_key(int size)
    {
        await using S3Site site = await S3Site.NewAsync(gateway);

        await RefusedAsync(
            site,
            site.Store(change: static s => s with { SecretKey = "wrong" }),
            size,
            "SignatureDoesNotMatch",
            "secret key"
        );
        await RefusedAsync(site, site.Store(change: static s => s with { AccessKey = "NOBODY" }), size, "InvalidAccessKeyId", "access key");
    }

    [Theory]
    [InlineData(100)]
    [InlineData((2 * PartMemory.BlockBytes) + 1)]
    public async Task A_missing_bucket_is_never_made(int size)
    {
        await using S3Site site = await S3Site.NewAsync(gateway);
        IObjectStore store = site.Store(change: static s => s with { Bucket = s.Bucket + "-missing" });

        await RefusedAsync(site, store, size, "NoSuchBucket", "bucket:");
        (await Should.ThrowAsync<PgBackupException>(() => store.OpenAsync("one/a", Cancel))).Code.ShouldBe(ErrorCode.StoreUnavailable);
        (await Should.ThrowAsync<PgBackupException>(() => store.FindAsync("one/a", Cancel))).Message.ShouldContain("NoSuchBucket");
        (await Should.ThrowAsync<PgBackupException>(() => store.LockAsync("me", Cancel))).Message.ShouldContain("NoSuchBucket");
    }

    [Theory]
    [InlineData(100)]
    [InlineData((2 * PartMemory.BlockBytes) + 1)]
    public async Task Credentials_that_only_read_are_told_what_they_lack(int size)
    {
        await using S3Site site = await S3Site.NewAsync(gateway);

        await RefusedAsync(site, site.Store(user: await gateway.ReadOnlyUserAsync()), size, "AccessDenied", "write");
    }

    [Fact]
    public async Task Credentials_of_somebody_else_cannot_even_look()
    {
        await using S3Site site = await S3Site.NewAsync(gateway);
        await site.PutAsync("backups/one/a", "x");

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(async () =>
            await site.Store(user: await gateway.NewUserAsync()).FindAsync("one/a", Cancel)
        );

        (error.Code, error.IsTransient).ShouldBe((ErrorCode.StoreUnavailable, false));
        error.Remedy.ShouldNotBeNull().ShouldContain("access key");
    }

    [Fact]
    public async Task An_endpoint_that_does_not_answer_may_answer_later()
    {
        await using S3Site site = await S3Site.NewAsync(gateway);
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        int port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();
        IObjectStore store = site.Store(change: s => s with { Endpoint = new Uri($"http://127.0.0.1:{port}") });

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => store.PutAsync("one/a", new MemoryStream([1]), Cancel));

        (error.Code, error.IsTransient).ShouldBe((ErrorCode.StoreUnavailable, true));
        error.Message.ShouldContain("offsite");
        error.Message.ShouldContain("refused");
        error.Remedy.ShouldNotBeNull().ShouldContain($"127.0.0.1:{port}");
    }

    [Fact]
    public async Task A_store_that_is_full_in_the_middle_of_an_upload_says_so_and_keeps_nothing_of_it()
    {
        await using S3Site site = await S3Site.NewAsync(gateway);
        await gateway.LimitAsync(site.Bucket, 20 << 20);

        await RefusedAsync(site, site.Store(), 5 * PartMemory.BlockBytes, "QuotaExceeded", "quota");
        site.Proxy.Count("PUT", "partNumber=1").ShouldBeGreaterThan(0);
    }

    private static async Task RefusedAsync(S3Site site, IObjectStore store, int size, string cause, string remedy)
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            store.PutAsync("one/a", new MemoryStream(new byte[size]), Cancel)
        );

        (error.Code, error.IsTransient).ShouldBe((ErrorCode.StoreUnavailable, false), error.Message);
        error.Message.ShouldContain("offsite");
        error.Message.ShouldContain(cause);
        error.Remedy.ShouldNotBeNull().ShouldContain(remedy);
        (await site.EverythingAsync()).ShouldBeEmpty();
    }
}
