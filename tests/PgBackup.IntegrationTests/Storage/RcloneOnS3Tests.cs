using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Storage;
using PgBackup.Storage.Rclone;
using PgBackup.Tests;
using PgBackup.Tests.Storage;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>A remote of rclone in a bucket of a real S3 server keeps every promise of a store.</summary>
public sealed class RcloneOnS3Tests(RadosGateway gateway) : ObjectStoreContract, IAsyncLifetime
{
    private readonly TestFolder folder = new();
    private string bucket = "";

    protected override IObjectStore Store => field ??= Remote($"s3:{bucket}/prefix");

    protected override IObjectStore BrokenStore => Remote("s3:no-such-bucket/prefix");

    protected override IReadOnlyList<string> EverythingInside
    {
        get
        {
            using AmazonS3Client client = gateway.Client();
            List<S3Object> objects =
                client
                    .ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket, Prefix = "prefix/" }, Cancel)
                    .GetAwaiter()
                    .GetResult()
                    .S3Objects
                ?? [];
            List<MultipartUpload> uploads =
                client.ListMultipartUploadsAsync(bucket, Cancel).GetAwaiter().GetResult().MultipartUploads ?? [];
            return
            [
                .. objects
                    .Select(static o => o.Key["prefix/".Length..])
                    .Concat(uploads.Select(static u => $"unfinished {u.Key}"))
                    .Where(static k => !k.StartsWith(".locks/", StringComparison.Ordinal))
                    .Order(StringComparer.Ordinal),
            ];
        }
    }

    public async ValueTask InitializeAsync()
    {
        bucket = await gateway.NewBucketAsync();
        folder.Write(
            "rclone.conf",
            string.Concat(
                ((string[])["s3", "wrong"]).Select(name =>
                    $"[{name}]\ntype = s3\nprovider = Ceph\nendpoint = {gateway.Endpoint}\naccess_key_id = "
                    + $"{gateway.AccessKey}\nsecret_access_key = {(name == "s3" ? gateway.SecretKey : "wrong")}\n"
                )
            )
        );
    }

    public ValueTask DisposeAsync()
    {
        folder.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData("wrong:BUCKET")]
    [InlineData("s3:no-such-bucket/x")]
    public async Task A_wrong_secret_or_a_missing_bucket_is_told_whatever_is_asked(string remote)
    {
        RcloneStore store = Remote(remote.Replace("BUCKET", bucket, StringComparison.Ordinal));
        foreach (
            Func<Task> attempt in (Func<Task>[])
                [
                    () => store.CheckWritableAsync(Cancel),
                    () => store.FindAsync("one/a", Cancel),
                    () => store.OpenAsync("one/a", Cancel),
                    () => store.DeleteAsync("one/a", Cancel),
                    () => store.LockAsync("me", Cancel),
                ]
        )
        {
            PgBackupException error = await Should.ThrowAsync<PgBackupException>(attempt);
            error.Code.ShouldBe(ErrorCode.StoreUnavailable);
            error.IsTransient.ShouldBeFalse();
            error.Remedy.ShouldNotBeNullOrEmpty();
        }
    }

    private RcloneStore Remote(string remote) => new("offsite", remote, folder["rclone.conf"], TimeProvider.System);
}
