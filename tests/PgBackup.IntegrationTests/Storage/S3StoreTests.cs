using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.Tests;
using PgBackup.Tests.Storage;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>A bucket of a real S3 server keeps every promise of a store.</summary>
public sealed class S3StoreTests(RadosGateway gateway) : ObjectStoreContract, IAsyncLifetime
{
    private string bucket = "";
    private S3Store store = null!;
    private S3Store broken = null!;

    protected override IObjectStore Store => store;

    protected override IObjectStore BrokenStore => broken;

    protected override IReadOnlyList<string> EverythingInside
    {
        get
        {
            using AmazonS3Client client = gateway.Client();
            List<S3Object> objects =
                client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket }, Cancel).GetAwaiter().GetResult().S3Objects
                ?? [];
            List<MultipartUpload> uploads =
                client.ListMultipartUploadsAsync(bucket, Cancel).GetAwaiter().GetResult().MultipartUploads ?? [];
            return
            [
                .. objects
                    .Select(static o => o.Key)
                    .Concat(uploads.Select(static u => $"unfinished {u.Key}"))
                    .Where(static k => !k.Contains(".olympus-pgbackup.lock", StringComparison.Ordinal))
                    .Select(static k => k.Replace("backups/", "", StringComparison.Ordinal))
                    .Order(StringComparer.Ordinal),
            ];
        }
    }

    public async ValueTask InitializeAsync()
    {
        bucket = await gateway.NewBucketAsync();
        store = gateway.Store(bucket, "backups");
        broken = gateway.Store(bucket, "backups", await gateway.ReadOnlyUserAsync());
    }

    public ValueTask DisposeAsync()
    {
        store.Dispose();
        broken.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(PartMemory.BlockBytes - 1)]
    [InlineData(PartMemory.BlockBytes)]
    [InlineData(PartMemory.BlockBytes + 1)]
    [InlineData((5 * PartMemory.BlockBytes) + 17)]
    public async Task Objects_of_several_parts_come_back_byte_by_byte(int size)
    {
        byte[] content = System.Security.Cryptography.RandomNumberGenerator.GetBytes(size);

        (await Store.PutAsync("one/data", new MemoryStream(content), Cancel)).ShouldBe(size);

        (await AllOfAsync(await Store.OpenAsync("one/data", Cancel))).AsSpan().SequenceEqual(content).ShouldBeTrue();
        EverythingInside.ShouldBe(["one/data"]);
    }

    [Theory]
    [InlineData(PartMemory.BlockBytes)]
    [InlineData((3 * PartMemory.BlockBytes) + 1)]
    public async Task A_large_object_whose_content_fails_leaves_no_unfinished_upload(int before)
    {
        await using var content = new BrokenStream(new byte[before]);

        await Should.ThrowAsync<PgBackupException>(() => Store.PutAsync("one/a", content, Cancel));

        EverythingInside.ShouldBeEmpty();
    }
}
