using System.Collections.Concurrent;
using PgBackup.Encryption;
using PgBackup.Operations.Keys;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Streams;

namespace PgBackup.Operations.Check;

/// <summary>
/// Compares what a store holds with its manifests: presence and sizes; on demand every byte; with an identity also the decrypted
/// content, down to the proof.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="cipherFor">The cipher for a snapshot.</param>
/// <param name="toolsFor">Tools that can read an archive of this major version.</param>
/// <param name="progress">For a display.</param>
public sealed class CheckOperation(
    IObjectStore store, Func<Manifest, ICipher> cipherFor, Func<int, CancellationToken, Task<PostgresTools>> toolsFor, Progress progress)
{
    // Newer than the latest one, and incomplete by their names, of which the manifests are read.
    private const int MostHidden = 30;

    private readonly Catalog catalog = new(store);

    // For each set of recipients of what was checked, a manifest without its parts.
    private readonly Dictionary<string, Manifest> seen = new(StringComparer.Ordinal);

    /// <summary>Remembers what was read, and knows what was read before; or null.</summary>
    public CheckJournal? Journal { get; init; }

    /// <summary>How many objects are read at the same time.</summary>
    public int AtOnce { get; init; } = Math.Clamp(Environment.ProcessorCount, 2, 8);

    /// <summary>Checks one snapshot (an id or <c>latest</c>), or with null all of them. Nothing is thrown for damage: it is in the report.</summary>
    /// <param name="idOrLatest">Which.</param>
    /// <param name="depth">How deep to look.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.IdentityUnusable"/> when decoding was demanded and the key is wrong; <see cref="ErrorCode.SnapshotMissing"/>.
    /// </exception>
    public async Task<IReadOnlyList<SnapshotCheck>> RunAsync(string? idOrLatest, CheckDepth depth, CancellationToken cancel)
    {
        List<CatalogEntry> entries = [];
        if (idOrLatest is null or "latest")
        {
            entries.AddRange((await catalog.ListAsync(cancel)).Where(static e => !e.IsLeftover));
        }

        if (idOrLatest == "latest")
        {
            entries = await LatestAsync(entries, cancel);
        }
        else if (idOrLatest is not null)
        {
            SnapshotId? named = SnapshotId.TryParse(idOrLatest);
            CatalogEntry? entry = named is { } given ? await catalog.ReadEntryAsync(given, cancel) : null;
            // A damaged manifest is a finding; an id that is not there at all is a mistake, which FindAsync explains.
            entries.Add(entry is { IsLeftover: false } ? entry : await catalog.ReadEntryAsync((await catalog.FindAsync(idOrLatest, cancel)).Id, cancel));
        }

        List<SnapshotCheck> checkedOnes = [];
        foreach (CatalogEntry entry in entries)
        {
            checkedOnes.Add(await CheckAsync(entry, depth, cancel));
        }

        return checkedOnes;
    }

    // By its names: the newest one whose manifest is damaged or gone is a finding, and no reason to look at an older one. A mark that the
    // manifest contradicts hides a newer one from `latest`: that is a finding too.
    private async Task<List<CatalogEntry>> LatestAsync(List<CatalogEntry> entries, CancellationToken cancel)
    {
        int latest = entries.FindLastIndex(static e => !e.Objects.ContainsKey(SnapshotLayout.Incomplete));
        List<CatalogEntry> hidden = [];
        foreach (CatalogEntry newer in entries.Skip(latest + 1).Reverse().Take(MostHidden).Reverse())
        {
            if ((await catalog.TryReadManifestAsync(newer, cancel)).Manifest is { IsComplete: true })
            {
                hidden.Add(newer);
            }
        }

        CatalogEntry? found = latest >= 0 ? entries[latest] : hidden.Count > 0 ? null
            : await catalog.ReadEntryAsync((await catalog.LatestAsync(cancel)).Id, cancel);
        return found is null ? hidden : [found, .. hidden];
    }

    private async Task<SnapshotCheck> CheckAsync(CatalogEntry entry, CheckDepth depth, CancellationToken cancel)
    {
        ConcurrentBag<ObjectProblem> problems = [];
        (Manifest? read, PgBackupException? error, string? digest) = await ReadManifestAsync(entry, cancel);
        ObjectProblem? unsealed = digest is null ? null : await SealProblemAsync(entry, read!, digest, cancel);
        if (read is not { } manifest)
        {
            problems.Add(new ObjectProblem { Object = SnapshotLayout.Manifest, Problem = error?.Message ?? entry.Unreadable ?? "it has no manifest" });
            return new SnapshotCheck { Store = store.Name, Id = entry.Id.ToString(), Problems = [.. problems], BytesRead = 0, Decoded = false, IsComplete = false, IsOfNewerVersion = error is { Code: ErrorCode.ManifestTooNew } };
        }

        if (manifest.Recipients.Count > 0)
        {
            // Of an earlier version only where there is no other: what it wrote beside the canary it does not tell.
            string canary = KeysFolder.CanaryName(manifest.Recipients, manifest.Encryption);
            if (manifest.GuideSha256 is not null || !seen.ContainsKey(canary))
            {
                seen[canary] = manifest with { Parts = [] };
            }
        }

        foreach (string name in SnapshotLayout.Texts)
        {
            if (!entry.Objects.ContainsKey(name))
            {
                problems.Add(new ObjectProblem { Object = name, Problem = "it is missing (the dumps can be restored without it)" });
            }
        }

        if (unsealed is not null)
        {
            problems.Add(unsealed);
        }

        foreach (string name in SnapshotLayout.Texts.Where(name => depth != CheckDepth.Present && entry.Objects.ContainsKey(name)))
        {
            if (manifest.DigestOf(name) is { } right && await TextProblemAsync(entry, name, right, cancel) is { } differs)
            {
                problems.Add(new ObjectProblem { Object = name, Problem = differs });
            }
        }

        MarksCheck marks = await MarksCheck.OfAsync(catalog, entry, manifest, depth, cancel);
        foreach (ObjectProblem wrong in marks.Problems)
        {
            problems.Add(wrong);
        }

        ICipher cipher = cipherFor(manifest);
        bool decode = depth == CheckDepth.Decode || (depth == CheckDepth.ReadData && await HasIdentityAsync(cipher, cancel));
        long bytes = 0;
        int decoded = 0;
        try
        {
            await Parallel.ForEachAsync(
                manifest.Parts.OrderByDescending(static p => p.Size),
                new ParallelOptions { MaxDegreeOfParallelism = depth == CheckDepth.Present ? 1 : AtOnce, CancellationToken = cancel },
                async (part, c) =>
                {
                    PartCheck found = await CheckPartAsync(entry, manifest, part, cipher, depth, decode, c);
                    Interlocked.Add(ref bytes, found.BytesRead);
                    Interlocked.Add(ref decoded, found.Decoded ? 1 : 0);
                    if (found.Problem is not null)
                    {
                        problems.Add(new ObjectProblem { Object = part.Object, Problem = found.Problem });
                    }
                });
        }
        finally
        {
            if (cipher is IAsyncDisposable disposable)
            {
                await disposable.DisposeAsync();
            }
        }

        return new SnapshotCheck
        {
            Store = store.Name,
            Id = entry.Id.ToString(),
            Problems = [.. problems.OrderBy(static p => p.Object, StringComparer.Ordinal)],
            BytesRead = bytes,
            Decoded = decoded == manifest.Parts.Count && decoded > 0,
            IsComplete = manifest.IsComplete,
            Notes = marks.Notes,
            Recipients = manifest.Recipients,
            ManifestSha256 = digest,
            IsSealed = unsealed is null && entry.Objects.ContainsKey(SnapshotLayout.ManifestSum),
        };
    }

    // A manifest on a bad sector is one finding of many; a store that is not there at all has failed before, when it was listed.
    private async Task<(Manifest? Manifest, PgBackupException? Error, string? Sha256)> ReadManifestAsync(CatalogEntry entry,
        CancellationToken cancel)
    {
        if (!entry.HasManifest)
        {
            return (null, null, null);
        }

        try
        {
            byte[] json = await catalog.ReadManifestBytesAsync(entry, cancel);
            return (Catalog.ParseManifest(entry.Id, json), null, ManifestSum.Digest(json));
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.ManifestUnreadable or ErrorCode.ManifestTooNew or ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable)
        {
            return (null, e, null);
        }
    }

    // Is the manifest the one whose digest was written beside it? Of two that differ, nobody can tell here which was changed; other
    // stores can. Snapshots of earlier versions have no such digest.
    private async Task<ObjectProblem?> SealProblemAsync(CatalogEntry entry, Manifest manifest, string digest, CancellationToken cancel)
    {
        byte[]? sum;
        try
        {
            sum = await catalog.ReadManifestSumAsync(entry, cancel);
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable)
        {
            return new ObjectProblem { Object = SnapshotLayout.ManifestSum, Problem = e.Message };
        }

        string? named = sum is null ? null : ManifestSum.Read(sum);
        return sum is null && manifest.GuideSha256 is null ? null
            : sum is null ? new ObjectProblem { Object = SnapshotLayout.ManifestSum, Problem = "it is missing, so that a changed manifest is not noticed" }
            : named is null ? new ObjectProblem { Object = SnapshotLayout.ManifestSum, Problem = "it is no digest of a manifest" }
            : named == digest ? null
            : new ObjectProblem { Object = SnapshotLayout.Manifest, Problem = $"its SHA-256 is not the one in {SnapshotLayout.ManifestSum}: one of the two was changed" };
    }

    private async Task<string?> TextProblemAsync(CatalogEntry entry, string name, string right, CancellationToken cancel)
    {
        try
        {
            await using var text = new ExpectedStream(await store.OpenAsync(SnapshotLayout.Key(entry.Id, name), cancel), null, right, "it");
            await text.CopyToAsync(Stream.Null, cancel);
            return null;
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable)
        {
            return e.Code == ErrorCode.ObjectDamaged
                ? "it is not the one that the manifest names by its SHA-256 (the dumps can be restored without it)" : e.Message;
        }
    }

    private async Task<PartCheck> CheckPartAsync(
        CatalogEntry entry, Manifest manifest, Part part, ICipher cipher, CheckDepth depth, bool decode, CancellationToken cancel)
    {
        var stored = new StoredPart(store, entry.Id, part);
        PartProgress display = progress.Add($"{store.Name} {entry.Id} {part.Database ?? part.Kind}", decode ? part.Proof.Bytes : part.Size);
        display.State = "checking";
        string? problem = stored.Compare(entry.Objects) ?? await EncryptionProblemAsync(manifest, stored, cancel);
        long bytes = 0;
        bool wasRead = depth != CheckDepth.Present && Journal?.Has(store.Name, stored.Key, part.Sha256, CheckDepth.ReadData) == true;
        bool decoded = wasRead && decode && Journal!.Has(store.Name, stored.Key, part.Sha256, CheckDepth.Decode);
        if (problem is null && depth != CheckDepth.Present && !wasRead)
        {
            problem = await ReadAsync(stored, display, cancel);
            bytes += part.Size;
            if (problem is null)
            {
                Journal?.Add(store.Name, stored.Key, part.Sha256, CheckDepth.ReadData);
            }
        }

        if (problem is null && decode && !decoded)
        {
            (problem, decoded) = await DecodeAsync(stored, cipher, depth, display, cancel);
            if (problem is null && decoded)
            {
                Journal?.Add(store.Name, stored.Key, part.Sha256, CheckDepth.Decode);
            }
        }

        display.State = problem is null ? "done" : "failed";
        return new PartCheck { Problem = problem, BytesRead = bytes, Decoded = decoded && problem is null };
    }

    /// <summary>Reads the canaries of the store too, after <see cref="RunAsync"/>.</summary>
    internal Task<IReadOnlyList<StoreProblem>> CheckCanariesAsync(CheckDepth depth, TimeProvider clock, CancellationToken cancel) =>
        new CanaryCheck(store, cipherFor, clock).RunAsync(seen.Values, depth, cancel);

    private async Task<string?> EncryptionProblemAsync(Manifest manifest, StoredPart stored, CancellationToken cancel) =>
        manifest.Encryption == NoCipher.Provider && (await store.FindAsync(stored.Key, cancel))?.ProviderEncryption is null
            ? "the store does not encrypt it, and nobody else did"
            : null;

    /// <summary>A private key is at hand.</summary>
    internal static async Task<bool> HasIdentityAsync(ICipher cipher, CancellationToken cancel)
    {
        try
        {
            return await cipher.HasIdentityAsync(cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ToolMissing)
        {
            return false; // without gpg on this host there is no key of it either
        }
    }

    private static async Task<string?> ReadAsync(StoredPart stored, PartProgress display, CancellationToken cancel)
    {
        try
        {
            return await stored.ReadThroughAsync(display, cancel);
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable)
        {
            return e.Message;
        }
    }

    private async Task<(string? Problem, bool Decoded)> DecodeAsync(
        StoredPart stored, ICipher cipher, CheckDepth depth, PartProgress display, CancellationToken cancel)
    {
        try
        {
            PostgresTools tools = await toolsFor(stored.Part.Proof.DumpMajor, cancel);
            return (await stored.DecodeAsync(cipher, tools, display, cancel), true);
        }
        catch (PgBackupException e) when (depth == CheckDepth.ReadData && e.Code is ErrorCode.IdentityUnusable or ErrorCode.ToolMissing or ErrorCode.ContainerUnavailable)
        {
            return (null, false); // no passphrase, or no tools, on this host: the digests were compared all the same
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.ToolFailed or ErrorCode.DumpUnreadable or ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable)
        {
            return (e.Message, true);
        }
    }

    private sealed record PartCheck
    {
        public string? Problem { get; init; }

        public long BytesRead { get; init; }

        public bool Decoded { get; init; }
    }
}

/// <summary>How deep a check looks.</summary>
public enum CheckDepth
{
    /// <summary>Presence and sizes, from a listing.</summary>
    Present,

    /// <summary>Every stored byte against its digest; decrypted and decoded too where a private key is at hand.</summary>
    ReadData,

    /// <summary>Every byte, decrypted and decoded; without a key that fits, the check fails.</summary>
    Decode,
}

/// <summary>What a check of one snapshot in one store found.</summary>
public sealed record SnapshotCheck
{
    /// <summary>The store.</summary>
    public required string Store { get; init; }

    /// <summary>The snapshot.</summary>
    public required string Id { get; init; }

    /// <summary>Everything that is wrong; empty when all is well.</summary>
    public required IReadOnlyList<ObjectProblem> Problems { get; init; }

    /// <summary>Stored bytes that were read.</summary>
    public required long BytesRead { get; init; }

    /// <summary>Every part was decrypted and decoded too.</summary>
    public required bool Decoded { get; init; }

    /// <summary>It holds everything that was asked for when it was taken.</summary>
    public required bool IsComplete { get; init; }

    /// <summary>It was made by a newer version, which alone can check it. It is no damage, and never mended.</summary>
    public bool IsOfNewerVersion { get; init; }

    /// <summary>What is odd and no damage, a sentence each.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Who can decrypt it; empty too where its manifest cannot be read.</summary>
    internal IReadOnlyList<Recipient> Recipients { get; init; } = [];

    /// <summary>The digest of its manifest, which is the same in every store; null where it cannot be read.</summary>
    internal string? ManifestSha256 { get; init; }

    /// <summary>That digest also stands beside the manifest.</summary>
    internal bool IsSealed { get; init; }
}

/// <summary>One object that is not as it should be.</summary>
public sealed record ObjectProblem
{
    /// <summary>Its name in the snapshot's folder.</summary>
    public required string Object { get; init; }

    /// <summary>What is wrong with it.</summary>
    public required string Problem { get; init; }

    /// <summary>The stores whose copy was looked at in the same check and is right.</summary>
    public IReadOnlyList<string> GoodCopies { get; init; } = [];

    /// <summary>The store from which it was copied again, or null.</summary>
    public string? RepairedFrom { get; init; }

    /// <summary>What was done about it without another store, for people; or null.</summary>
    public string? Mended { get; init; }
}
