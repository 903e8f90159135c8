using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Support;

/// <summary>A bucket of one test, with a proxy before it that the product's stores go through.</summary>
internal sealed class S3Site : IAsyncDisposable
{
    private readonly RadosGateway gateway;
    private readonly List<S3Store> stores = [];

    private S3Site(RadosGateway gateway, string bucket)
    {
        this.gateway = gateway;
        Bucket = bucket;
        Proxy = new FaultProxy(gateway.Endpoint);
        Client = gateway.Client();
    }

    public string Bucket { get; }

    public FaultProxy Proxy { get; }

    /// <summary>Straight to the server, as the owner of the bucket.</summary>
    public AmazonS3Client Client { get; }

    public static async Task<S3Site> NewAsync(RadosGateway gateway, bool objectLock = false) =>
        new(gateway, await gateway.NewBucketAsync(objectLock));

    /// <summary>A store that goes through the proxy, and gives up after one retry, so that a test can wait for it.</summary>
    public S3Store Store(
        string prefix = "backups",
        Func<S3Settings, S3Settings>? change = null,
        TimeProvider? clock = null,
        S3User? user = null
    )
    {
        S3Settings settings = gateway.Settings(Bucket, prefix, user, Proxy.Endpoint) with { Retries = 1 };
        var store = new S3Store("offsite", change?.Invoke(settings) ?? settings, clock ?? TimeProvider.System);
        stores.Add(store);
        return store;
    }

    /// <summary>All keys of the bucket, and <c>unfinished KEY</c> for each upload in parts that was neither completed nor
    /// aborted.</summary>
    public async Task<List<string>> EverythingAsync()
    {
        List<S3Object> objects = (await Client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = Bucket })).S3Objects ?? [];
        List<MultipartUpload> uploads = (await Client.ListMultipartUploadsAsync(Bucket)).MultipartUploads ?? [];
        return
        [
            .. objects.Select(static o => o.Key).Concat(uploads.Select(static u => $"unfinished {u.Key}")).Order(StringComparer.Ordinal),
        ];
    }

    /// <summary>All versions and delete markers, the newest first: <c>version KEY</c>, <c>marker KEY</c>.</summary>
    public async Task<List<string>> VersionsAsync() =>
        [
            .. ((await Client.ListVersionsAsync(Bucket)).Versions ?? []).Select(static v =>
                $"{(v.IsDeleteMarker == true ? "marker" : "version")} {v.Key}"
            ),
        ];

    /// <summary>Puts an object without the product.</summary>
    public Task<PutObjectResponse> PutAsync(string key, string text) =>
        Client.PutObjectAsync(
            new PutObjectRequest
            {
                BucketName = Bucket,
                Key = key,
                ContentBody = text,
                UseChunkEncoding = false,
            }
        );

    /// <summary>The bytes of an object, read without the product.</summary>
    public async Task<byte[]> BytesAsync(string key)
    {
        using GetObjectResponse answer = await Client.GetObjectAsync(Bucket, key);
        using var all = new MemoryStream();
        await answer.ResponseStream.CopyToAsync(all);
        return all.ToArray();
    }

    public async ValueTask DisposeAsync()
    {
        stores.ForEach(static s => s.Dispose());
        await Proxy.DisposeAsync();
        Client.Dispose();
    }
}
