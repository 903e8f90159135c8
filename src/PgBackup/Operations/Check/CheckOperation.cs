using System.Collections.Concurrent;
using PgBackup.Encryption;
using PgBackup.Operations.Keys;
using PgBackup.Postgres;
using PgBackup.Records;
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
/// <param name="clock">The time.</param>
/// <param name="progress">For a display.</param>
public sealed class CheckOperation(
    IObjectStore store,
    Func<Manifest, ICipher> cipherFor,
    Func<int, CancellationToken, Task<PostgresTools>> toolsFor,
    TimeProvider clock,
    Progress progress
)
{
    // Newer than the latest one, and incomplete by their names, of which the manifests are read.
    private const int MostHidden = 30;

    private readonly Catalog catalog = new(store, clock);

    // For each set of recipients of what was checked, a manifest without its parts.
    private readonly Dictionary<string, Manifest> seen = new(StringComparer.Ordinal);

    /// <summary>Remembers what was read, and knows what was read before; or null.</summary>
    public CheckJournal? Journal { get; init; }

    /// <summary>How many objects are read at the same time.</summary>
    public int AtOnce { get; init; } = Math.Clamp(Environment.ProcessorCount, 2, 8);

    /// <summary>Checks one snapshot (an id or <c>latest</c>), or with null all of them. Nothing is thrown for damage: it is in the
    /// report.</summary>
    /// <param name="wanted">Which.</param>
    /// <param name="depth">How deep to look.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.IdentityUnusable"/> when decoding was demanded and the key is wrong; <see cref="ErrorCode.SnapshotMissing"/>.
    /// </exception>
    public async Task<IReadOnlyList<SnapshotCheck>> RunAsync(SnapshotRef? wanted, CheckDepth depth, CancellationToken cancel)
    {
        List<CatalogEntry> entries = [];
        if (wanted is null or { IsLatest: true })
        {
            entries.AddRange((await catalog.ListAsync(cancel)).Where(static e => !e.IsLeftover));
        }

        if (wanted is { IsLatest: true })
        {
            entries = await LatestAsync(entries, cancel);
        }
        else if (wanted is not null)
        {
            CatalogEntry? entry = wanted.Id is { } given ? await catalog.ReadEntryAsync(given, cancel) : null;
            // A damaged manifest is a finding; an id that is not there at all is a mistake, which FindAsync explains.
            entries.Add(
                entry is { IsLeftover: false } ? entry : await catalog.ReadEntryAsync((await catalog.FindAsync(wanted, cancel)).Id, cancel)
            );
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

        CatalogEntry? found =
            latest >= 0 ? entries[latest]
            : hidden.Count > 0 ? null
            : await catalog.ReadEntryAsync((await catalog.LatestAsync(cancel)).Id, cancel);
        return found is null ? hidden : [found, .. hidden];
    }

    private async Task<SnapshotCheck> CheckAsync(CatalogEntry entry, CheckDepth depth, CancellationToken cancel)
    {
        (Manifest? read, PgBackupException? error, string? digest) = await ReadManifestAsync(entry, cancel);
        if (read is not { } manifest)
        {
            return Unreadable(entry, error);
        }

        ConcurrentBag<ObjectProblem> problems = [];
        ObjectProblem? unsealed = await SealProblemAsync(entry, manifest, digest!, cancel);
        Remember(manifest);
        if (unsealed is not null)
        {
            problems.Add(unsealed);
        }

        await CheckTextsAsync(entry, manifest, depth, problems, cancel);
        MarksCheck marks = await MarksCheck.OfAsync(catalog, entry, manifest, depth, cancel);
        foreach (ObjectProblem wrong in marks.Problems)
        {
            problems.Add(wrong);
        }

        (long bytes, int decoded) = await CheckPartsAsync(entry, manifest, depth, problems, cancel);
        return new SnapshotCheck
        {
            Store = store.Name,
            Id = entry.Id.ToString(),
            Problems = [.. problems.OrderBy(static p => p.Object, StringComparer.Ordinal)],
            BytesRead = bytes,
            Decoded = decoded == manifest.Parts.Count && decoded > 0,
            IsComplete = manifest.IsComplete,
            Findings = marks.Findings,
            Recipients = manifest.Recipients,
            Lossy = manifest.Losses.Count > 0 ? manifest with { Parts = [] } : null,
            IsMarkedConfirmed = entry.Objects.ContainsKey(SnapshotLayout.Confirmed),
            ManifestSha256 = digest,
            IsSealed = unsealed is null && entry.Objects.ContainsKey(SnapshotLayout.ManifestSum),
        };
    }

    private SnapshotCheck Unreadable(CatalogEntry entry, PgBackupException? error) =>
        new()
        {
            Store = store.Name,
            Id = entry.Id.ToString(),
            Problems =
            [
                new ObjectProblem
                {
                    Object = SnapshotLayout.Manifest,
                    Problem = error?.Message ?? entry.Unreadable ?? "it has no manifest",
                },
            ],
            BytesRead = 0,
            Decoded = false,
            IsComplete = false,
            IsOfNewerVersion = error is { Code: ErrorCode.ManifestTooNew },
        };

    // A manifest of an earlier version only where there is no other: it does not say what was written beside the canary.
    private void Remember(Manifest manifest)
    {
        if (manifest.Recipients.Count == 0)
        {
            return;
        }

        string canary = KeysFolder.CanaryName(manifest.Recipients, manifest.Encryption);
        if (manifest.GuideSha256 is not null || !seen.ContainsKey(canary))
        {
            seen[canary] = manifest with { Parts = [] };
        }
    }

    private async Task CheckTextsAsync(
        CatalogEntry entry,
        Manifest manifest,
        CheckDepth depth,
        ConcurrentBag<ObjectProblem> problems,
        CancellationToken cancel
    )
    {
        foreach (string name in SnapshotLayout.Texts)
        {
            if (!entry.Objects.ContainsKey(name))
            {
                problems.Add(new ObjectProblem { Object = name, Problem = "it is missing (the dumps can be restored without it)" });
            }
            else if (
                depth != CheckDepth.Present
                && manifest.DigestOf(name) is { } right
                && await TextProblemAsync(entry, name, right, cancel) is { } differs
            )
            {
                problems.Add(new ObjectProblem { Object = name, Problem = differs });
            }
        }
    }

    // Several at a time, the largest first.
    private async Task<(long BytesRead, int Decoded)> CheckPartsAsync(
        CatalogEntry entry,
        Manifest manifest,
        CheckDepth depth,
        ConcurrentBag<ObjectProblem> problems,
        CancellationToken cancel
    )
    {
        await using ICipher cipher = cipherFor(manifest);
        bool decode = depth == CheckDepth.Decode || (depth == CheckDepth.ReadData && await HasIdentityAsync(cipher, cancel));
        long bytes = 0;
        int decoded = 0;
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
            }
        );

        return (bytes, decoded);
    }

    // A manifest on a bad sector is one finding of many; a store that is not there at all has failed before, when it was listed.
    private async Task<(Manifest? Manifest, PgBackupException? Error, string? Sha256)> ReadManifestAsync(
        CatalogEntry entry,
        CancellationToken cancel
    )
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
        catch (PgBackupException e)
            when (e.Code
                    is ErrorCode.ManifestUnreadable
                        or ErrorCode.ManifestTooNew
                        or ErrorCode.ObjectDamaged
                        or ErrorCode.StoreUnavailable
            )
        {
            return (null, e, null);
        }
    }

    // Is the manifest the one whose digest was written beside it? If the two differ, it is not known here which was changed; other
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

        if (sum is null)
        {
            return manifest.GuideSha256 is null
                ? null
                : new ObjectProblem
                {
                    Object = SnapshotLayout.ManifestSum,
                    Problem = "it is missing, so that a changed manifest is not noticed",
                };
        }

        if (ManifestSum.Read(sum) is not { } named)
        {
            return new ObjectProblem { Object = SnapshotLayout.ManifestSum, Problem = "it is not the digest of a manifest" };
        }

        return named == digest
            ? null
            : new ObjectProblem
            {
                Object = SnapshotLayout.Manifest,
                Problem = $"its SHA-256 is not the one in {SnapshotLayout.ManifestSum}: one of the two was changed",
            };
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
                ? "it is not the one that the manifest names by its SHA-256 (the dumps can be restored without it)"
                : e.Message;
        }
    }

    private async Task<PartCheck> CheckPartAsync(
        CatalogEntry entry,
        Manifest manifest,
        Part part,
        ICipher cipher,
        CheckDepth depth,
        bool decode,
        CancellationToken cancel
    )
    {
        var stored = new StoredPart(store, entry.Id, part);
        PartProgress display = progress.Add($"{store.Name} {entry.Id} {part.Name}", decode ? part.Proof.Bytes : part.Size);
        display.State = PartState.Checking;
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

        display.State = problem is null ? PartState.Done : PartState.Failed;
        return new PartCheck
        {
            Problem = problem,
            BytesRead = bytes,
            Decoded = decoded && problem is null,
        };
    }

    /// <summary>Reads the canaries of the store too, after <see cref="RunAsync"/>.</summary>
    internal Task<IReadOnlyList<StoreProblem>> CheckCanariesAsync(CheckDepth depth, CancellationToken cancel) =>
        new CanaryCheck(store, cipherFor, clock).RunAsync(seen.Values, depth, cancel);

    private async Task<string?> EncryptionProblemAsync(Manifest manifest, StoredPart stored, CancellationToken cancel) =>
        manifest.EncryptedBy() == EncryptionKind.Provider && (await store.FindAsync(stored.Key, cancel))?.ProviderEncryption is null
            ? "the store does not encrypt it, and it was stored unencrypted"
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
        StoredPart stored,
        ICipher cipher,
        CheckDepth depth,
        PartProgress display,
        CancellationToken cancel
    )
    {
        try
        {
            PostgresTools tools = await toolsFor(stored.Part.Proof.DumpMajor, cancel);
            return (await stored.DecodeAsync(cipher, tools, display, cancel), true);
        }
        catch (PgBackupException e)
            when (depth == CheckDepth.ReadData
                && e.Code is ErrorCode.IdentityUnusable or ErrorCode.ToolMissing or ErrorCode.ContainerUnavailable
            )
        {
            return (null, false); // no passphrase, or no tools, on this host: the digests were compared all the same
        }
        catch (PgBackupException e)
            when (e.Code is ErrorCode.ToolFailed or ErrorCode.DumpUnreadable or ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable)
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
