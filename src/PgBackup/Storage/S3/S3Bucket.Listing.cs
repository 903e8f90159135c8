using System.Net;
using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.Storage.S3;

/// <content>What is in the bucket: objects, and uploads that were never finished.</content>
internal sealed partial class S3Bucket
{
    /// <summary>All objects whose keys begin with a prefix, from requests of a thousand each.</summary>
    public async IAsyncEnumerable<S3Object> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        var request = new ListObjectsV2Request { BucketName = settings.Bucket, Prefix = prefix };
        HashSet<string> asked = new(StringComparer.Ordinal);
        do
        {
            ListObjectsV2Response page = await CallAsync("listing", c => client.ListObjectsV2Async(request, c), cancel);
            RequireList(
                page.Name is { Length: > 0 } || page.IsTruncated is not null || page.MaxKeys is not null || page.S3Objects is { Count: > 0 }
            );
            foreach (S3Object one in page.S3Objects ?? [])
            {
                yield return one;
            }

            request.ContinuationToken = page.IsTruncated == true ? page.NextContinuationToken : null;
            // More, and no way to ask for it, is no end of the list: what is not listed would be taken for gone.
            RequireProgress(
                "listing",
                page.IsTruncated == true && (string.IsNullOrEmpty(request.ContinuationToken) || !asked.Add(request.ContinuationToken))
            );
        } while (request.ContinuationToken is not null);
    }

    /// <summary>Gives up uploads that were begun before a moment.</summary>
    /// <returns>How many.</returns>
    public async Task<int> AbortUploadsAsync(string prefix, DateTimeOffset olderThan, CancellationToken cancel)
    {
        int aborted = 0;
        var request = new ListMultipartUploadsRequest { BucketName = settings.Bucket, Prefix = prefix };
        while (true)
        {
            ListMultipartUploadsResponse page;
            try
            {
                page = await CallAsync("listing unfinished uploads", c => client.ListMultipartUploadsAsync(request, c), cancel);
            }
            catch (PgBackupException e)
                when (e.InnerException is AmazonS3Exception { StatusCode: HttpStatusCode.Forbidden }
                    || (e.InnerException is AmazonS3Exception && S3Advice.IsUnknownRequest(e.InnerException))
                )
            {
                // Nothing depends on it: what a killed run left stays, and costs its bytes.
                Note(
                    $"the store {Store} ({Location}) does not list unfinished uploads, so that those of killed runs cannot be removed "
                        + $"by this program: {FirstLine(e.Message)}"
                );
                return aborted;
            }

            foreach (MultipartUpload upload in (page.MultipartUploads ?? []).Where(u => Utc(u.Initiated) < olderThan))
            {
                await AbortUploadAsync(upload.Key, upload.UploadId, cancel);
                aborted++;
            }

            if (page.IsTruncated != true)
            {
                return aborted;
            }

            RequireProgress(
                "listing unfinished uploads",
                (request.KeyMarker, request.UploadIdMarker) == (page.NextKeyMarker, page.NextUploadIdMarker)
            );
            request.KeyMarker = page.NextKeyMarker;
            request.UploadIdMarker = page.NextUploadIdMarker;
        }
    }

    /// <summary>
    /// Refuses an answer that has nothing of what every list says of itself. A page in its place, or nothing at all, would be read as an
    /// empty store.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.StoreUnavailable"/>.</exception>
    public void RequireList(bool isList)
    {
        if (!isList)
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the store {Store} ({Location}) answers with something else where a list is asked for: {S3Advice.NoServer}.",
                S3Advice.NoServerRemedy
            );
        }
    }

    /// <summary>Refuses to ask for the same piece of a listing again: it would never end.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.StoreUnavailable"/>.</exception>
    public void RequireProgress(string doing, bool same)
    {
        if (same)
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the store {Store} ({Location}) cannot be used ({doing}): it says that there is more, and sends the same piece again.",
                "The store, or a proxy before it, answers wrongly; nothing it lists can be relied on."
            );
        }
    }

    /// <summary>What it could not do and nothing depends on.</summary>
    public IReadOnlyList<string> Notes
    {
        get
        {
            lock (notes)
            {
                return [.. notes];
            }
        }
    }

    // Each once.
    private void Note(string note)
    {
        lock (notes)
        {
            if (!notes.Contains(note))
            {
                notes.Add(note);
            }
        }
    }

    private static string FirstLine(string text) => text.Split('\n')[0];
}
