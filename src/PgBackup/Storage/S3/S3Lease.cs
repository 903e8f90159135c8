using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Host;

namespace PgBackup.Storage.S3;

/// <summary>
/// The right to work in a bucket: an object that is written only if it is not there (S3's conditional write, If-None-Match), renewed
/// while it is held, and removed at the end. One that was not renewed for 15 minutes, by the store's own clock, or whose process was one of
/// this host and is gone, belongs to a run that was killed, and is taken over.
/// </summary>
internal sealed class S3Lease(S3Bucket bucket, S3Versions versions, string key, TimeProvider clock) : IStoreLock
{
    private static readonly TimeSpan Length = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan Renewal = TimeSpan.FromMinutes(3);

    // What was checked shortly before the end must be done when another run may begin.
    private static readonly TimeSpan Margin = TimeSpan.FromMinutes(2);

    // One has some 200 bytes.
    private const int LargestText = 64 << 10;

    private readonly CancellationTokenSource stop = new();
    private readonly string nonce = RandomNumberGenerator.GetHexString(16, lowercase: true);
    private byte[] body = [];
    private DateTimeOffset renewed;
    private bool asked;
    private bool lost;
    private Task renewing = Task.CompletedTask;

    /// <inheritdoc/>
    public string? Note { get; private set; }

    /// <summary>Takes it.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.AlreadyRunning"/>.</exception>
    public async Task<IStoreLock> AcquireAsync(string holder, CancellationToken cancel)
    {
        body = JsonSerializer.SerializeToUtf8Bytes(
            new LeaseText
            {
                Holder = holder,
                Nonce = nonce,
                Process = ProcessMark.Own,
            },
            LeaseJson.Default.LeaseText
        );
        HeldLocks.Add(nonce, bucket.Store);
        try
        {
            await TakeAsync(cancel);
        }
        catch
        {
            await DisposeAsync(); // it may be ours all the same, and nobody would renew it
            throw;
        }

        renewing = RenewAsync();
        return this;
    }

    /// <inheritdoc/>
    public void RequireHeld()
    {
        if (lost || clock.GetUtcNow() - renewed > Length - Margin)
        {
            throw new PgBackupException(
                ErrorCode.AlreadyRunning,
                $"the lock of the store {bucket.Store} ({bucket.Location}) was lost: it could not be renewed for "
                    + $"{(Length - Margin).TotalMinutes:0} minutes, or another run has taken it over.",
                "This run writes no more there. See that the host was not suspended and that the store can be reached; the next run "
                    + "cleans up."
            );
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await renewing;
        stop.Dispose();
        HeldLocks.Remove(nonce);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20), clock);
        try
        {
            if (asked && !lost && (await ReadAsync(patience.Token))?.Text.Nonce == nonce)
            {
                DeleteObjectResponse mark = await bucket.CallAsync(
                    "giving the lock back",
                    c => bucket.Client.DeleteObjectAsync(bucket.Name, key, c),
                    patience.Token
                );
                await versions.RemoveBelowAsync(key, mark.VersionId, patience.Token);
            }
        }
        catch (Exception e) when (e is PgBackupException or OperationCanceledException)
        {
            // The store is gone: the lock expires by itself.
        }
    }

    private async Task TakeAsync(CancellationToken cancel)
    {
        for (int attempt = 0; attempt < 5; attempt++)
        {
            // Looked at first, since some stores ignore the condition in buckets with versions.
            LeaseState? there = await ReadAsync(cancel);
            if (there is null && await WriteAsync(null, cancel))
            {
                await RequireOursAsync(cancel);
                return;
            }

            if ((there ?? await ReadAsync(cancel)) is not { } other)
            {
                continue; // it has just been given back
            }

            if (HeldLocks.Same(other.Text.Nonce, bucket.Store, bucket.Location) is { } same)
            {
                throw same;
            }

            // One of this process that it does not hold any more was to be removed, and was not: nobody waits for oneself.
            bool gone = ProcessMark.IsGone(other.Text.Process) || IsLeftByUs(other.Text);
            TimeSpan age = gone ? TimeSpan.Zero : await StoreTimeAsync(cancel) - other.Renewed;
            if (!gone && age < Length)
            {
                throw Taken(other.Text.Holder);
            }

            if (await WriteAsync(other.ETag, cancel))
            {
                await RequireOursAsync(cancel);
                bool ours = IsLeftByUs(other.Text);
                string how =
                    ours ? "was not given back by this very run"
                    : gone ? "is that of a process of this host that is gone"
                    : $"was not renewed for {age.TotalMinutes:0} minutes";
                Note =
                    $"the lock of {other.Text.Holder} in the store {bucket.Store} {how}: "
                    + $"{(ours ? "it" : "that run was killed, and its lock")} was taken over";
                return;
            }
        }

        throw Taken("several runs want it at the same time");
    }

    private static bool IsLeftByUs(LeaseText lease) =>
        lease.Process is { } process && process == ProcessMark.Own && !HeldLocks.Has(lease.Nonce);

    // Null: only if there is none. An ETag: only if it is still that one; some servers want it without its quotes.
    private async Task<bool> WriteAsync(string? replace, CancellationToken cancel)
    {
        asked = true;
        // Before it is asked for: by the store's clock it is renewed at some time after this.
        DateTimeOffset before = clock.GetUtcNow();
        bool done = await TryWriteAsync(replace, cancel) || (replace is not null && await TryWriteAsync(replace.Trim('"'), cancel));
        renewed = done ? before : renewed;
        return done;
    }

    private async Task<bool> TryWriteAsync(string? replace, CancellationToken cancel) =>
        await bucket.CallAsync(
            "taking the lock",
            async c =>
            {
                using var content = new MemoryStream(body);
                var request = new PutObjectRequest
                {
                    BucketName = bucket.Name,
                    Key = key,
                    InputStream = content,
                    UseChunkEncoding = false,
                    AutoCloseStream = false,
                    MD5Digest = Md5(body),
                };
                if (replace is null)
                {
                    request.IfNoneMatch = "*";
                }
                else
                {
                    request.IfMatch = replace;
                }

                try
                {
                    await bucket.Client.PutObjectAsync(request, c);
                    return true;
                }
                catch (AmazonS3Exception e)
                    when (e.StatusCode is HttpStatusCode.PreconditionFailed or HttpStatusCode.Conflict
                        || (replace is not null && e.StatusCode is HttpStatusCode.NotFound && e.ErrorCode != "NoSuchBucket")
                    )
                {
                    // A write that was repeated because its answer got lost meets itself.
                    return await ReadAsync(c) is { } now && now.Bytes.AsSpan().SequenceEqual(body);
                }
                catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotImplemented)
                {
                    // A store without conditional writes: only if it is not there as far as we can see; RequireOursAsync looks again.
                    if (replace is null && await ReadAsync(c) is not null)
                    {
                        return false;
                    }

                    using var again = new MemoryStream(body);
                    await bucket.Client.PutObjectAsync(
                        new PutObjectRequest
                        {
                            BucketName = bucket.Name,
                            Key = key,
                            InputStream = again,
                            UseChunkEncoding = false,
                            AutoCloseStream = false,
                            MD5Digest = Md5(body),
                        },
                        c
                    );
                    await Task.Delay(TimeSpan.FromSeconds(2), clock, c);
                    return true;
                }
            },
            cancel
        );

    // Whatever the store made of the condition: what stands there now decides.
    private async Task RequireOursAsync(CancellationToken cancel)
    {
        LeaseState? now = await ReadAsync(cancel);
        if (now?.Text.Nonce != nonce)
        {
            throw Taken(now?.Text.Holder ?? "it was removed again at once");
        }
    }

    private async Task<LeaseState?> ReadAsync(CancellationToken cancel) =>
        await bucket.CallAsync(
            "reading the lock",
            async c =>
            {
                for (int attempt = 1; ; attempt++)
                {
                    try
                    {
                        // A range: the SDK would compare a whole object with its ETag, which need not be an MD5.
                        using GetObjectResponse answer = await bucket.Client.GetObjectAsync(
                            new GetObjectRequest
                            {
                                BucketName = bucket.Name,
                                Key = key,
                                ByteRange = new ByteRange(0, LargestText - 1),
                            },
                            c
                        );
                        byte[] text = new byte[LargestText]; // and no more, though the answer may be larger than what was asked for
                        text = text[..await answer.ResponseStream.ReadAtLeastAsync(text, text.Length, throwOnEndOfStream: false, c)];
                        RequireNoPage(text);
                        return StateOf(text, answer.ETag, answer.LastModified);
                    }
                    catch (AmazonS3Exception e) when (e.ErrorCode == "NoSuchKey")
                    {
                        return null;
                    }
                    catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
                    {
                        GetObjectMetadataResponse head = await bucket.Client.GetObjectMetadataAsync(bucket.Name, key, c);
                        return StateOf([], head.ETag, head.LastModified);
                    }
                    catch (IOException) when (attempt < 3)
                    {
                        // cut in the body, which the SDK does not ask for again
                    }
                }
            },
            cancel
        );

    // What answers every request with a page (a proxy's sign-in, a web server at the wrong port) would look like a lock of somebody.
    private void RequireNoPage(byte[] content)
    {
        if (content.AsSpan().TrimStart(" \t\r\n\uFEFF"u8) is [(byte)'<', ..])
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the store {bucket.Store} ({bucket.Location}) answers with a page of HTML or XML where its lock {key} is asked for: "
                    + $"{S3Advice.NoServer}.",
                S3Advice.NoServerRemedy
            );
        }
    }

    private static LeaseState StateOf(byte[] bytes, string? etag, DateTime? modified)
    {
        LeaseText? lease = null;
        try
        {
            lease = JsonSerializer.Deserialize(bytes, LeaseJson.Default.LeaseText);
        }
        catch (JsonException)
        {
            // Somebody else's object under our name: still a lock, of an unknown holder.
        }

        return new LeaseState
        {
            Text = lease ?? new LeaseText { Holder = "its holder is not known", Nonce = "" },
            Bytes = bytes,
            ETag = etag ?? "",
            Renewed = (modified ?? DateTime.UnixEpoch).ToUniversalTime(),
        };
    }

    // What time it is for the store: that of an object just written. Clocks of hosts are not to be compared with it.
    private async Task<DateTimeOffset> StoreTimeAsync(CancellationToken cancel)
    {
        string probe = $"{key}-{nonce}";
        return await bucket.CallAsync(
            "asking the store for its time",
            async c =>
            {
                using var content = new MemoryStream("time\n"u8.ToArray());
                await bucket.Client.PutObjectAsync(
                    new PutObjectRequest
                    {
                        BucketName = bucket.Name,
                        Key = probe,
                        InputStream = content,
                        UseChunkEncoding = false,
                        AutoCloseStream = false,
                        MD5Digest = Md5("time\n"u8.ToArray()),
                    },
                    c
                );
                GetObjectMetadataResponse head = await bucket.Client.GetObjectMetadataAsync(bucket.Name, probe, c);
                DeleteObjectResponse mark = await bucket.Client.DeleteObjectAsync(bucket.Name, probe, c);
                await versions.RemoveBelowAsync(probe, mark.VersionId, c);
                return (DateTimeOffset)(head.LastModified ?? DateTime.UnixEpoch).ToUniversalTime();
            },
            cancel
        );
    }

    private async Task RenewAsync()
    {
        try
        {
            // Two runs that took it in the same instant, from a store without conditions, find out soon.
            TimeSpan pause = TimeSpan.FromSeconds(5);
            while (true)
            {
                await Task.Delay(pause, clock, stop.Token);
                pause = Renewal;
                try
                {
                    if (await ReadAsync(stop.Token) is not { } now || now.Text.Nonce != nonce)
                    {
                        lost = true;
                        return;
                    }

                    // Each renewal has to look different, or a store may take it for the same object and keep its time.
                    body = [.. body, (byte)'\n'];
                    if (!await WriteAsync(now.ETag, stop.Token))
                    {
                        lost = true;
                        return;
                    }
                }
                catch (PgBackupException)
                {
                    // Tried again at the next turn, until it is too old.
                }
            }
        }
        catch (OperationCanceledException)
        {
            // given back
        }
    }

    private PgBackupException Taken(string holder) =>
        new(
            ErrorCode.AlreadyRunning,
            $"another run works in the store {bucket.Store} ({bucket.Location}): {holder}.",
            "Wait for it to end, or stop it. The lock of a run that was killed is free at once on its own host, and after 15 minutes "
                + "on others."
        );

    private static string Md5(byte[] bytes)
    {
#pragma warning disable CA5351 // S3's own checksum
        return Convert.ToBase64String(MD5.HashData(bytes));
#pragma warning restore CA5351
    }

    private sealed record LeaseState
    {
        public required LeaseText Text { get; init; }

        public required byte[] Bytes { get; init; }

        public required string ETag { get; init; }

        public required DateTimeOffset Renewed { get; init; }
    }
}

/// <summary>The text of a lease.</summary>
internal sealed record LeaseText
{
    public required string Holder { get; init; }

    public required string Nonce { get; init; }

    /// <summary>For <see cref="ProcessMark.IsGone"/>.</summary>
    public string? Process { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(LeaseText))]
internal sealed partial class LeaseJson : JsonSerializerContext;
