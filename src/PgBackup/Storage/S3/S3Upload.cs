using System.Runtime.ExceptionServices;
using Amazon.S3.Model;

namespace PgBackup.Storage.S3;

/// <summary>One object in parts, several of them under way at the same time.</summary>
internal sealed class S3Upload(S3Bucket bucket, PartMemory memory, string objectKey, DateTimeOffset? lockedUntil)
{
    // 1,000 parts: 100 of 8 MiB, 100 of 16 MiB, ... 100 of 4 GiB.
    private const int PartsOfOneSize = 100;

    private Exception? reason;

    /// <summary>Sends the first part, which is full, and what follows it in the stream.</summary>
    /// <exception cref="PgBackupException">Nothing was stored, and the upload was aborted.</exception>
    public async Task<SentObject> RunAsync(PartContent first, Stream content, CancellationToken cancel)
    {
        string upload = await bucket.BeginAsync(objectKey, lockedUntil, cancel);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        List<Task<byte[]>> sending = [];
        List<long> sizes = [];
        try
        {
            PartContent? part = first;
            while (part is not null)
            {
                sizes.Add(part.Size);
                sending.Add(SendAsync(upload, sending.Count + 1, part, stop));
                part = await NextAsync(sending, content, stop.Token);
            }

            byte[][] digests = await Task.WhenAll(sending);
            var sent = new SentObject
            {
                IsConfirmed = true,
                Size = sizes.Sum(),
                ETag = S3ETag.OfParts(digests),
                PartSizes = sizes,
            };
            List<PartETag> tags = [.. digests.Select(static (md5, i) => new PartETag(i + 1, $"\"{Convert.ToHexStringLower(md5)}\""))];
            await CompleteAsync(upload, tags, sent, cancel);
            return sent;
        }
        catch (Exception e)
        {
            await stop.CancelAsync();
            await Task.WhenAll(sending)
                .ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            await bucket.AbortAsync(objectKey, upload);
            // A part that failed stops the reading of the next, and the other parts: its reason is the one to report.
            cancel.ThrowIfCancellationRequested();
            if (reason is not null && reason != e)
            {
                ExceptionDispatchInfo.Throw(reason);
            }

            throw;
        }
    }

    // An answer that is an error, or that never came, is not believed at once: the object may be there. Where ETags are opaque, only
    // reading it shows whether it is this one or an older one.
    private async Task CompleteAsync(string upload, List<PartETag> parts, SentObject sent, CancellationToken cancel)
    {
        try
        {
            await bucket.CompleteAsync(objectKey, upload, parts, cancel);
        }
        catch (PgBackupException) when (!cancel.IsCancellationRequested)
        {
            if (
                await bucket.HeadAsync(objectKey, cancel) is not { } head
                || head.ContentLength != sent.Size
                || (S3Bucket.Bare(head.ETag) != sent.ETag && !await bucket.HoldsAsync(objectKey, sent, cancel))
            )
            {
                throw;
            }
        }
    }

    private async Task<PartContent?> NextAsync(List<Task<byte[]>> sending, Stream content, CancellationToken cancel)
    {
        PartContent part = await memory.RentAsync(1 << Math.Min(sending.Count / PartsOfOneSize, 9), cancel);
        try
        {
            await part.FillAsync(content, cancel);
            if (part.Size > 0)
            {
                return part;
            }
        }
        catch
        {
            part.Dispose();
            throw;
        }

        part.Dispose();
        return null;
    }

    private async Task<byte[]> SendAsync(string upload, int number, PartContent part, CancellationTokenSource stop)
    {
        try
        {
            return await bucket.SendPartAsync(objectKey, upload, number, part, stop.Token);
        }
        catch (Exception e)
        {
            if (!stop.IsCancellationRequested)
            {
                Interlocked.CompareExchange(ref reason, e, null);
            }

            await stop.CancelAsync();
            throw;
        }
        finally
        {
            part.Dispose();
        }
    }
}
