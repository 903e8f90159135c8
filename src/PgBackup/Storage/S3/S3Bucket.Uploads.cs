using System.Globalization;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.Storage.S3;

internal sealed partial class S3Bucket
{
    /// <summary>Sends an object in one piece.</summary>
    /// <returns>False: the answer says that it was done, but has no ETag, as a success with an error in its body.</returns>
    public async Task<bool> SendAsync(string objectKey, PartContent part, byte[] md5, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        StorageTerms terms = TermsOf(lockedUntil);
        return await CallAsync(
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
                    StorageClass = terms.StorageClass,
                    ServerSideEncryptionMethod = terms.Encryption,
                    ServerSideEncryptionKeyManagementServiceKeyId = terms.KmsKey,
                    ObjectLockMode = terms.Lock,
                    ObjectLockRetainUntilDate = terms.LockedUntil,
                };
                return (await client.PutObjectAsync(request, c)).ETag is { Length: > 0 };
            },
            cancel
        );
    }

    /// <summary>Begins an upload in parts.</summary>
    public async Task<string> BeginAsync(string objectKey, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        StorageTerms terms = TermsOf(lockedUntil);
        var request = new InitiateMultipartUploadRequest
        {
            BucketName = settings.Bucket,
            Key = objectKey,
            StorageClass = terms.StorageClass,
            ServerSideEncryptionMethod = terms.Encryption,
            ServerSideEncryptionKeyManagementServiceKeyId = terms.KmsKey,
            ObjectLockMode = terms.Lock,
            ObjectLockRetainUntilDate = terms.LockedUntil,
        };
        return (await CallAsync($"beginning to send {objectKey}", c => client.InitiateMultipartUploadAsync(request, c), cancel)).UploadId;
    }

    /// <summary>Sends one part of an upload. Four are sent at the same time, others wait.</summary>
    /// <returns>Its MD5.</returns>
    public async Task<byte[]> SendPartAsync(string objectKey, string upload, int number, PartContent part, CancellationToken cancel)
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
                        c
                    );
                },
                cancel
            );
            return md5;
        }
        finally
        {
            sending.Release();
        }
    }

    /// <summary>Puts the parts of an upload together. After an error the object may be there all the same.</summary>
    public async Task CompleteAsync(string objectKey, string upload, List<PartETag> parts, CancellationToken cancel) =>
        await CallAsync(
            $"completing {objectKey}",
            c =>
                client.CompleteMultipartUploadAsync(
                    new CompleteMultipartUploadRequest
                    {
                        BucketName = settings.Bucket,
                        Key = objectKey,
                        UploadId = upload,
                        PartETags = parts,
                    },
                    c
                ),
            cancel
        );

    /// <summary>Gives up an upload in parts; what cannot be given up now is swept later.</summary>
    public async Task AbortAsync(string objectKey, string upload)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30), clock);
        try
        {
            await AbortUploadAsync(objectKey, upload, patience.Token);
        }
        catch (Exception e) when (e is PgBackupException or OperationCanceledException)
        {
            // The error that led here is the one to report; the sweep finds the upload.
        }
    }

    private StorageTerms TermsOf(DateTimeOffset? lockedUntil) =>
        new()
        {
            StorageClass = settings.StorageClass is { } storage ? new S3StorageClass(storage) : null,
            Encryption = settings.Encryption is { } encryption ? new ServerSideEncryptionMethod(encryption) : null,
            KmsKey = settings.Encryption is null ? null : settings.KmsKey,
            Lock = lockedUntil is null ? null : new ObjectLockMode(settings.ObjectLock),
            LockedUntil = lockedUntil?.UtcDateTime,
        };

    /// <summary>How the bucket is to keep an object; what is null is left to the bucket.</summary>
    private sealed record StorageTerms
    {
        public required S3StorageClass? StorageClass { get; init; }

        public required ServerSideEncryptionMethod? Encryption { get; init; }

        public required string? KmsKey { get; init; }

        public required ObjectLockMode? Lock { get; init; }

        public required DateTime? LockedUntil { get; init; }
    }
}
