using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.IntegrationTests;

/// <summary>The faults that other tests rely on are those that the SDK and a real server see.</summary>
public sealed class FaultProxyTests(RadosGateway s3) : IAsyncLifetime
{
    private static readonly byte[] Body = RandomNumberGenerator.GetBytes(200_000);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string bucket = "";
    private FaultProxy proxy = null!;
    private AmazonS3Client client = null!;

    public async ValueTask InitializeAsync()
    {
        bucket = await s3.NewBucketAsync();
        proxy = new FaultProxy(s3.Endpoint);
        client = s3.Client(through: proxy.Endpoint);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await proxy.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task What_is_put_through_the_proxy_comes_back_through_it_and_is_counted()
    {
        await PutAsync("key");

        (await GetAsync("key")).ShouldBe(Body);
        (await client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket }, Token))
            .S3Objects.Select(static o => o.Key)
            .ShouldBe(["key"]);
        proxy
            .Requests.Select(static r => (r.Request.Number, r.Method, r.ServerStatus, r.Status))
            .ShouldBe([(1, "PUT", 200, 200), (2, "GET", 200, 200), (3, "GET", 200, 200)]);
        proxy.Requests[0].RequestBytes.ShouldBeInRange(Body.Length, Body.Length + 1000, "the SDK sends it in signed chunks");
        proxy.Requests[1].ResponseBytes.ShouldBe(Body.Length);
        proxy.Requests[0].PathAndQuery.ShouldBe($"/{bucket}/key");
        proxy.Count("GET", "list-type=2").ShouldBe(1);
    }

    [Fact]
    public async Task A_503_twice_is_survived_by_the_retries_of_the_sdk()
    {
        proxy.On("PUT", "/key", Fault.AnswerError(503, "SlowDown"), times: 2);

        await PutAsync("key");

        proxy.Requests.Select(static r => (r.ServerStatus, r.Status)).ShouldBe([(0, 503), (0, 503), (200, 200)]);
        (await GetAsync("key")).ShouldBe(Body);
    }

    [Fact]
    public async Task An_answer_of_the_proxy_reaches_the_caller_with_its_code()
    {
        proxy.On(static r => r.Method == "GET", Fault.AnswerError(403, "AccessDenied", "no"));

        AmazonS3Exception refused = await Should.ThrowAsync<AmazonS3Exception>(() => GetAsync("key"));

        (refused.StatusCode, refused.ErrorCode, refused.Message).ShouldBe((HttpStatusCode.Forbidden, "AccessDenied", "no"));
    }

    [Fact]
    public async Task A_cut_after_forward_leaves_the_object_behind_and_the_caller_without_an_answer()
    {
        proxy.On("PUT", "/key", Fault.CutAfterForward, FaultProxy.Always);
        using AmazonS3Client once = s3.Client(through: proxy.Endpoint, retries: 0);

        await Should.ThrowAsync<IOException>(() => PutAsync("key", once));

        proxy.Requests.ShouldAllBe(static r => r.ServerStatus == 200 && r.Status == 0);
        (await GetAsync("key")).ShouldBe(Body);
    }

    [Fact]
    public async Task One_cut_after_forward_is_not_seen_by_the_caller_but_the_server_gets_the_object_twice()
    {
        proxy.On("PUT", "/key", Fault.CutAfterForward);
        using AmazonS3Client once = s3.Client(through: proxy.Endpoint, retries: 0);

        await PutAsync("key", once);

        proxy.Requests.Select(static r => (r.ServerStatus, r.Status)).ShouldBe([(200, 0), (200, 200)]);
    }

    [Fact]
    public async Task A_cut_before_forward_or_in_the_body_leaves_nothing_behind()
    {
        proxy.On("PUT", "/before", Fault.CutBeforeForward, FaultProxy.Always).On("PUT", "/in", Fault.CutInBody(50_000), FaultProxy.Always);
        using AmazonS3Client once = s3.Client(through: proxy.Endpoint, retries: 0);

        await Should.ThrowAsync<IOException>(() => PutAsync("before", once));
        await Should.ThrowAsync<IOException>(() => PutAsync("in", once));

        proxy.Requests.Select(static r => (r.RequestBytes, r.ServerStatus, r.Status)).Distinct().ShouldBe([(0, 0, 0), (50_000, 0, 0)]);
        (await client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket }, Token)).S3Objects.ShouldBeNull();
    }

    [Theory]
    [InlineData(true, HttpStatusCode.Forbidden, "SignatureDoesNotMatch")]
    [InlineData(false, HttpStatusCode.BadRequest, "XAmzContentSHA256Mismatch")]
    public async Task A_body_that_is_damaged_on_its_way_is_refused_by_the_server(bool inChunks, HttpStatusCode status, string code)
    {
        proxy.On("PUT", "/key", Fault.CorruptBody, FaultProxy.Always);
        using AmazonS3Client once = s3.Client(through: proxy.Endpoint, retries: 0);
        PutObjectRequest put = Put("key");
        put.UseChunkEncoding = inChunks;

        // Without TLS the SDK signs the body too, and the server looks at that before it looks at Content-MD5.
        AmazonS3Exception refused = await Should.ThrowAsync<AmazonS3Exception>(() => once.PutObjectAsync(put, Token));

        (refused.StatusCode, refused.ErrorCode).ShouldBe((status, code));
    }

    [Fact]
    public async Task A_get_that_is_cut_ends_early_and_one_that_is_tampered_with_brings_other_bytes()
    {
        await PutAsync("key");
        proxy.On("GET", "/key", Fault.CutInResponse(1000)).On("GET", "/key", Fault.TamperResponse(static b => [.. b.Reverse()]));

        await Should.ThrowAsync<IOException>(() => GetAsync("key"));
        // The SDK compares a whole object with its ETag where that is an MD5: to be fooled it must lack it.
        AmazonClientException noticed = await Should.ThrowAsync<AmazonClientException>(() => GetAsync("key"));
        proxy.On("GET", "/key", Fault.TamperResponse(static b => [.. b.Reverse()]) with { ChangesHeaders = static h => h.Remove("ETag") });
        byte[] fooled = await GetAsync("key");

        noticed.Message.ShouldContain("hash");
        fooled.ShouldBe(Body.Reverse());
        proxy.Requests[1].ResponseBytes.ShouldBe(1000);
    }

    [Fact]
    public async Task Headers_of_an_answer_can_be_left_out_and_changed()
    {
        await PutAsync("key");
        proxy.On("HEAD", "/key", Fault.ResponseHeader("ETag", null)).On("HEAD", "/key", Fault.ResponseHeader("Content-Length", "7"));

        GetObjectMetadataResponse without = await client.GetObjectMetadataAsync(bucket, "key", Token);
        GetObjectMetadataResponse small = await client.GetObjectMetadataAsync(bucket, "key", Token);

        without.ETag.ShouldBeNull();
        small.ContentLength.ShouldBe(7);
    }

    [Fact]
    public async Task A_slow_connection_takes_its_time_and_one_that_hangs_takes_for_ever()
    {
        proxy.On("PUT", "/slow", Fault.Slow(400_000)).On("PUT", "/hangs", Fault.Hang);
        long began = Stopwatch.GetTimestamp();

        await PutAsync("slow");
        TimeSpan slow = Stopwatch.GetElapsedTime(began);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
        patience.CancelAfter(TimeSpan.FromSeconds(1));
        await Should.ThrowAsync<OperationCanceledException>(() => client.PutObjectAsync(Put("hangs"), patience.Token));

        slow.TotalSeconds.ShouldBeInRange(0.45, 5);
        proxy.Requests[^1].ServerStatus.ShouldBe(0);
    }

    [Fact]
    public async Task Users_may_do_what_they_were_granted_and_a_bucket_that_is_full_says_so()
    {
        await PutAsync("key");
        S3User reader = await s3.ReadOnlyUserAsync();
        S3User writer = await s3.NewUserAsync();
        await s3.GrantAsync(bucket, writer, "s3:PutObject", "s3:GetObject");
        using AmazonS3Client reading = s3.Client(reader);
        using AmazonS3Client writing = s3.Client(writer);

        (await reading.GetObjectMetadataAsync(bucket, "key", Token)).ContentLength.ShouldBe(Body.Length);
        (await Should.ThrowAsync<AmazonS3Exception>(() => PutAsync("other", reading))).ErrorCode.ShouldBe("AccessDenied");
        await PutAsync("other", writing);
        (await Should.ThrowAsync<AmazonS3Exception>(() => writing.DeleteObjectAsync(bucket, "other", Token))).ErrorCode.ShouldBe(
            "AccessDenied"
        );

        await s3.LimitAsync(bucket, 500_000);
        (await Should.ThrowAsync<AmazonS3Exception>(() => PutAsync("third"))).ErrorCode.ShouldBe("QuotaExceeded");
    }

    private Task PutAsync(string key, AmazonS3Client? by = null) => (by ?? client).PutObjectAsync(Put(key), Token);

    private PutObjectRequest Put(string key) =>
        new()
        {
            BucketName = bucket,
            Key = key,
            InputStream = new MemoryStream(Body),
            MD5Digest = Convert.ToBase64String(MD5.HashData(Body)),
        };

    private async Task<byte[]> GetAsync(string key)
    {
        using GetObjectResponse answer = await client.GetObjectAsync(bucket, key, Token);
        using var memory = new MemoryStream();
        await answer.ResponseStream.CopyToAsync(memory, Token);
        return memory.ToArray();
    }
}
