using System.Security.Cryptography;
using System.Text;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Streams;

namespace PgBackup.Operations.Replicate;

/// <summary>
/// Copies snapshots from one store into another, as they are: ciphertext is never opened. Each part is compared with the manifest on its
/// way, and nothing that differs appears. The manifest comes last, so that a snapshot exists in the other store when all of it does; what
/// an interrupted copy left is reused.
/// </summary>
internal sealed class SnapshotCopy(IObjectStore from, IObjectStore to, TimeProvider clock, Progress progress)
{
    private const int Attempts = 3;

    // SHA256SUMS of a thousand databases has some 300 KB.
    private const int LargestText = 16 << 20;

    private readonly Catalog source = new(from, clock);
    private readonly Catalog target = new(to, clock);
    private SnapshotId? begun;

    private static ReadOnlySpan<byte> CopyMark => "being copied\n"u8;

    /// <summary>Copies what is missing of a snapshot.</summary>
    /// <param name="id">The snapshot in the source.</param>
    /// <param name="lockedUntil">For stores with object lock.</param>
    /// <param name="held">The target's lock.</param>
    /// <param name="cancel">Gives up; what was copied whole stays, marked; the next copy resumes.</param>
    /// <exception cref="PgBackupException">Of either store; <see cref="ErrorCode.ObjectDamaged"/> where the source is damaged.</exception>
    public async Task RunAsync(SnapshotId id, DateTimeOffset? lockedUntil, IStoreLock held, CancellationToken cancel)
    {
        CatalogEntry entry = await RetryAsync(() => source.ReadEntryAsync(id, cancel), cancel);
        (byte[] json, Manifest manifest) = await RetryAsync(() => source.ReadSealedAsync(entry, cancel), cancel);
        CatalogEntry there = await BeginAsync(id, cancel);
        bool lost = IsWithoutMark(there);
        foreach (Part part in manifest.Parts)
        {
            // What a copy left is whole or absent. What lies in a folder that lost its manifest was left by nobody knows whom.
            if (there.Objects.GetValueOrDefault(part.Object, -1) != part.Size || (lost && await ReadAsync(id, part, cancel) is not null))
            {
                await CopyPartAsync(id, part, lockedUntil, cancel);
            }
        }

        HashSet<string> parts = [.. manifest.Parts.Select(static p => p.Object)];
        foreach (
            string name in entry.Objects.Keys.Where(n =>
                n is not (SnapshotLayout.Manifest or SnapshotLayout.InProgress) && !parts.Contains(n)
            )
        )
        {
            await RetryAsync(() => CopySmallAsync(manifest, id, name, lockedUntil, cancel), cancel);
        }

        if (!manifest.IsComplete && !entry.Objects.ContainsKey(SnapshotLayout.Incomplete))
        {
            await RetryAsync(
                () => PutAsync(id, SnapshotLayout.Incomplete, Encoding.UTF8.GetBytes(manifest.Gaps), lockedUntil, cancel),
                cancel
            );
        }

        if (manifest.HasLoss && !entry.Objects.ContainsKey(SnapshotLayout.Loss))
        {
            await RetryAsync(
                () => PutAsync(id, SnapshotLayout.Loss, Encoding.UTF8.GetBytes(manifest.LossText), lockedUntil, cancel),
                cancel
            );
        }

        CatalogEntry stored = await RetryAsync(() => target.ReadEntryAsync(id, cancel), cancel);
        IReadOnlyList<string> missing = stored.Missing(manifest);
        if (missing.Count > 0)
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"objects that were copied to {to.Name} ({to.Location}) a moment ago are not there any more: {string.Join(", ", missing)}.",
                "Something else removes objects in that store: keep it out of there."
            );
        }

        await RetryAsync(
            () =>
            {
                held.RequireHeld(); // each time: the pause before may have been a long one
                return PutAsync(id, SnapshotLayout.Manifest, json, lockedUntil, cancel);
            },
            cancel
        );
        await UnmarkAsync(id, cancel);
    }

    /// <summary>Copies one part of a snapshot that is being taken, ahead of its manifest.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.StoreUnavailable"/> also when the target has something under this id before anything was copied.
    /// </exception>
    public async Task RunAheadAsync(SnapshotId id, Part part, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        if (begun != id)
        {
            // Never into somebody else's snapshot, nor into the source itself under another name.
            CatalogEntry there = await RetryAsync(() => target.ReadEntryAsync(id, cancel), cancel);
            if (there.Objects.Count > 0 && !await IsOurCopyAsync(id, there, cancel))
            {
                throw new PgBackupException(
                    ErrorCode.StoreUnavailable,
                    $"the store {to.Name} ({to.Location}) has something under {id} already, before anything was copied: it is the "
                        + $"same place as {from.Name}, or another run has made a snapshot in the same second.",
                    "Give each store a place of its own, and each config its own stores; nothing was changed there."
                );
            }

            begun = id;
        }

        await BeginAsync(id, cancel);
        await CopyPartAsync(id, part, lockedUntil, cancel);
    }

    private async Task<bool> IsOurCopyAsync(SnapshotId id, CatalogEntry there, CancellationToken cancel)
    {
        if (there.HasManifest)
        {
            CatalogEntry original = await source.ReadEntryAsync(id, cancel);
            if (!original.HasManifest)
            {
                return false;
            }

            byte[] ours = await source.ReadManifestBytesAsync(original, cancel);
            byte[] theirs = await target.ReadManifestBytesAsync(there, cancel);
            return theirs.AsSpan().SequenceEqual(ours);
        }

        if (!there.Objects.ContainsKey(SnapshotLayout.InProgress))
        {
            return false;
        }

        await using Stream mark = await to.OpenAsync(SnapshotLayout.Key(id, SnapshotLayout.InProgress), cancel);
        byte[] text = new byte[CopyMark.Length + 1];
        int length = await mark.ReadAtLeastAsync(text, text.Length, throwOnEndOfStream: false, cancel);
        return text.AsSpan(0, length).SequenceEqual(CopyMark);
    }

    // A snapshot that lost its manifest. A mark would make it the rest of a killed run, which the next one removes; it may hold the last
    // good parts.
    private static bool IsWithoutMark(CatalogEntry there) =>
        !there.HasManifest && there.Objects.Count > 0 && !there.Objects.ContainsKey(SnapshotLayout.InProgress);

    private async Task<string?> ReadAsync(SnapshotId id, Part part, CancellationToken cancel)
    {
        PartProgress display = progress.Add($"{to.Name}: {part.Name}", part.Size);
        display.State = PartState.Checking;
        try
        {
            return await new StoredPart(to, id, part).ReadThroughAsync(display, cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ObjectDamaged)
        {
            return e.Message;
        }
    }

    // What is there, with the mark that says that it is not all.
    private async Task<CatalogEntry> BeginAsync(SnapshotId id, CancellationToken cancel)
    {
        CatalogEntry there = await RetryAsync(() => target.ReadEntryAsync(id, cancel), cancel);
        if (!there.Objects.ContainsKey(SnapshotLayout.InProgress) && !IsWithoutMark(there))
        {
            await RetryAsync(() => PutAsync(id, SnapshotLayout.InProgress, CopyMark.ToArray(), null, cancel), cancel);
        }

        return there;
    }

    private async Task CopyPartAsync(SnapshotId id, Part part, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        string key = SnapshotLayout.Key(id, part.Object);
        PartProgress display = progress.Add($"{to.Name}: {part.Name}", part.Size);
        display.State = PartState.Copying;
        try
        {
            await RetryAsync(
                async () =>
                {
                    await using var content = new ExpectedStream(
                        await from.OpenAsync(key, cancel),
                        part.Size,
                        part.Sha256,
                        $"{key} in the store {from.Name}"
                    );
                    display.Follow(() => content.BytesRead);
                    return await to.PutAsync(key, content, lockedUntil, cancel);
                },
                cancel
            );
            display.State = PartState.Done;
        }
        catch
        {
            display.State = PartState.Failed;
            throw;
        }
    }

    private async Task<long> CopySmallAsync(
        Manifest manifest,
        SnapshotId id,
        string name,
        DateTimeOffset? lockedUntil,
        CancellationToken cancel
    )
    {
        string key = SnapshotLayout.Key(id, name);
        bool pin = name == SnapshotLayout.Pinned;
        string? right = manifest.DigestOf(name);
        byte[] text;
        try
        {
            await using Stream? content = await from.TryOpenAsync(key, cancel);
            if (content is null && pin)
            {
                return 0; // unpinned a moment ago
            }

            text = await ReadTextAsync(content, key, right, cancel);
        }
        catch (PgBackupException e)
            when (e.Code is ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable && !e.IsTransient && !cancel.IsCancellationRequested)
        {
            return right is null
                ? await PutMarkAsync(manifest, id, name, e, pin ? null : lockedUntil, cancel)
                : await PutAnewAsync(manifest, id, name, right, e, lockedUntil, cancel);
        }

        return await PutAsync(id, name, text, pin ? null : lockedUntil, cancel);
    }

    // To its end, before anything of it is written: an error is then the source's for certain.
    private async Task<byte[]> ReadTextAsync(Stream? content, string key, string? right, CancellationToken cancel)
    {
        string what = $"{key} in the store {from.Name}";
        if (content is null)
        {
            throw new PgBackupException(ErrorCode.ObjectDamaged, $"{what} is not there any more.");
        }

        await using Stream whole = right is null ? content : new ExpectedStream(content, null, right, what);
        return await whole.ReadBytesAsync(LargestText, what, cancel);
    }

    // A mark counts by its name; one whose text cannot be read does not stop the other copies. What is not ours is left out then.
    private async Task<long> PutMarkAsync(
        Manifest manifest,
        SnapshotId id,
        string name,
        PgBackupException damage,
        DateTimeOffset? lockedUntil,
        CancellationToken cancel
    )
    {
        progress.Warn(
            to.Name,
            $"{SnapshotLayout.Key(id, name)} cannot be read in {from.Name}, and is copied without its text or not at all: {damage.Message}",
            damage.Code
        );
        string? text = name switch
        {
            SnapshotLayout.Incomplete => manifest.Gaps,
            SnapshotLayout.Loss => manifest.LossText,
            SnapshotLayout.Confirmed => "who confirmed it could not be read when it was copied\n",
            SnapshotLayout.Pinned => "the reason could not be read when it was copied\n",
            _ => null,
        };
        return text is null ? 0 : await PutAsync(id, name, Encoding.UTF8.GetBytes(text), lockedUntil, cancel);
    }

    // A damaged text is not copied, and keeps nothing else from being copied: it can be written from the manifest, as this version writes
    // it.
    private async Task<long> PutAnewAsync(
        Manifest manifest,
        SnapshotId id,
        string name,
        string right,
        PgBackupException damage,
        DateTimeOffset? lockedUntil,
        CancellationToken cancel
    )
    {
        byte[] text = Encoding.UTF8.GetBytes(name == SnapshotLayout.Sums ? manifest.Sums : RestoreGuide.Write(manifest));
        bool same = ManifestSum.Digest(text) == right;
        progress.Warn(to.Name, $"{id}/{name} was {(same ? "rewritten from the manifest" : "left out")}: {damage.Message}", damage.Code);
        return same ? await PutAsync(id, name, text, lockedUntil, cancel) : 0;
    }

    private async Task UnmarkAsync(SnapshotId id, CancellationToken cancel)
    {
        try
        {
            await RetryAsync(
                async () =>
                {
                    await to.DeleteAsync(SnapshotLayout.Key(id, SnapshotLayout.InProgress), cancel);
                    return true;
                },
                cancel
            );
        }
        catch (PgBackupException e)
        {
            progress.Warn(
                to.Name,
                $"{id} is whole, and the mark of its copying could not be removed ({e.Message}); the next run does it",
                e.Code
            );
        }
    }

    private async Task<long> PutAsync(SnapshotId id, string name, byte[] bytes, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        using var content = new MemoryStream(bytes);
        return await to.PutAsync(SnapshotLayout.Key(id, name), content, lockedUntil, cancel);
    }

    // The stores have tried single requests again already; here it is whole objects, whose source had to be read again.
    private async Task<T> RetryAsync<T>(Func<Task<T>> step, CancellationToken cancel)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await step();
            }
            catch (PgBackupException e) when (e.IsTransient && attempt < Attempts)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(500, 2000) << attempt), clock, cancel);
            }
        }
    }
}
