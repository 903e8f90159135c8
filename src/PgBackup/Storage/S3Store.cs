using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.Storage;

/// <summary>
/// A bucket of any S3-compatible store. Objects of unknown length are streamed in parts (S3 user guide, "Multipart upload"); what was
/// sent is compared with what the store says it holds before an object is believed in. The bucket is never made.
/// </summary>
/// <remarks>
/// Digests: every request with a body has its Content-MD5, which any S3 server checks. The SDK's newer CRC checksums are refused by some
/// servers, and ignored by others. Afterwards the ETag must be the MD5 of what was sent (of the parts' MD5s, for an upload in parts);
/// where the ETag is something else, the object is read back, unless the store encrypts it with its own keys, which makes ETags
/// opaque.
/// </remarks>
public sealed class S3Store : IObjectStore, IDisposable
{
    private const string ProbeKey = ".write-test";

    // Without a byte sent, or an answer. It is not the time that a request may take: parts can be large, and lines slow.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly S3Settings settings;
    private readonly AmazonS3Client client;
    private readonly S3Versions versions;
    private readonly SemaphoreSlim sending = new(4, 4);
    private readonly TimeProvider clock;
    private readonly bool overTls;

    /// <summary>A store in a bucket. Nothing is asked of it yet.</summary>
    public S3Store(string name, S3Settings settings, TimeProvider clock)
    {
        Name = name;
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

        client = settings.AccessKey is { } key ? new AmazonS3Client(new BasicAWSCredentials(key, settings.SecretKey), config) : new AmazonS3Client(config);
        versions = new S3Versions(this, client, settings.Bucket);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public string Location => $"s3://{settings.Bucket}{(settings.Prefix.Length == 0 ? "" : "/" + settings.Prefix)}{(settings.Endpoint is { } e ? $" at {e.Authority}" : "")}";

    /// <summary>The memory of its uploads.</summary>
    internal PartMemory Memory { get; } = new();

    /// <inheritdoc/>
    public async Task CheckWritableAsync(CancellationToken cancel)
    {
        if (settings.ObjectLock is not null)
        {
            await RequireLockSupportAsync(cancel);
        }

        using var probe = new MemoryStream("write test\n"u8.ToArray());
        await PutAsync(ProbeKey, probe, null, cancel);
        await DeleteAsync(ProbeKey, cancel);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Parts begin at 8 MiB and double after every 100, so that 1,000 parts, which is all that some stores take, hold 800 GiB. The
    /// memory of all uploads together is bounded (<see cref="PartMemory"/>). An upload that fails or is cancelled is aborted; one whose
    /// process is killed is found by <see cref="SweepAsync"/>.
    /// </remarks>
    public async Task<long> PutAsync(string key, Stream content, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        string objectKey = KeyOf(key);
        DateTimeOffset? until = settings.ObjectLock is null ? null : lockedUntil;
        PartContent first = await Memory.RentAsync(1, cancel);
        SentObject sent;
        try
        {
            await first.FillAsync(content, cancel);
            if (first.IsFull)
            {
                sent = await new S3Upload(this, objectKey, until).RunAsync(first, content, cancel);
            }
            else
            {
                sent = await PutWholeAsync(objectKey, first, until, cancel);
            }
        }
        finally
        {
            first.Dispose();
        }

        await VerifyAsync(key, objectKey, sent, until, cancel);
        return sent.Size;
    }

    /// <inheritdoc/>
    public async Task<Stream> OpenAsync(string key, CancellationToken cancel)
    {
        string objectKey = KeyOf(key);
        return await OpenAsync(key, objectKey, compare: true, cancel);
    }

    // Always a range, if one of everything: the SDK compares a whole object with its ETag by itself, gets lost over ETags that are no
    // MD5s, and does not compare an object that came in two pieces. S3Download does it instead.
    private async Task<Stream> OpenAsync(string key, string objectKey, bool compare, CancellationToken cancel)
    {
        Task<GetObjectResponse?> From(long offset, string? etag, CancellationToken c) => GetAsync(
            key,
            new GetObjectRequest { BucketName = settings.Bucket, Key = objectKey, EtagToMatch = etag, ByteRange = new ByteRange($"bytes={offset.ToString(CultureInfo.InvariantCulture)}-") },
            c);
        GetObjectResponse? response = await From(0, null, cancel);
        return response is null
            ? new MemoryStream([], writable: false)
            : new S3Download($"{key} in the store {Name} ({Location})", response, compare && EncryptionOf(response.ServerSideEncryptionMethod) is null or "AES256", From, e => Explain(e, $"reading {key}"), clock);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> ListAsync(string folder, [EnumeratorCancellation] CancellationToken cancel)
    {
        string prefix = folder.Length == 0 ? Prefix : KeyOf(folder) + "/";
        var request = new ListObjectsV2Request { BucketName = settings.Bucket, Prefix = prefix };
        do
        {
            ListObjectsV2Response page = await CallAsync("listing", c => client.ListObjectsV2Async(request, c), cancel);
            foreach (S3Object one in page.S3Objects ?? [])
            {
                string key = one.Key[Prefix.Length..];
                if (!IsHidden(key) && !key.EndsWith('/') && key.Length > 0) // consoles make empty objects that look like folders
                {
                    yield return new StoredObject { Key = key, Size = one.Size ?? 0, Modified = Utc(one.LastModified) };
                }
            }

            request.ContinuationToken = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (request.ContinuationToken is not null);
    }

    /// <inheritdoc/>
    public async Task<StoredObject?> FindAsync(string key, CancellationToken cancel)
    {
        string objectKey = KeyOf(key);
        if (await HeadAsync(objectKey, cancel) is not { } head)
        {
            // The answer to HEAD does not tell a missing object from a missing bucket.
            await CallAsync($"looking for {key}", c => client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = settings.Bucket, Prefix = objectKey, MaxKeys = 1 }, c), cancel);
            return null;
        }

        return new StoredObject
        {
            Key = key,
            Size = head.ContentLength,
            Modified = Utc(head.LastModified),
            ProviderEncryption = EncryptionOf(head.ServerSideEncryptionMethod),
            LockedUntil = head.ObjectLockRetainUntilDate is { } until ? Utc(until) : null,
        };
    }

    /// <inheritdoc/>
    /// <remarks>With object lock, which needs a bucket with versions, the versions are removed too as far as their locks allow.</remarks>
    public async Task DeleteAsync(string key, CancellationToken cancel)
    {
        string objectKey = KeyOf(key);
        await CallAsync($"removing {key}", c => client.DeleteObjectAsync(settings.Bucket, objectKey, c), cancel);
        if (settings.ObjectLock is not null)
        {
            await versions.RemoveAsync(objectKey, of => of[0].Key == objectKey ? of : [], cancel);
        }
    }

    /// <inheritdoc/>
    public async Task DeleteFolderAsync(string folder, CancellationToken cancel)
    {
        string prefix = KeyOf(folder) + "/";
        List<string> keys = [];
        var request = new ListObjectsV2Request { BucketName = settings.Bucket, Prefix = prefix };
        do
        {
            ListObjectsV2Response page = await CallAsync("listing", c => client.ListObjectsV2Async(request, c), cancel);
            keys.AddRange((page.S3Objects ?? []).Select(static o => o.Key));
            request.ContinuationToken = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (request.ContinuationToken is not null);
        await Parallel.ForEachAsync(
            keys,
            new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = cancel },
            async (key, c) => await CallAsync($"removing {key}", d => client.DeleteObjectAsync(settings.Bucket, key, d), c));
        if (settings.ObjectLock is not null)
        {
            await versions.RemoveAsync(prefix, static of => of, cancel);
        }

        await AbortUploadsAsync(prefix, DateTimeOffset.MaxValue, cancel);
    }

    /// <inheritdoc/>
    /// <remarks>With object lock also what was removed while it was locked, once the lock has ended: its versions, below the mark of its removal.</remarks>
    public async Task<int> SweepAsync(DateTimeOffset olderThan, CancellationToken cancel)
    {
        int swept = await AbortUploadsAsync(Prefix, olderThan, cancel);
        return settings.ObjectLock is null
            ? swept
            : swept + await versions.RemoveAsync(Prefix, static of => of[0].IsDeleteMarker == true ? of : [], cancel);
    }

    /// <inheritdoc/>
    /// <remarks>A lease: see <see cref="S3Lease"/>.</remarks>
    public async Task<IStoreLock> LockAsync(string holder, CancellationToken cancel) =>
        await new S3Lease(this, client, settings.Bucket, Prefix + ".olympus-pgbackup.lock", clock).AcquireAsync(holder, cancel);

    /// <summary>In a bucket with object lock, removes a delete marker and all versions below it; other stores have none to remove.</summary>
    internal async Task RemoveBelowAsync(string objectKey, string? marker, CancellationToken cancel)
    {
        if (settings.ObjectLock is not null && marker is { Length: > 0 })
        {
            await versions.RemoveAsync(objectKey, of => of[0].Key == objectKey ? [.. of.SkipWhile(v => v.VersionId != marker)] : [], cancel);
        }
    }

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
    internal Task<T> CallAsync<T>(string doing, Func<CancellationToken, Task<T>> request, CancellationToken cancel) =>
        CallAsync(doing, (c, _) => request(c), cancel);

    // The request calls what it is given whenever it gets on.
    private async Task<T> CallAsync<T>(string doing, Func<CancellationToken, Action, Task<T>> request, CancellationToken cancel)
    {
        for (int attempt = 1; ; attempt++)
        {
            using var patience = new CancellationTokenSource(Patience, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, patience.Token);
            try
            {
                return await request(either.Token, () => patience.CancelAfter(Patience));
            }
            catch (Exception) when (patience.IsCancellationRequested && !cancel.IsCancellationRequested)
            {
                if (attempt == 4)
                {
                    throw Explain(new TimeoutException($"nothing was heard of it for {Patience.TotalMinutes:0} minutes, {attempt} times"), doing);
                }
            }
            catch (AmazonS3Exception e) when ((IsOdd(e) || IsDamage(e)) && attempt < 4)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(100, (IsOdd(e) ? 400 : 100) << attempt)), clock, cancel);
            }
            catch (Exception e) when (e is AmazonServiceException or AmazonClientException or HttpRequestException or IOException or TimeoutException or OperationCanceledException)
            {
                // What the SDK says of a request that we gave up is not what went wrong.
                cancel.ThrowIfCancellationRequested();
                throw Explain(e, doing);
            }
        }
    }

    /// <summary>Sends one part.</summary>
    internal async Task<byte[]> SendPartAsync(string objectKey, string upload, int number, PartContent part, CancellationToken cancel)
    {
        byte[] md5 = part.Md5();
        await sending.WaitAsync(cancel);
        try
        {
            await CallAsync(
                $"sending part {number.ToString(CultureInfo.InvariantCulture)} of {objectKey}",
                async (c, gettingOn) =>
                {
                    await using Stream body = part.Open(gettingOn);
                    return await client.UploadPartAsync(
                        new UploadPartRequest
                        {
                            BucketName = settings.Bucket,
                            Key = objectKey,
                            UploadId = upload,
                            PartNumber = number,
                            PartSize = part.Size,
                            InputStream = body,
                            MD5Digest = Convert.ToBase64String(md5),
                            UseChunkEncoding = false,
                            DisablePayloadSigning = overTls,
                        },
                        c);
                },
                cancel);
            return md5;
        }
        finally
        {
            sending.Release();
        }
    }

    /// <summary>Begins an upload in parts.</summary>
    internal async Task<string> BeginAsync(string objectKey, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        var request = new InitiateMultipartUploadRequest { BucketName = settings.Bucket, Key = objectKey };
        if (settings.StorageClass is { } storage)
        {
            request.StorageClass = new S3StorageClass(storage);
        }

        if (settings.Encryption is { } encryption)
        {
            request.ServerSideEncryptionMethod = new ServerSideEncryptionMethod(encryption);
            request.ServerSideEncryptionKeyManagementServiceKeyId = settings.KmsKey;
        }

        if (lockedUntil is { } until)
        {
            request.ObjectLockMode = new ObjectLockMode(settings.ObjectLock);
            request.ObjectLockRetainUntilDate = until.UtcDateTime;
        }

        return (await CallAsync($"beginning to send {objectKey}", c => client.InitiateMultipartUploadAsync(request, c), cancel)).UploadId;
    }

    /// <summary>
    /// Puts the parts together. An answer that is an error, or that never came, is not believed at once: the object may be there. Where
    /// ETags are opaque, only reading it tells whether it is this one or an older one.
    /// </summary>
    internal async Task CompleteAsync(string objectKey, string upload, List<PartETag> parts, SentObject sent, CancellationToken cancel)
    {
        try
        {
            await CallAsync(
                $"completing {objectKey}",
                c => client.CompleteMultipartUploadAsync(new CompleteMultipartUploadRequest { BucketName = settings.Bucket, Key = objectKey, UploadId = upload, PartETags = parts }, c),
                cancel);
        }
        catch (PgBackupException) when (!cancel.IsCancellationRequested)
        {
            if (await HeadAsync(objectKey, cancel) is not { } head || head.ContentLength != sent.Size
                || (Bare(head.ETag) != sent.ETag && await ReadBackAsync(objectKey[Prefix.Length..], objectKey, cancel) != sent.Sha256))
            {
                throw;
            }
        }
    }

    /// <summary>Gives up an upload in parts; what cannot be given up now is swept later.</summary>
    internal async Task AbortAsync(string objectKey, string upload)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30), clock);
        try
        {
            await AbortUploadAsync(objectKey, upload, patience.Token);
        }
        catch (Exception e) when (e is PgBackupException or OperationCanceledException)
        {
            // The error that led here is the one to tell; the sweep finds the upload.
        }
    }

    private async Task AbortUploadAsync(string objectKey, string upload, CancellationToken cancel) =>
        await CallAsync(
            $"aborting the upload of {objectKey}",
            async c =>
            {
                try
                {
                    await client.AbortMultipartUploadAsync(new AbortMultipartUploadRequest { BucketName = settings.Bucket, Key = objectKey, UploadId = upload }, c);
                    return true;
                }
                catch (AmazonS3Exception e) when (e.ErrorCode == "NoSuchUpload")
                {
                    return false; // somebody else was faster, or the answer to an earlier try was lost
                }
            },
            cancel);

    private static bool IsHidden(string key) => key.StartsWith('.') || key.Contains("/.", StringComparison.Ordinal);

    private static DateTimeOffset Utc(DateTime? time) => time is { } t ? new DateTimeOffset(t.ToUniversalTime(), TimeSpan.Zero) : default;

    private static string Bare(string? etag) => etag?.Trim('"') ?? "";

    private static string? EncryptionOf(ServerSideEncryptionMethod? method) =>
        method is not null && method != ServerSideEncryptionMethod.None && method.Value is { Length: > 0 } value ? value : null;

    // Ceph answers a few requests behind a refused upload with a bare 400, because it reads the rest of that upload as a request.
    private static bool IsOdd(AmazonS3Exception e) => e.StatusCode == System.Net.HttpStatusCode.BadRequest && e.ErrorCode is null or "" or "BadRequest" or "Bad Request";

    // The body was damaged on its way: by its MD5, or by the digest that its signature is made of.
    private static bool IsDamage(AmazonS3Exception e) => e.ErrorCode is "BadDigest" or "XAmzContentSHA256Mismatch" or "XAmzContentChecksumMismatch";

    private string Prefix => settings.Prefix.Length == 0 ? "" : settings.Prefix + "/";

    private string KeyOf(string key) =>
        key.Length > 0 && !key.Contains('\0', StringComparison.Ordinal) && !key.StartsWith('/') && key.Split('/').All(static part => part is not ("" or "." or ".."))
            ? Prefix + key
            : throw new PgBackupException(ErrorCode.StoreUnavailable, $"the key \"{key}\" leads out of the store {Name}.");

    private async Task<SentObject> PutWholeAsync(string objectKey, PartContent part, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        byte[] md5 = part.Md5();
        // The only digest there is of the whole, besides its MD5: for reading back.
        await using Stream whole = part.Open();
        var sent = new SentObject { Size = part.Size, ETag = Convert.ToHexStringLower(md5), Sha256 = Convert.ToHexStringLower(await SHA256.HashDataAsync(whole, cancel)) };
        try
        {
            return sent with { IsConfirmed = await SendWholeAsync(objectKey, part, md5, lockedUntil, cancel) };
        }
        catch (PgBackupException e) when (e.IsTransient && !cancel.IsCancellationRequested)
        {
            // Only the answer may have been lost.
            if (await HeadAsync(objectKey, cancel) is { } head && head.ContentLength == sent.Size && Bare(head.ETag) == sent.ETag)
            {
                return sent;
            }

            throw;
        }
    }

    // False: the answer says that it was done, but has no ETag, as a success with an error in its body.
    private async Task<bool> SendWholeAsync(string objectKey, PartContent part, byte[] md5, DateTimeOffset? lockedUntil, CancellationToken cancel) =>
        await CallAsync(
            $"sending {objectKey}",
            async (c, gettingOn) =>
            {
                await using Stream body = part.Open(gettingOn);
                var request = new PutObjectRequest
                {
                    BucketName = settings.Bucket,
                    Key = objectKey,
                    InputStream = body,
                    MD5Digest = Convert.ToBase64String(md5),
                    UseChunkEncoding = false,
                    DisablePayloadSigning = overTls,
                    AutoCloseStream = false,
                };
                if (settings.StorageClass is { } storage)
                {
                    request.StorageClass = new S3StorageClass(storage);
                }

                if (settings.Encryption is { } encryption)
                {
                    request.ServerSideEncryptionMethod = new ServerSideEncryptionMethod(encryption);
                    request.ServerSideEncryptionKeyManagementServiceKeyId = settings.KmsKey;
                }

                if (lockedUntil is { } until)
                {
                    request.ObjectLockMode = new ObjectLockMode(settings.ObjectLock);
                    request.ObjectLockRetainUntilDate = until.UtcDateTime;
                }

                return (await client.PutObjectAsync(request, c)).ETag is { Length: > 0 };
            },
            cancel);

    private async Task VerifyAsync(string key, string objectKey, SentObject sent, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        GetObjectMetadataResponse? head = await HeadAsync(objectKey, cancel);
        if (head is null)
        {
            throw sent.IsConfirmed
                ? new PgBackupException(ErrorCode.StoreUnavailable, $"the store {Name} ({Location}) took {key} without complaint, and does not have it.", "Something else removes objects there, or the store is not consistent; it cannot be relied on.")
                : Unconfirmed(key, "nothing");
        }

        string? encrypted = EncryptionOf(head.ServerSideEncryptionMethod);
        string? wrong = head.ContentLength != sent.Size ? $"it says {head.ContentLength.ToString(CultureInfo.InvariantCulture)} bytes, and {sent.Size.ToString(CultureInfo.InvariantCulture)} were sent"
            : Bare(head.ETag) == sent.ETag ? null
            : encrypted is not null and not "AES256" ? null // the parts' MD5s were checked on arrival; the ETag is opaque
            : await ReadBackAsync(key, objectKey, cancel) == sent.Sha256 ? null
            : "its content is another";
        if (wrong is not null && !sent.IsConfirmed)
        {
            throw Unconfirmed(key, $"something else, perhaps of earlier ({wrong})");
        }

        if (wrong is not null)
        {
            await DeleteAsync(key, cancel);
            throw new PgBackupException(
                ErrorCode.StoreUnavailable, $"the store {Name} ({Location}) does not hold what was sent for {key}: {wrong}. The object was removed.", "The store, or something before it, changes what it is given. Do not rely on it.");
        }

        if (settings.RequireEncryption && encrypted is null)
        {
            await DeleteAsync(key, cancel);
            throw new PgBackupException(
                ErrorCode.StoreNotEncrypting,
                $"the store {Name} ({Location}) does not encrypt: it says nothing of server-side encryption for {key}, which was removed.",
                "Use a store that encrypts (s3: { sse: AES256 } or { sse: aws:kms }), or encryption: gpg or age.");
        }

        if (lockedUntil is { } until && !IsLocked(head, until))
        {
            await LockObjectAsync(key, objectKey, head.VersionId, until, cancel);
        }
    }

    // What lies there may be what lay there before: it is not removed.
    private PgBackupException Unconfirmed(string key, string found) => new(
        ErrorCode.StoreUnavailable, $"the store {Name} ({Location}) answered without saying that it took {key}, and holds {found} there.", "The store is busy or broken. The next run goes on.")
    { IsTransient = true };

    // Some servers ignore the lock that an upload in parts was begun with.
    private async Task LockObjectAsync(string key, string objectKey, string? version, DateTimeOffset until, CancellationToken cancel)
    {
        var request = new PutObjectRetentionRequest
        {
            BucketName = settings.Bucket,
            Key = objectKey,
            VersionId = version,
            Retention = new ObjectLockRetention { Mode = new ObjectLockRetentionMode(settings.ObjectLock), RetainUntilDate = until.UtcDateTime },
        };
        await CallAsync($"locking {key}", c => client.PutObjectRetentionAsync(request, c), cancel);
        if (await HeadAsync(objectKey, cancel) is not { } head || !IsLocked(head, until))
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable, $"the store {Name} ({Location}) did not lock {key} until {until:yyyy-MM-dd}, as it was asked to.", "Check that the bucket has object lock, or leave out object_lock.");
        }
    }

    private static bool IsLocked(GetObjectMetadataResponse head, DateTimeOffset until) =>
        head.ObjectLockRetainUntilDate is { } locked && Utc(locked) >= until.AddSeconds(-1);

    private async Task<string> ReadBackAsync(string key, string objectKey, CancellationToken cancel)
    {
        await using var hashing = new HashingStream(await OpenAsync(key, objectKey, compare: false, cancel));
        byte[] buffer = new byte[1 << 20];
        while (await hashing.ReadAsync(buffer, cancel) > 0)
        {
            // only to be hashed
        }

        return hashing.Sha256;
    }

    private async Task<GetObjectMetadataResponse?> HeadAsync(string objectKey, CancellationToken cancel) =>
        await CallAsync(
            $"looking for {objectKey}",
            async c =>
            {
                try
                {
                    return await client.GetObjectMetadataAsync(settings.Bucket, objectKey, c);
                }
                catch (AmazonS3Exception e) when (e.StatusCode == System.Net.HttpStatusCode.NotFound && e.ErrorCode is not "NoSuchBucket")
                {
                    return null;
                }
            },
            cancel);

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
                    throw new PgBackupException(ErrorCode.ObjectDamaged, $"the store {Name} has no object {key}.");
                }
                catch (AmazonS3Exception e) when (e.StatusCode == System.Net.HttpStatusCode.PreconditionFailed)
                {
                    throw Replaced(key, e);
                }
                catch (AmazonS3Exception e) when (e.StatusCode == System.Net.HttpStatusCode.RequestedRangeNotSatisfiable)
                {
                    return request.EtagToMatch is null ? null : throw Replaced(key, e);
                }
            },
            cancel);

    private PgBackupException Replaced(string key, Exception e) => new(
        ErrorCode.StoreUnavailable, $"{key} in the store {Name} ({Location}) was replaced while it was being read.", "Another run, or another program, writes there. Try again.", e)
    { IsTransient = true };

    private async Task<int> AbortUploadsAsync(string prefix, DateTimeOffset olderThan, CancellationToken cancel)
    {
        int aborted = 0;
        var request = new ListMultipartUploadsRequest { BucketName = settings.Bucket, Prefix = prefix };
        while (true)
        {
            ListMultipartUploadsResponse page = await CallAsync("listing unfinished uploads", c => client.ListMultipartUploadsAsync(request, c), cancel);
            foreach (MultipartUpload upload in (page.MultipartUploads ?? []).Where(u => Utc(u.Initiated) < olderThan))
            {
                await AbortUploadAsync(upload.Key, upload.UploadId, cancel);
                aborted++;
            }

            if (page.IsTruncated != true)
            {
                return aborted;
            }

            request.KeyMarker = page.NextKeyMarker;
            request.UploadIdMarker = page.NextUploadIdMarker;
        }
    }

    private async Task RequireLockSupportAsync(CancellationToken cancel)
    {
        bool enabled = await CallAsync(
            "asking for object lock",
            async c =>
            {
                try
                {
                    GetObjectLockConfigurationResponse answer = await client.GetObjectLockConfigurationAsync(new GetObjectLockConfigurationRequest { BucketName = settings.Bucket }, c);
                    return answer.ObjectLockConfiguration?.ObjectLockEnabled == ObjectLockEnabled.Enabled;
                }
                catch (AmazonS3Exception e) when (e.ErrorCode is "ObjectLockConfigurationNotFoundError" or "NotImplemented" or "InvalidRequest" or "MethodNotAllowed")
                {
                    return false;
                }
            },
            cancel);
        if (!enabled)
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the bucket {settings.Bucket} of the store {Name} has no object lock, which object_lock: asks for.",
                "Object lock can only be switched on when a bucket is made (`--object-lock-enabled-for-bucket`): make a new bucket, or leave out object_lock.");
        }
    }

    private PgBackupException Explain(Exception e, string doing)
    {
        (string why, string remedy, bool transient) = S3Advice.On(e, settings);
        return new PgBackupException(ErrorCode.StoreUnavailable, $"the store {Name} ({Location}) cannot be used ({doing}): {why}", remedy, e) { IsTransient = transient };
    }
}
