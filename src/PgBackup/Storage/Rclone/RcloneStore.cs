using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Storage.Rclone;

/// <summary>
/// Any remote of rclone. Where there are folders (a disk, sftp, WebDAV), an object is uploaded under a hidden partial name, looked at,
/// and moved to its name. In a store of buckets, where an object appears when its upload is complete, it goes directly under its name.
/// </summary>
/// <remarks>
/// What was stored is compared with what was sent: its size, and a digest that the remote reports. Where it reports none (an encrypting
/// remote; S3 and B2 for what is larger than <see cref="SmallBytes"/>), the object is read back, which costs time and traffic.
/// <para>
/// rclone stores whatever it has got when its input ends, so that it is killed when there is an error. When this program itself dies of
/// SIGKILL, nobody is left to do that: in a store of buckets an object larger than <see cref="SmallBytes"/> may then be cut short under
/// its final name. Smaller ones are sent with their size, without which S3 takes nothing. A snapshot exists by its manifest alone.
/// </para>
/// <para>
/// A remote of rclone has no atomic replacement: where there are folders, rclone removes the old object before it moves the new one into
/// its place. The size of an upload to S3 is limited by its chunk size (48 GiB by default): set <c>chunk_size</c> in rclone's config.
/// A remote that cannot take a stream (WebDAV, for one) has rclone keep the object in a temporary file first.
/// </para>
/// </remarks>
public sealed class RcloneStore : IObjectStore
{
    /// <summary>What is not larger is held in memory: it is sent with its size, and again if that fails for a while.</summary>
    internal const int SmallBytes = 4 << 20;

    private const string PartialSuffix = ".partial";

    // Digests that both sides know, the cheapest first: the SHA-256 is computed anyway.
    private static readonly (string Rclone, HashAlgorithmName Here)[] Digests =
    [
        ("sha256", HashAlgorithmName.SHA256),
        ("sha1", HashAlgorithmName.SHA1),
        ("md5", HashAlgorithmName.MD5),
        ("sha512", HashAlgorithmName.SHA512),
    ];

    private readonly RcloneCommand rclone;
    private readonly TimeProvider clock;
    private readonly RcloneListing listing;
    private bool rootSeen;

    /// <summary>A store on a remote, as the operator writes it for rclone: <c>b2:olympus-backups</c>, <c>sftp-host:/backups</c>.</summary>
    /// <param name="name">Its name in the config.</param>
    /// <param name="remote">The remote, with the path in it.</param>
    /// <param name="configFile">rclone's config file, or null for the one that rclone finds.</param>
    /// <param name="clock">For pauses and locks.</param>
    public RcloneStore(string name, string remote, string? configFile, TimeProvider clock)
        : this(name, remote, configFile, clock, "rclone") { }

    /// <summary>The same, with another program in the place of rclone.</summary>
    internal RcloneStore(string name, string remote, string? configFile, TimeProvider clock, string program)
    {
        Name = name;
        this.clock = clock;
        rclone = new RcloneCommand(name, remote, configFile, clock) { Program = program };
        listing = new RcloneListing(rclone);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>The folder is not made by a first write; buckets never are.</summary>
    public bool MustExist { get; init; }

    /// <inheritdoc/>
    public string Location => rclone.Location;

    /// <inheritdoc/>
    public async Task CheckWritableAsync(CancellationToken cancel)
    {
        using var probe = new MemoryStream("write test\n"u8.ToArray());
        const string Key = ".write-test";
        await PutAsync(Key, probe, null, cancel);
        await DeleteAsync(Key, cancel);
    }

    /// <inheritdoc/>
    public async Task<long> PutAsync(string key, Stream content, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        listing.Check(key);
        cancel.ThrowIfCancellationRequested();
        RcloneRemote remote = await listing.KnownAsync(cancel);
        await SeeRootAsync(remote, cancel);
        string upload = remote.Features.BucketBased ? key : PartialOf(key);
        byte[] head = ArrayPool<byte>.Shared.Rent(SmallBytes);
        try
        {
            int filled = await content.ReadAtLeastAsync(head.AsMemory(0, SmallBytes), SmallBytes, throwOnEndOfStream: false, cancel);
            Sent sent =
                filled < SmallBytes
                    ? await SendSmallAsync(upload, head.AsMemory(0, filled), remote, cancel)
                    : await SendAsync(upload, head.AsMemory(0, filled), content, remote, cancel);
            await VerifyAsync(upload, key, sent, cancel);
            if (upload != key)
            {
                await MoveAsync(upload, key, sent, cancel);
            }

            return sent.Size;
        }
        catch when (upload != key)
        {
            await RemoveQuietlyAsync(upload);
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(head);
        }
    }

    /// <inheritdoc/>
    public async Task<Stream?> TryOpenAsync(string key, CancellationToken cancel)
    {
        // Not left to `cat`, which succeeds without a word for an object that S3 does not have.
        if (await listing.StatAsync(key, null, cancel) is not { } found)
        {
            return null;
        }

        var stream = new RcloneObject(
            rclone,
            key,
            found.Size,
            ToolStream.From(rclone.StartPatient("cat", "--", rclone.PathOf(key)), cancel)
        );
        try
        {
            await stream.BeginAsync(cancel);
            return stream;
        }
        catch (PgBackupException e)
        {
            await stream.DisposeAsync();

            // It may have been removed just now, which `cat` does not always say.
            if (e.Code != ErrorCode.ObjectDamaged && !(e.Code == ErrorCode.StoreUnavailable && await IsMissingAsync(key, cancel)))
            {
                throw;
            }

            return null;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> ListAsync(string folder, [EnumeratorCancellation] CancellationToken cancel)
    {
        await foreach (RcloneItem item in listing.ItemsAsync(folder, ["--files-only"], cancel))
        {
            StoredObject found = Describe(folder, item);
            if (!$"/{found.Key}".Contains("/.", StringComparison.Ordinal))
            {
                yield return found;
            }
        }
    }

    /// <inheritdoc/>
    public async Task<StoredObject?> FindAsync(string key, CancellationToken cancel) =>
        await listing.StatAsync(key, null, cancel) is { } item ? Describe(RcloneListing.FolderOf(key), item) : null;

    /// <inheritdoc/>
    public async Task DeleteAsync(string key, CancellationToken cancel)
    {
        listing.Check(key);
        ToolResult result = await rclone.RunAsync(null, cancel, "deletefile", "--", rclone.PathOf(key));

        // Versions differ in what they say of an object that is not there.
        if (result.ExitCode != 0 && await listing.StatAsync(key, null, cancel) is not null)
        {
            throw rclone.Failure("deletefile", result.Errors);
        }
    }

    /// <inheritdoc/>
    public async Task DeleteFolderAsync(string folder, CancellationToken cancel)
    {
        listing.Check(folder);
        ToolResult result = await rclone.RunAsync(null, cancel, "purge", "--", rclone.PathOf(folder));
        if (result.ExitCode == 0 || RcloneCommand.IsMissing(result.Errors))
        {
            return;
        }

        // Remotes differ in what they say of a folder that is not there: what counts is that nothing is in it.
        await foreach (RcloneItem _ in listing.ItemsAsync(folder, [], cancel))
        {
            throw rclone.Failure("purge", result.Errors);
        }
    }

    /// <inheritdoc/>
    public async Task<int> SweepAsync(DateTimeOffset olderThan, CancellationToken cancel)
    {
        RcloneRemote remote = await listing.KnownAsync(cancel);
        if (remote.Features.BucketBased)
        {
            await SweepUploadsAsync(remote, olderThan, cancel);
            return 0;
        }

        List<RcloneItem> everything = [];
        try
        {
            await foreach (RcloneItem item in listing.ItemsAsync("", [], cancel))
            {
                everything.Add(item);
            }
        }
        catch (PgBackupException e) when (e.InnerException is DirectoryNotFoundException)
        {
            return 0; // nothing was ever stored there
        }

        int removed = 0;
        HashSet<string> filled =
        [
            .. everything.Where(static i => i.Path.Contains('/', StringComparison.Ordinal)).Select(static i => i.Path.Split('/')[0]),
        ];
        foreach (RcloneItem item in everything.Where(i => i.ModTime < olderThan))
        {
            string name = item.Path[(item.Path.LastIndexOf('/') + 1)..];
            if (!item.IsDir && name.StartsWith('.') && name.EndsWith(PartialSuffix, StringComparison.Ordinal))
            {
                await DeleteAsync(item.Path, cancel);
                removed++;
            }
            else if (item.IsDir && !item.Path.Contains('/', StringComparison.Ordinal) && !filled.Contains(item.Path))
            {
                // It refuses one that was filled since.
                ToolResult result = await rclone.RunAsync(null, cancel, "rmdir", "--", rclone.PathOf(item.Path));
                removed += result.ExitCode == 0 ? 1 : 0;
            }
        }

        return removed;
    }

    /// <inheritdoc/>
    /// <remarks>A lease among objects: see <see cref="RcloneLock"/>.</remarks>
    public async Task<IStoreLock> LockAsync(string holder, CancellationToken cancel) =>
        await RcloneLock.TakeAsync(this, holder, clock, cancel);

    /// <summary>The objects of one folder, hidden ones included.</summary>
    internal async IAsyncEnumerable<StoredObject> ListHiddenAsync(string folder, [EnumeratorCancellation] CancellationToken cancel)
    {
        await foreach (RcloneItem item in listing.ItemsAsync(folder, ["--files-only"], cancel))
        {
            yield return Describe(folder, item);
        }
    }

    private static StoredObject Describe(string folder, RcloneItem item) =>
        new()
        {
            Key = folder.Length == 0 ? item.Path : $"{folder}/{item.Path}",
            Size = item.Size,
            Modified = item.ModTime.ToUniversalTime(),
        };

    private static string PartialOf(string key)
    {
        string name = RcloneListing.NameOf(key);
        string partial = name.Length > 150 ? $".{Guid.NewGuid():N}{PartialSuffix}" : $".{name}{PartialSuffix}";
        return RcloneListing.FolderOf(key) is { Length: > 0 } folder ? $"{folder}/{partial}" : partial;
    }

    private async Task<bool> IsMissingAsync(string key, CancellationToken cancel) => await listing.StatAsync(key, null, cancel) is null;

    // Not every remote of buckets has an option not to make a missing one.
    private async Task SeeRootAsync(RcloneRemote remote, CancellationToken cancel)
    {
        if (!rootSeen && (remote.Features.BucketBased || MustExist))
        {
            await foreach (RcloneItem _ in listing.ItemsAsync("", ["--files-only", "--max-depth", "1"], cancel))
            {
                break;
            }

            rootSeen = true;
        }
    }

    private async Task<Sent> SendSmallAsync(string key, ReadOnlyMemory<byte> content, RcloneRemote remote, CancellationToken cancel)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return await SendAsync(key, content, null, remote, cancel);
            }
            catch (PgBackupException e) when (e.IsTransient)
            {
                if (!await rclone.MayTryAgainAsync(attempt, isTransient: true, cancel))
                {
                    throw;
                }
            }
        }
    }

    private async Task<Sent> SendAsync(string key, ReadOnlyMemory<byte> head, Stream? rest, RcloneRemote remote, CancellationToken cancel)
    {
        (string rcloneName, HashAlgorithmName here) = Digests.FirstOrDefault(d =>
            remote.Hashes?.Contains(d.Rclone, StringComparer.OrdinalIgnoreCase) == true
        );
        string[] size = rest is null ? ["--size", head.Length.ToString(CultureInfo.InvariantCulture)] : [];
        var source = new SentStream(head, rest, rcloneName is null or "sha256" ? null : here);
        string[] arguments = ["rcat", .. size, "--", rclone.PathOf(key)];
        await using var run = ToolStream.Through(rest is null ? rclone.Start(arguments) : rclone.StartPatient(arguments), source, cancel);
        try
        {
            await run.CopyToAsync(Stream.Null, cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ToolFailed && !source.HasFailed)
        {
            throw rclone.Failure("rcat", run.Errors, e);
        }

        (string sha256, string digest) = source.Digests();
        return new Sent(source.Size, sha256, rcloneName, digest);
    }

    private async Task VerifyAsync(string upload, string key, Sent sent, CancellationToken cancel)
    {
        RcloneItem? stored = await listing.StatAsync(upload, sent.DigestName, cancel);
        string? wrong = null;
        if (stored is null)
        {
            wrong = "nothing";
        }
        else if (stored.Size >= 0 && stored.Size != sent.Size)
        {
            wrong = string.Create(CultureInfo.InvariantCulture, $"{stored.Size} bytes instead of {sent.Size}");
        }
        else if (stored.Hashes?.FirstOrDefault(h => Same(h.Key, sent.DigestName)).Value is { Length: > 0 } told)
        {
            wrong = told.Equals(sent.Digest, StringComparison.OrdinalIgnoreCase)
                ? null
                : $"other bytes ({sent.DigestName} {told} instead of {sent.Digest})";
        }
        else
        {
            wrong =
                await ReadBackAsync(upload, cancel) is var (size, sha256) && (size, sha256) == (sent.Size, sent.Sha256)
                    ? null
                    : "other bytes";
        }

        if (wrong is not null)
        {
            await RemoveQuietlyAsync(upload);
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the store {Name} ({Location}) holds something else than was sent as {key}: {wrong}. It was removed.",
                "Take the backup again. If it happens again, the remote, or something between it and here, damages data: do not rely on it."
            );
        }
    }

    private static bool Same(string name, string? other) =>
        name.Replace("-", "", StringComparison.Ordinal).Equals(other, StringComparison.OrdinalIgnoreCase);

    private async Task<(long Size, string Sha256)> ReadBackAsync(string key, CancellationToken cancel)
    {
        await using var stored = new HashingStream(await this.OpenAsync(key, cancel));
        await stored.CopyToAsync(Stream.Null, cancel);
        return (stored.BytesRead, stored.Sha256);
    }

    private async Task MoveAsync(string upload, string key, Sent sent, CancellationToken cancel)
    {
        // Without --ignore-times an object of the same size and second, or on WebDAV of the same size, is left as it was.
        ToolResult result = await rclone.RunAsync(
            null,
            cancel,
            "moveto",
            "--ignore-times",
            "--",
            rclone.PathOf(upload),
            rclone.PathOf(key)
        );
        if (result.ExitCode != 0)
        {
            throw rclone.Failure("moveto", result.Errors);
        }

        RcloneItem? moved = await listing.StatAsync(key, null, cancel);
        if (moved is null || (moved.Size >= 0 && moved.Size != sent.Size))
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"the store {Name} ({Location}) did not move an object to {key}, although rclone reported success.",
                "Look at that folder with `rclone lsl`, and take the backup again."
            );
        }
    }

    // In S3 and B2 an upload that was never finished costs money and is in no listing. rclone removes those of the whole bucket, so
    // that other people's below another prefix are given a week.
    private async Task SweepUploadsAsync(RcloneRemote remote, DateTimeOffset olderThan, CancellationToken cancel)
    {
        TimeSpan age = clock.GetUtcNow() - olderThan;
        TimeSpan least = remote.Root.Contains('/', StringComparison.Ordinal) ? TimeSpan.FromDays(7) : TimeSpan.Zero;
        string maxAge = string.Create(
            CultureInfo.InvariantCulture,
            $"{Math.Max(0, (long)Math.Max(age.TotalSeconds, least.TotalSeconds))}s"
        );
        ToolResult result = await rclone.RunAsync(null, cancel, "backend", "cleanup", "-o", $"max-age={maxAge}", "--", rclone.PathOf(""));
        if (result.ExitCode != 0 && RcloneCommand.IsTransient(result.Errors))
        {
            throw rclone.Failure("backend cleanup", result.Errors);
        }

        // Whatever else it says: this remote has no such thing, or we may not do it, and nothing depends on it.
    }

    private async Task RemoveQuietlyAsync(string key)
    {
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1), clock);
            await rclone.RunAsync(null, limit.Token, "deletefile", "--", rclone.PathOf(key));
        }
        catch (Exception e) when (e is PgBackupException or OperationCanceledException or IOException)
        {
            // The first error is the one to report; a sweep removes this rest.
        }
    }

    // What was sent: its size, its SHA-256, and the digest that the remote may report, by rclone's name for it.
    private readonly record struct Sent(long Size, string Sha256, string? DigestName, string Digest);
}
