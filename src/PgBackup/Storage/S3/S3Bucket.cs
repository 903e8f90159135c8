using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.Storage.S3;

/// <summary>
/// The requests that a store sends to its bucket. Each is tried again where that may help, and given up when nothing was heard of it for
/// minutes; what fails in the end is a <see cref="PgBackupException"/> that says what to do. What a request did is for others to judge.
/// </summary>
internal sealed partial class S3Bucket : IDisposable
{
    // Without a byte sent, or an answer. It is not the time that a request may take: parts can be large, and lines slow.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    // Of a store that has been given up once.
    private static readonly TimeSpan PatienceWhenDown = TimeSpan.FromSeconds(10);

    private readonly S3Settings settings;
    private readonly AmazonS3Client client;
    private readonly SemaphoreSlim sending = new(4, 4);
    private readonly TimeProvider clock;
    private readonly bool overTls;
    private readonly List<string> notes = [];
    private volatile PgBackupException? down;

    /// <summary>The bucket of the store of a name. Nothing is asked of it yet.</summary>
    public S3Bucket(string store, S3Settings settings, TimeProvider clock)
    {
        Store = store;
        this.settings = settings;
        this.clock = clock;
        overTls = settings.Endpoint is null || settings.Endpoint.Scheme == Uri.UriSchemeHttps;
        var config = new AmazonS3Config
        {
            AuthenticationRegion = settings.Region,
            ForcePathStyle = settings.PathStyle,
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            RetryMode = RequestRetryMode.Standard,
            MaxErrorRetry = settings.Retries,
            Timeout = Timeout.InfiniteTimeSpan,
            ConnectTimeout = TimeSpan.FromSeconds(15),
        };
        if (settings.Endpoint is { } endpoint)
        {
            config.ServiceURL = endpoint.ToString();
        }
        else
        {
            config.RegionEndpoint = Amazon.RegionEndpoint.GetBySystemName(settings.Region);
        }

        client = settings.AccessKey is { } key
            ? new AmazonS3Client(new BasicAWSCredentials(key, settings.SecretKey), config)
            : new AmazonS3Client(config);
    }

    /// <summary>The store's name in the config.</summary>
    public string Store { get; }

    /// <summary>The bucket's name.</summary>
    public string Name => settings.Bucket;

    /// <summary>Where it is, for people.</summary>
    /// <inheritdoc/>
    public string Location =>
        $"s3://{settings.Bucket}{(settings.Prefix.Length == 0 ? "" : "/" + settings.Prefix)}"
        + $"{(settings.Endpoint is { } e ? $" at {e.Authority}" : "")}";

    /// <summary>What the keys of all objects of the store begin with: nothing, or something that ends in a slash.</summary>
    public string Prefix => settings.Prefix.Length == 0 ? "" : settings.Prefix + "/";

    /// <summary>What is written there may be locked, so that the bucket keeps versions.</summary>
    public bool HasObjectLock => settings.ObjectLock is not null;

    /// <summary>For requests that only one caller makes, within
    /// <see cref="CallAsync{T}(string, Func{CancellationToken, Task{T}}, CancellationToken)"/>.</summary>
    public AmazonS3Client Client => client;

    /// <inheritdoc/>
    public void Dispose()
    {
        client.Dispose();
        sending.Dispose();
    }

    /// <summary>
    /// Carries out one request. The SDK has already tried what is transient several times with growing, random pauses; a few odd
    /// answers that it does not know as transient are tried again here.
    /// </summary>
    public Task<T> CallAsync<T>(string doing, Func<CancellationToken, Task<T>> request, CancellationToken cancel) =>
        CallAsync(doing, (c, _) => request(c), cancel);

    /// <summary>What the bucket reports about an object; null when it has none, or the bucket does not exist: HEAD does not tell these
    /// apart.</summary>
    public async Task<GetObjectMetadataResponse?> HeadAsync(string objectKey, CancellationToken cancel) =>
        await CallAsync(
            $"looking for {objectKey}",
            async c =>
            {
                try
                {
                    return await client.GetObjectMetadataAsync(settings.Bucket, objectKey, c);
                }
                catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotFound && e.ErrorCode is not "NoSuchBucket")
                {
                    return null;
                }
            },
            cancel
        );

    /// <summary>Reads an object, or null when there is none; a broken read resumes for the same ETag.</summary>
    /// <param name="objectKey">Its key in the bucket.</param>
    /// <param name="compare">Its end is an error when the bytes do not fit the ETag, where that is an MD5.</param>
    /// <param name="cancel">Gives up.</param>
    // Always a range, if one of everything: the SDK compares a whole object with its ETag by itself, gets lost over ETags that are no
    // MD5s, and does not compare an object that came in two pieces. S3Download does it instead.
    public async Task<Stream?> TryOpenAsync(string objectKey, bool compare, CancellationToken cancel)
    {
        string key = objectKey[Prefix.Length..];
        Task<GetObjectResponse?> From(long offset, string? etag, CancellationToken c) =>
            GetAsync(
                key,
                new GetObjectRequest
                {
                    BucketName = settings.Bucket,
                    Key = objectKey,
                    EtagToMatch = etag,
                    ByteRange = new ByteRange($"bytes={offset.ToString(CultureInfo.InvariantCulture)}-"),
                },
                c
            );
        GetObjectResponse? response;
        try
        {
            response = await From(0, null, cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ObjectDamaged)
        {
            return null;
        }

        return response is null
            ? new MemoryStream([], writable: false)
            : new S3Download(
                $"{key} in the store {Store} ({Location})",
                response,
                compare && EncryptionOf(response.ServerSideEncryptionMethod) is null or "AES256",
                From,
                e => Explain(e, $"reading {key}"),
                clock
            );
    }

    /// <summary>Reads an object back, whatever its ETag says, and compares its bytes with what was sent.</summary>
    public async Task<bool> HoldsAsync(string objectKey, SentObject sent, CancellationToken cancel)
    {
        await using Stream content = await TryOpenAsync(objectKey, compare: false, cancel) ?? throw Lacks(objectKey[Prefix.Length..]);
        return await S3ETag.OfContentAsync(content, sent.PartSizes, cancel) == sent.ETag;
    }

    /// <summary>Removes an object; one that is not there is no error.</summary>
    public async Task DeleteAsync(string objectKey, CancellationToken cancel) =>
        await CallAsync($"removing {objectKey[Prefix.Length..]}", c => client.DeleteObjectAsync(settings.Bucket, objectKey, c), cancel);

    /// <summary>Whether the bucket can lock objects.</summary>
    public async Task<bool> CanLockAsync(CancellationToken cancel) =>
        await CallAsync(
            "asking for object lock",
            async c =>
            {
                try
                {
                    GetObjectLockConfigurationResponse answer = await client.GetObjectLockConfigurationAsync(
                        new GetObjectLockConfigurationRequest { BucketName = settings.Bucket },
                        c
                    );
                    return answer.ObjectLockConfiguration?.ObjectLockEnabled == ObjectLockEnabled.Enabled;
                }
                catch (AmazonS3Exception e)
                    when (e.ErrorCode
                            is "ObjectLockConfigurationNotFoundError"
                                or "NotImplemented"
                                or "InvalidRequest"
                                or "MethodNotAllowed"
                    )
                {
                    return false;
                }
            },
            cancel
        );

    /// <summary>Locks an object, or a version of it, until a moment.</summary>
    public async Task LockAsync(string objectKey, string? version, DateTimeOffset until, CancellationToken cancel)
    {
        var request = new PutObjectRetentionRequest
        {
            BucketName = settings.Bucket,
            Key = objectKey,
            VersionId = version,
            Retention = new ObjectLockRetention
            {
                Mode = new ObjectLockRetentionMode(settings.ObjectLock),
                RetainUntilDate = until.UtcDateTime,
            },
        };
        await CallAsync($"locking {objectKey[Prefix.Length..]}", c => client.PutObjectRetentionAsync(request, c), cancel);
    }

    /// <summary>A time of the SDK, which is sometimes local; the least one where there is none.</summary>
    public static DateTimeOffset Utc(DateTime? time) => time is { } t ? new DateTimeOffset(t.ToUniversalTime(), TimeSpan.Zero) : default;

    /// <summary>An ETag without its quotes.</summary>
    public static string Bare(string? etag) => etag?.Trim('"') ?? "";

    /// <summary>How the store says it encrypts, or null for not at all.</summary>
    public static string? EncryptionOf(ServerSideEncryptionMethod? method) =>
        method is not null && method != ServerSideEncryptionMethod.None && method.Value is { Length: > 0 } value ? value : null;

    // The request calls what it is given whenever it gets on.
    private async Task<T> CallAsync<T>(string doing, Func<CancellationToken, Action, Task<T>> request, CancellationToken cancel)
    {
        // Whoever comes after a request that was given up asks once, and shortly: one that answers is back.
        PgBackupException? before = down;
        for (int attempt = 1; ; attempt++)
        {
            using var patience = new CancellationTokenSource(before is null ? Patience : PatienceWhenDown, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, patience.Token);
            try
            {
                T answer = await request(either.Token, () => patience.CancelAfter(Patience));
                down = null;
                return answer;
            }
            catch (Exception e) when (before is not null && !cancel.IsCancellationRequested && IsSilent(e, patience))
            {
                throw StillDown(doing, before);
            }
            catch (Exception) when (patience.IsCancellationRequested && !cancel.IsCancellationRequested)
            {
                if (attempt == 4 || down is not null)
                {
                    throw GiveUp(
                        new TimeoutException($"nothing was heard of it for {Patience.TotalMinutes:0} minutes, {attempt} times"),
                        doing
                    );
                }
            }
            catch (Exception e) when (S3Advice.IsCut(e) && attempt < 4 && !cancel.IsCancellationRequested)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(100, 400 << attempt)), clock, cancel);
            }
            catch (AmazonS3Exception e) when ((IsOdd(e) || IsDamage(e)) && attempt < 4)
            {
                await Task.Delay(
                    TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(100, (IsOdd(e) ? 400 : 100) << attempt)),
                    clock,
                    cancel
                );
            }
            catch (Exception e) when (IsOfTheWay(e))
            {
                // What the SDK says of a request that we gave up is not what went wrong.
                cancel.ThrowIfCancellationRequested();
                throw e is AmazonServiceException { StatusCode: not 0 } ? Explain(e, doing) : GiveUp(e, doing);
            }
        }
    }

    // An answer, whatever it says, is a store that is there.
    private static bool IsSilent(Exception e, CancellationTokenSource patience) =>
        patience.IsCancellationRequested
        || (IsOfTheWay(e) && e is not AmazonServiceException { StatusCode: not 0 } && !S3Advice.IsUnreadable(e));

    // The connection failed in every try, for a minute or more: what the run still has to ask does not wait as long again, each for itself.
    private PgBackupException GiveUp(Exception e, string doing)
    {
        PgBackupException error = Explain(e, doing);
        down = error.IsTransient && !S3Advice.IsCut(e) ? error : down;
        return error;
    }

    private PgBackupException StillDown(string doing, PgBackupException first) =>
        new(
            ErrorCode.StoreUnavailable,
            $"the store {Store} ({Location}) cannot be used ({doing}): it does not answer since this run gave it up: "
                + $"{FirstLine(first.Message)}",
            first.Remedy,
            first.InnerException
        )
        {
            IsTransient = true,
        };

    private async Task AbortUploadAsync(string objectKey, string upload, CancellationToken cancel) =>
        await CallAsync(
            $"aborting the upload of {objectKey}",
            async c =>
            {
                try
                {
                    await client.AbortMultipartUploadAsync(
                        new AbortMultipartUploadRequest
                        {
                            BucketName = settings.Bucket,
                            Key = objectKey,
                            UploadId = upload,
                        },
                        c
                    );
                    return true;
                }
                catch (AmazonS3Exception e) when (e.ErrorCode == "NoSuchUpload")
                {
                    return false; // somebody else was faster, or the answer to an earlier try was lost
                }
            },
            cancel
        );

    // Null: there is nothing in the range, because the object is empty.
    private async Task<GetObjectResponse?> GetAsync(string key, GetObjectRequest request, CancellationToken cancel) =>
        await CallAsync<GetObjectResponse?>(
            $"reading {key}",
            async c =>
            {
                try
                {
                    return await client.GetObjectAsync(request, c);
                }
                catch (AmazonS3Exception e) when (e.ErrorCode == "NoSuchKey")
                {
                    throw Lacks(key);
                }
                catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.PreconditionFailed)
                {
                    throw Replaced(key, e);
                }
                catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
                {
                    return request.EtagToMatch is null ? null : throw Replaced(key, e);
                }
            },
            cancel
        );

    private PgBackupException Lacks(string key) => new(ErrorCode.ObjectDamaged, $"the store {Store} has no object {key}.");

    private PgBackupException Replaced(string key, Exception e) =>
        new(
            ErrorCode.StoreUnavailable,
            $"{key} in the store {Store} ({Location}) was replaced while it was being read.",
            "Another run, or another program, writes there. Try again.",
            e
        )
        {
            IsTransient = true,
        };

    // An answer that breaks off in its XML is a connection that broke: the SDK hands on what its parser says.
    private static bool IsOfTheWay(Exception e) =>
        e
            is AmazonServiceException
                or AmazonClientException
                or HttpRequestException
                or IOException
                or TimeoutException
                or OperationCanceledException
        || S3Advice.IsUnreadable(e);

    // Ceph answers a few requests behind a refused upload with a bare 400, because it reads the rest of that upload as a request.
    private static bool IsOdd(AmazonS3Exception e) =>
        e.StatusCode == HttpStatusCode.BadRequest && e.ErrorCode is null or "" or "BadRequest" or "Bad Request";

    // The body was damaged on its way: by its MD5, or by the digest that its signature is made of.
    private static bool IsDamage(AmazonS3Exception e) =>
        e.ErrorCode is "BadDigest" or "XAmzContentSHA256Mismatch" or "XAmzContentChecksumMismatch";

    private PgBackupException Explain(Exception e, string doing)
    {
        (string why, string remedy, bool transient) = S3Advice.On(e, settings);
        return new PgBackupException(
            ErrorCode.StoreUnavailable,
            $"the store {Store} ({Location}) cannot be used ({doing}): {why}",
            remedy,
            e
        )
        {
            IsTransient = transient,
            IsFull = S3Advice.IsFull(e),
        };
    }
}
