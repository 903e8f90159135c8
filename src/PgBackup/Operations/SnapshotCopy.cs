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

    /// <summary>Copies what is missing of a snapshot.</summary>
    /// <param name="entry">The snapshot in the source.</param>
    /// <param name="lockedUntil">For stores with object lock.</param>
    /// <param name="held">The target's lock.</param>
    /// <param name="cancel">Gives up; what was copied whole stays, marked, and is gone on with.</param>
    /// <exception cref="PgBackupException">Of either store; <see cref="ErrorCode.ObjectDamaged"/> where the source is damaged.</exception>
    public async Task RunAsync(CatalogEntry entry, DateTimeOffset? lockedUntil, IStoreLock held, CancellationToken cancel)
    {
        byte[] json = await source.ReadManifestBytesAsync(entry, cancel);
        Manifest manifest = Catalog.ParseManifest(entry.Id, json);
        CatalogEntry there = await target.ReadEntryAsync(entry.Id, cancel);
        await MarkAsync(entry.Id, there, cancel);
        foreach (Part part in manifest.Parts.Where(p => there.Objects.GetValueOrDefault(p.Object, -1) != p.Size))
        {
            await CopyPartAsync(entry.Id, part, lockedUntil, cancel);
        }

        HashSet<string> rest = [.. entry.Objects.Keys, SnapshotLayout.Sums, SnapshotLayout.Guide];
        rest.ExceptWith([SnapshotLayout.Manifest, SnapshotLayout.InProgress, .. manifest.Parts.Select(static p => p.Object)]);
        foreach (string name in rest.Where(entry.Objects.ContainsKey))
        {
            await RetryAsync(() => CopySmallAsync(SnapshotLayout.Key(entry.Id, name), name == SnapshotLayout.Pinned ? null : lockedUntil, cancel), cancel);
        }

        CatalogEntry stored = await target.ReadEntryAsync(entry.Id, cancel);
        List<string> missing = [.. manifest.Parts.Where(p => stored.Objects.GetValueOrDefault(p.Object, -1) != p.Size).Select(static p => p.Object)];
        if (missing.Count > 0)
        {
            throw new PgBackupException(
                ErrorCode.StoreUnavailable,
                $"objects that were copied to {to.Name} ({to.Location}) a moment ago are not there any more: {string.Join(", ", missing)}.",
                "Something else removes objects in that store: keep it out of there.");
        }

        held.RequireHeld();
        await RetryAsync(() => PutAsync(SnapshotLayout.Key(entry.Id, SnapshotLayout.Manifest), json, lockedUntil, cancel), cancel);
        await to.DeleteAsync(SnapshotLayout.Key(entry.Id, SnapshotLayout.InProgress), cancel);
    }

    /// <summary>Copies one part ahead of its manifest.</summary>
    public async Task RunAheadAsync(SnapshotId id, Part part, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        await MarkAsync(id, await target.ReadEntryAsync(id, cancel), cancel);
        await CopyPartAsync(id, part, lockedUntil, cancel);
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
                    await to.PutAsync(key, content, lockedUntil, cancel);
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

    private async Task CopySmallAsync(string key, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        await using Stream content = await from.OpenAsync(key, cancel);
        await to.PutAsync(key, content, lockedUntil, cancel);
    }

    private async Task MarkAsync(SnapshotId id, CatalogEntry there, CancellationToken cancel)
    {
        if (!there.Objects.ContainsKey(SnapshotLayout.InProgress))
        {
            await PutAsync(SnapshotLayout.Key(id, SnapshotLayout.InProgress), "being copied\n"u8.ToArray(), null, cancel);
        }
    }

    private async Task PutAsync(string key, byte[] bytes, DateTimeOffset? lockedUntil, CancellationToken cancel)
    {
        using var content = new MemoryStream(bytes);
        await to.PutAsync(key, content, lockedUntil, cancel);
    }

    // The stores have tried single requests again already; here it is whole objects, whose source had to be read again.
    private async Task RetryAsync(Func<Task> copy, CancellationToken cancel)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await copy();
                return;
            }
            catch (PgBackupException e) when (e.IsTransient && attempt < Attempts)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(500, 2000) << attempt), clock, cancel);
            }
        }
    }
}
