using System.Security.Cryptography;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations;

/// <summary>
/// Copies snapshots from one store into another, as they are: ciphertext is never opened. Each part is compared with the manifest on its
/// way, and nothing that differs appears. The manifest comes last, so that a snapshot exists in the other store when all of it does; what
/// an interrupted copy left is gone on with.
/// </summary>
internal sealed class SnapshotCopy(IObjectStore from, IObjectStore to, TimeProvider clock, Progress progress)
{
    private const int Attempts = 3;

    private readonly Catalog source = new(from);
    private readonly Catalog target = new(to);
    private SnapshotId? begun;

    private static ReadOnlySpan<byte> CopyMark => "being copied\n"u8;

    /// <summary>Copies what is missing of a snapshot.</summary>
    /// <param name="id">The snapshot in the source.</param>
    /// <param name="lockedUntil">For stores with object lock.</param>
    /// <param name="held">The target's lock.</param>
    /// <param name="cancel">Gives up; what was copied whole stays, marked, and is gone on with.</param>
    /// <exception cref="PgBackupException">Of either store; <see cref="ErrorCode.ObjectDamaged"/> where the source is damaged.</exception>
    public async Task RunAsync(SnapshotId id, DateTimeOffset? lockedUntil, IStoreLock held, CancellationToken cancel)
    {
        CatalogEntry entry = await RetryAsync(() => source.ReadEntryAsync(id, cancel), cancel);
        byte[] json = await RetryAsync(() => source.ReadManifestBytesAsync(entry, cancel), cancel);
        Manifest manifest = Catalog.ParseManifest(id, json);
        CatalogEntry there = await BeginAsync(id, cancel);
        foreach (Part part in manifest.Parts.Where(p => there.Objects.GetValueOrDefault(p.Object, -1) != p.Size))
        {
            await CopyPartAsync(id, part, lockedUntil, cancel);
        }

        HashSet<string> parts = [.. manifest.Parts.Select(static p => p.Object)];
        foreach (string name in entry.Objects.Keys.Where(n => n is not (SnapshotLayout.Manifest or SnapshotLayout.InProgress) && !parts.Contains(n)))
        {
            await RetryAsync(() => CopySmallAsync(id, name, lockedUntil, cancel), cancel);
        }

        if (!manifest.IsComplete && !entry.Objects.ContainsKey(SnapshotLayout.Incomplete))
        {
            await RetryAsync(() => PutAsync(id, SnapshotLayout.Incomplete, "incomplete, as its manifest says\n"u8.ToArray(), lockedUntil, cancel), cancel);
        }

        CatalogEntry stored = await RetryAsync(() => target.ReadEntryAsync(id, cancel), cancel);
        List<string> missing = [.. manifest.Parts.Where(p => stored.Objects.GetValueOrDefault(p.Object, -1) != p.Size).Select(static p => p.Object)];
        if (missing.Count > 0)
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"objects that were copied to {to.Name} ({to.Location}) a moment ago are not there any more: {string.Join(", ", missing)}.",
                "Something else removes objects in that store: keep it out of there.");
        }

        await RetryAsync(
            () =>
            {
                held.RequireHeld(); // each time: the pause before may have been a long one
                return PutAsync(id, SnapshotLayout.Manifest, json, lockedUntil, cancel);
            },
            cancel);
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
                    $"the store {to.Name} ({to.Location}) has something under {id} already, before anything was copied: it is the same place as {from.Name}, or another run has made a snapshot in the same second.",
                    "Give each store a place of its own, and each config its own stores; nothing was changed there.");
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
        using var text = new MemoryStream();
        await mark.CopyToAsync(text, cancel);
        return text.ToArray().AsSpan().SequenceEqual(CopyMark);
    }

    // What is there, with the mark that says that it is not all.
    private async Task<CatalogEntry> BeginAsync(SnapshotId id, CancellationToken cancel)
    {
        CatalogEntry there = await RetryAsync(() => target.ReadEntryAsync(id, cancel), cancel);
        if (!there.Objects.ContainsKey(SnapshotLayout.InProgress))
        {
            await RetryAsync(() => PutAsync(id, SnapshotLayout.InProgress, CopyMark.ToArray(), null, cancel), cancel);
        }

        return there;
    }

    private async Task CopyPartAsync(SnapshotId id, Part part, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        string key = SnapshotLayout.Key(id, part.Object);
        PartProgress display = progress.Add($"{to.Name}: {part.Database ?? part.Kind}", part.Size);
        display.State = "copying";
        try
        {
            await RetryAsync(
                async () =>
                {
                    await using var content = new ExpectedStream(await from.OpenAsync(key, cancel), part.Size, part.Sha256, $"{key} in the store {from.Name}");
                    display.Follow(() => content.BytesRead);
                    return await to.PutAsync(key, content, lockedUntil, cancel);
                },
                cancel);
            display.State = "done";
        }
        catch
        {
            display.State = "failed";
            throw;
        }
    }

    private async Task<long> CopySmallAsync(SnapshotId id, string name, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        string key = SnapshotLayout.Key(id, name);
        bool pin = name == SnapshotLayout.Pinned;
        if (pin && await from.FindAsync(key, cancel) is null)
        {
            return 0; // unpinned a moment ago
        }

        await using Stream content = await from.OpenAsync(key, cancel);
        return await to.PutAsync(key, content, pin ? null : lockedUntil, cancel);
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
                cancel);
        }
        catch (PgBackupException e)
        {
            progress.Log($"{to.Name}: {id} is whole, and the mark of its copying could not be removed ({e.Message}); the next run does it");
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
