using System.Net;
using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.Storage.S3;

/// <summary>The versions of objects in a bucket that keeps them, as one with object lock does. What is still locked stays.</summary>
/// <remarks>
/// Stores list them in different orders: AWS the newest of a key first, others all versions before all delete markers. Only what each says
/// of itself counts: whether it is the latest, and when it was written.
/// </remarks>
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
            foreach (
                S3ObjectVersion version in doomed
                    .OrderBy(static v => v.IsDeleteMarker == true)
                    .TakeWhile(v => all || v.IsDeleteMarker != true)
            )
            {
                all &= await RemoveOneAsync(version, cancel);
            }

            gone += all ? 1 : 0;
        }

        return gone;
    }

    /// <summary>In a bucket with object lock, removes a delete marker and all versions that are older; others have none to
    /// remove.</summary>
    public async Task RemoveBelowAsync(string objectKey, string? marker, CancellationToken cancel)
    {
        if (bucket.HasObjectLock && marker is { Length: > 0 })
        {
            await RemoveAsync(objectKey, of => of[0].Key == objectKey ? Below(of, marker) : [], cancel);
        }
    }

    /// <summary>A delete marker with all versions that are older. The latest one never is, whatever its time: times are exact only to
    /// the second.</summary>
    internal static List<S3ObjectVersion> Below(List<S3ObjectVersion> versions, string marker) =>
        versions.Find(v => v.VersionId == marker) is not { } mark
            ? []
            :
            [
                .. versions.Where(v =>
                    v == mark || (v.IsLatest != true && S3Bucket.Utc(v.LastModified) <= S3Bucket.Utc(mark.LastModified))
                ),
            ];

    /// <summary>The newest first. Of the same second, a marker is taken for the newer one: what it hides was there before.</summary>
    internal static List<S3ObjectVersion> Sorted(IEnumerable<S3ObjectVersion> versions) =>
        [
            .. versions
                .OrderByDescending(static v => v.IsLatest == true)
                .ThenByDescending(static v => S3Bucket.Utc(v.LastModified))
                .ThenByDescending(static v => v.IsDeleteMarker == true),
        ];

    // False: it is still locked.
    private async Task<bool> RemoveOneAsync(S3ObjectVersion version, CancellationToken cancel)
    {
        try
        {
            await bucket.CallAsync(
                $"removing a version of {version.Key}",
                c => bucket.Client.DeleteObjectAsync(bucket.Name, version.Key, version.VersionId, c),
                cancel
            );
            return true;
        }
        catch (PgBackupException e) when (e.InnerException is AmazonS3Exception { StatusCode: HttpStatusCode.Forbidden })
        {
            return false;
        }
    }

    // Of each page, all keys but the last one, of which the next page may have more.
    private async IAsyncEnumerable<List<S3ObjectVersion>> ByKeyAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        SortedDictionary<string, List<S3ObjectVersion>> open = new(StringComparer.Ordinal);
        var request = new ListVersionsRequest { BucketName = bucket.Name, Prefix = prefix };
        HashSet<(string?, string?)> asked = [];
        while (true)
        {
            ListVersionsResponse page = await bucket.CallAsync(
                "listing versions",
                c => bucket.Client.ListVersionsAsync(request, c),
                cancel
            );
            bucket.RequireList(
                page.Name is { Length: > 0 } || page.IsTruncated is not null || page.MaxKeys is not null || page.Versions is { Count: > 0 }
            );
            foreach (S3ObjectVersion version in page.Versions ?? [])
            {
                if (!open.TryGetValue(version.Key, out List<S3ObjectVersion>? versions))
                {
                    open[version.Key] = versions = [];
                }

                versions.Add(version);
            }

            bool more = page.IsTruncated == true;
            bucket.RequireProgress(
                "listing versions",
                more && (string.IsNullOrEmpty(page.NextKeyMarker) || !asked.Add((page.NextKeyMarker, page.NextVersionIdMarker)))
            );
            foreach (string key in open.Keys.SkipLast(more ? 1 : 0).ToList())
            {
                yield return Sorted(open[key]);
                open.Remove(key);
            }

            if (!more)
            {
                break;
            }

            request.KeyMarker = page.NextKeyMarker;
            request.VersionIdMarker = page.NextVersionIdMarker;
        }
    }
}
