using System.Net;
using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.Storage;

/// <summary>The versions of objects in a bucket that keeps them, as one with object lock does. What is still locked stays.</summary>
internal sealed class S3Versions(S3Bucket bucket)
{
    /// <summary>
    /// Removes those versions of each key, which come the newest first, that are wanted. A delete marker goes last, and only when
    /// nothing is left that it hides, or what it hides would be seen again.
    /// </summary>
    /// <returns>How many keys nothing is left of, of what was wanted.</returns>
    public async Task<int> RemoveAsync(string prefix, Func<List<S3ObjectVersion>, List<S3ObjectVersion>> wanted, CancellationToken cancel)
    {
        int gone = 0;
        await foreach (List<S3ObjectVersion> versions in ByKeyAsync(prefix, cancel))
        {
            List<S3ObjectVersion> doomed = wanted(versions);
            bool all = doomed.Count > 0;
            foreach (S3ObjectVersion version in doomed.OrderBy(static v => v.IsDeleteMarker == true).TakeWhile(v => all || v.IsDeleteMarker != true))
            {
                all &= await RemoveOneAsync(version, cancel);
            }

            gone += all ? 1 : 0;
        }

        return gone;
    }

    /// <summary>In a bucket with object lock, removes a delete marker and all versions below it; others have none to remove.</summary>
    public async Task RemoveBelowAsync(string objectKey, string? marker, CancellationToken cancel)
    {
        if (bucket.HasObjectLock && marker is { Length: > 0 })
        {
            await RemoveAsync(objectKey, of => of[0].Key == objectKey ? [.. of.SkipWhile(v => v.VersionId != marker)] : [], cancel);
        }
    }

    // False: it is still locked.
    private async Task<bool> RemoveOneAsync(S3ObjectVersion version, CancellationToken cancel)
    {
        try
        {
            await bucket.CallAsync($"removing a version of {version.Key}", c => bucket.Client.DeleteObjectAsync(bucket.Name, version.Key, version.VersionId, c), cancel);
            return true;
        }
        catch (PgBackupException e) when (e.InnerException is AmazonS3Exception { StatusCode: HttpStatusCode.Forbidden })
        {
            return false;
        }
    }

    private async IAsyncEnumerable<List<S3ObjectVersion>> ByKeyAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        List<S3ObjectVersion> versions = [];
        var request = new ListVersionsRequest { BucketName = bucket.Name, Prefix = prefix };
        while (true)
        {
            ListVersionsResponse page = await bucket.CallAsync("listing versions", c => bucket.Client.ListVersionsAsync(request, c), cancel);
            foreach (S3ObjectVersion version in page.Versions ?? [])
            {
                if (versions.Count > 0 && versions[0].Key != version.Key)
                {
                    yield return versions;
                    versions = [];
                }

                versions.Add(version);
            }

            if (page.IsTruncated != true)
            {
                break;
            }

            request.KeyMarker = page.NextKeyMarker;
            request.VersionIdMarker = page.NextVersionIdMarker;
        }

        if (versions.Count > 0)
        {
            yield return versions;
        }
    }
}
