using System.Globalization;
using System.Runtime.CompilerServices;
using Amazon.S3.Model;

namespace PgBackup.Storage.S3;

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

    private readonly S3Settings settings;
    private readonly S3Bucket bucket;
    private readonly S3Versions versions;
    private readonly TimeProvider clock;

    /// <summary>A store in a bucket. Nothing is asked of it yet.</summary>
    public S3Store(string name, S3Settings settings, TimeProvider clock)
    {
        this.settings = settings;
        this.clock = clock;
        bucket = new S3Bucket(name, settings, clock);
        versions = new S3Versions(bucket);
    }

    /// <inheritdoc/>
    public string Name => bucket.Store;

    /// <inheritdoc/>
    public string Location => bucket.Location;

    /// <inheritdoc/>
    public IReadOnlyList<string> Notes => bucket.Notes;

    /// <summary>The memory of its uploads.</summary>
    internal PartMemory Memory { get; } = new();

    /// <inheritdoc/>
    public async Task CheckWritableAsync(CancellationToken cancel)
    {
        if (bucket.HasObjectLock)
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
        DateTimeOffset? until = bucket.HasObjectLock ? lockedUntil : null;
        PartContent first = await Memory.RentAsync(1, cancel);
        SentObject sent;
        try
        {
            await first.FillAsync(content, cancel);
            if (first.IsFull)
            {
                sent = await new S3Upload(bucket, Memory, objectKey, until).RunAsync(first, content, cancel);
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
    public Task<Stream?> TryOpenAsync(string key, CancellationToken cancel) => bucket.TryOpenAsync(KeyOf(key), compare: true, cancel);

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> ListAsync(string folder, [EnumeratorCancellation] CancellationToken cancel)
    {
        await foreach (S3Object one in bucket.ListAsync(folder.Length == 0 ? bucket.Prefix : KeyOf(folder) + "/", cancel))
        {
            string key = one.Key[bucket.Prefix.Length..];
            if (!IsHidden(key) && !key.EndsWith('/') && key.Length > 0) // consoles make empty objects that look like folders
            {
                yield return new StoredObject
                {
                    Key = key,
                    Size = one.Size ?? 0,
                    Modified = S3Bucket.Utc(one.LastModified),
                };
            }
        }
    }

    /// <inheritdoc/>
    public async Task<StoredObject?> FindAsync(string key, CancellationToken cancel)
    {
        string objectKey = KeyOf(key);
        if (await bucket.HeadAsync(objectKey, cancel) is not { } head)
        {
            // The answer to HEAD does not tell a missing object from a missing bucket.
            await bucket.CallAsync(
                $"looking for {key}",
                c =>
                    bucket.Client.ListObjectsV2Async(
                        new ListObjectsV2Request
                        {
                            BucketName = bucket.Name,
                            Prefix = objectKey,
                            MaxKeys = 1,
                        },
                        c
                    ),
                cancel
            );
            return null;
        }

        return new StoredObject
        {
            Key = key,
            Size = head.ContentLength,
            Modified = S3Bucket.Utc(head.LastModified),
            ProviderEncryption = S3Bucket.EncryptionOf(head.ServerSideEncryptionMethod),
            LockedUntil = head.ObjectLockRetainUntilDate is { } until ? S3Bucket.Utc(until) : null,
        };
    }

    /// <inheritdoc/>
    /// <remarks>With object lock, which needs a bucket with versions, the versions are removed too as far as their locks allow.</remarks>
    public async Task DeleteAsync(string key, CancellationToken cancel)
    {
        string objectKey = KeyOf(key);
        await bucket.DeleteAsync(objectKey, cancel);
        if (bucket.HasObjectLock)
        {
            await versions.RemoveAsync(objectKey, of => of[0].Key == objectKey ? of : [], cancel);
        }
    }

    /// <inheritdoc/>
    public async Task DeleteFolderAsync(string folder, CancellationToken cancel)
    {
        string prefix = KeyOf(folder) + "/";
        List<string> keys = [];
        await foreach (S3Object one in bucket.ListAsync(prefix, cancel))
        {
            keys.Add(one.Key);
        }

        await Parallel.ForEachAsync(
            keys,
            new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = cancel },
            async (key, c) => await bucket.DeleteAsync(key, c)
        );
        if (bucket.HasObjectLock)
        {
            await versions.RemoveAsync(prefix, static of => of, cancel);
        }

        await bucket.AbortUploadsAsync(prefix, DateTimeOffset.MaxValue, cancel);
    }

    /// <inheritdoc/>
    /// <remarks>With object lock also what was removed while it was locked, once the lock has ended: its versions, below the mark of its
    /// removal.</remarks>
    public async Task<int> SweepAsync(DateTimeOffset olderThan, CancellationToken cancel)
    {
        int swept = await bucket.AbortUploadsAsync(bucket.Prefix, olderThan, cancel);
        return bucket.HasObjectLock
            ? swept + await versions.RemoveAsync(bucket.Prefix, static of => of[0].IsDeleteMarker == true ? of : [], cancel)
            : swept;
    }

    /// <inheritdoc/>
    /// <remarks>A lease: see <see cref="S3Lease"/>.</remarks>
    public async Task<IStoreLock> LockAsync(string holder, CancellationToken cancel) =>
        await new S3Lease(bucket, versions, bucket.Prefix + ".olympus-pgbackup.lock", clock).AcquireAsync(holder, cancel);

    /// <inheritdoc/>
    public void Dispose() => bucket.Dispose();

    private static bool IsHidden(string key) => key.StartsWith('.') || key.Contains("/.", StringComparison.Ordinal);

    private static bool IsLocked(GetObjectMetadataResponse head, DateTimeOffset until) =>
        head.ObjectLockRetainUntilDate is { } locked && S3Bucket.Utc(locked) >= until.AddSeconds(-1);

    private string KeyOf(string key)
    {
        ObjectKey.Require(key, Name);
        return bucket.Prefix + key;
    }

    private async Task<SentObject> PutWholeAsync(string objectKey, PartContent part, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        byte[] md5 = part.Md5();
        var sent = new SentObject { Size = part.Size, ETag = Convert.ToHexStringLower(md5) };
        try
        {
            return sent with { IsConfirmed = await bucket.SendAsync(objectKey, part, md5, lockedUntil, cancel) };
        }
        catch (PgBackupException e) when (e.IsTransient && !cancel.IsCancellationRequested)
        {
            // Only the answer may have been lost.
            if (
                await bucket.HeadAsync(objectKey, cancel) is { } head
                && head.ContentLength == sent.Size
                && S3Bucket.Bare(head.ETag) == sent.ETag
            )
            {
                return sent;
            }

            throw;
        }
    }

    private async Task VerifyAsync(string key, string objectKey, SentObject sent, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        GetObjectMetadataResponse? head = await bucket.HeadAsync(objectKey, cancel);
        if (head is null)
        {
            throw sent.IsConfirmed
                ? new PgBackupException(
                    ErrorCode.StoreUnavailable,
                    $"the store {Name} ({Location}) took {key} without complaint, and does not have it.",
                    "Something else removes objects there, or the store is not consistent; it cannot be relied on."
                )
                : Unconfirmed(key, "nothing");
        }

        string? encrypted = S3Bucket.EncryptionOf(head.ServerSideEncryptionMethod);
        string? wrong =
            head.ContentLength != sent.Size
                ? $"it says {head.ContentLength.ToString(CultureInfo.InvariantCulture)} bytes, and "
                    + $"{sent.Size.ToString(CultureInfo.InvariantCulture)} were sent"
            : S3Bucket.Bare(head.ETag) == sent.ETag ? null
            : encrypted is not null and not "AES256" ? null // the parts' MD5s were checked on arrival; the ETag is opaque
            : await bucket.HoldsAsync(objectKey, sent, cancel) ? null
            : "its content is another";
        if (wrong is not null && !sent.IsConfirmed)
        {
            throw Unconfirmed(key, $"something else, perhaps of earlier ({wrong})");
        }

        if (wrong is not null)
        {
            await DeleteAsync(key, cancel);
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the store {Name} ({Location}) does not hold what was sent for {key}: {wrong}. The object was removed.",
                "The store, or something before it, changes what it is given. Do not rely on it."
            );
        }

        if (settings.RequireEncryption && encrypted is null)
        {
            await DeleteAsync(key, cancel);
            throw new PgBackupException(
                ErrorCode.StoreNotEncrypting,
                $"the store {Name} ({Location}) does not encrypt: it says nothing of server-side encryption for {key}, which was removed.",
                "Use a store that encrypts (s3: { sse: AES256 } or { sse: aws:kms }), or encryption: gpg or age."
            );
        }

        if (lockedUntil is { } until && !IsLocked(head, until))
        {
            await LockObjectAsync(key, objectKey, head.VersionId, until, cancel);
        }
    }

    // What lies there may be what lay there before: it is not removed.
    private PgBackupException Unconfirmed(string key, string found) =>
        new(
            ErrorCode.StoreUnavailable,
            $"the store {Name} ({Location}) answered without saying that it took {key}, and holds {found} there.",
            "The store is busy or broken. The next run continues."
        )
        {
            IsTransient = true,
        };

    // Some servers ignore the lock that an upload in parts was begun with.
    private async Task LockObjectAsync(string key, string objectKey, string? version, DateTimeOffset until, CancellationToken cancel)
    {
        await bucket.LockAsync(objectKey, version, until, cancel);
        if (await bucket.HeadAsync(objectKey, cancel) is not { } head || !IsLocked(head, until))
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the store {Name} ({Location}) did not lock {key} until {until:yyyy-MM-dd}, as requested.",
                "Check that the bucket has object lock, or leave out object_lock."
            );
        }
    }

    private async Task RequireLockSupportAsync(CancellationToken cancel)
    {
        if (!await bucket.CanLockAsync(cancel))
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the bucket {settings.Bucket} of the store {Name} has no object lock, which object_lock: asks for.",
                "Object lock can only be switched on when a bucket is made (`aws s3api create-bucket "
                    + "--object-lock-enabled-for-bucket`): make a new bucket, or leave out object_lock."
            );
        }
    }
}
