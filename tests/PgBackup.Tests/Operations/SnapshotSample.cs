using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using PgBackup.Encryption;
using PgBackup.Proofs;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Storage.Local;
using PgBackup.Tests.Snapshots;

namespace PgBackup.Tests.Operations;

/// <summary>
/// A whole snapshot, not encrypted, whose parts are random bytes with right sizes and digests; the same for the same id, as if it had been
/// copied.
/// </summary>
internal sealed class SnapshotSample
{
    public const string Cluster = "olympus";

    private SnapshotSample(SnapshotId id, Manifest manifest, IReadOnlyDictionary<string, byte[]> parts)
    {
        Id = id;
        Manifest = manifest;
        Parts = parts;
    }

    public SnapshotId Id { get; }

    public Manifest Manifest { get; }

    /// <summary>The parts' bytes, by the names of their objects, in the order of the manifest.</summary>
    public IReadOnlyDictionary<string, byte[]> Parts { get; }

    /// <summary>One of 03:00 of a day of March 2026.</summary>
    public static SnapshotId Day(int day, int hour = 3) => SnapshotId.At(new DateTimeOffset(2026, 3, day, hour, 0, 0, TimeSpan.Zero));

    public static SnapshotSample Of(SnapshotId id, bool complete = true, int size = 700)
    {
        var random = new Random(id.Time.GetHashCode());
        Manifest manifest = complete
            ? ManifestSample.Of(id, "none")
            : ManifestSample.Incomplete(id) with
            {
                Encryption = "none",
                Recipients = [],
            };
        Dictionary<string, byte[]> parts = [];
        List<Part> named = [];
        foreach (Part part in manifest.Parts)
        {
            // Two parts have the same size, as dumps of two empty databases have.
            byte[] bytes = new byte[part.Kind == PartKind.Globals ? size / 2 : size];
            random.NextBytes(bytes);
            parts[part.Object] = bytes;
            string sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes));
            named.Add(part with { Size = bytes.Length, PlainSize = bytes.Length, Sha256 = sha256, PlainSha256 = sha256 });
        }

        return new SnapshotSample(id, Sealed(manifest with { Cluster = Cluster, Parts = named }), parts);
    }

    /// <summary>The same as earlier versions wrote it: without digests of the texts and of the manifest.</summary>
    public SnapshotSample WithoutDigests() => new(Id, Manifest with { SumsSha256 = null, GuideSha256 = null }, Parts);

    /// <summary>The same with losses, and with the mark of those that are red.</summary>
    public SnapshotSample WithLosses(params IReadOnlyList<Loss> losses) => new(Id, Sealed(Manifest with { Losses = losses }), Parts);

    /// <summary>The same with a table more in the proof of a database.</summary>
    public SnapshotSample WithTable(string database, string table, long rows) =>
        new(
            Id,
            Sealed(Manifest with { Parts = [.. Manifest.Parts.Select(p => p.Database == database ? WithTable(p, table, rows) : p)] }),
            Parts
        );

    private static Part WithTable(Part part, string table, long rows)
    {
        var proof = new TableProof
        {
            Rows = rows,
            Bytes = rows * 10,
            Digest = rows.ToString("x64", CultureInfo.InvariantCulture),
        };
        SortedDictionary<string, TableProof> tables = new(part.Proof.Tables, StringComparer.Ordinal) { [table] = proof };
        return part with { Proof = part.Proof with { Tables = tables } };
    }

    /// <summary>The same, really encrypted.</summary>
    public async Task<SnapshotSample> EncryptedAsync(ICipher cipher)
    {
        IReadOnlyList<Recipient> recipients = await cipher.CheckAsync(Cancel);
        Dictionary<string, byte[]> stored = [];
        List<Part> parts = [];
        foreach (Part part in Manifest.Parts)
        {
            byte[] bytes = await AllOfAsync(cipher.Encrypt(new MemoryStream(Parts[part.Object]), Cancel));
            stored[part.Object + cipher.Extension] = bytes;
            parts.Add(
                part with
                {
                    Object = part.Object + cipher.Extension,
                    Size = bytes.Length,
                    Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)),
                }
            );
        }

        return new SnapshotSample(Id, Sealed(Manifest with { Encryption = cipher.Kind, Recipients = recipients, Parts = parts }), stored);
    }

    /// <summary>The key of its n-th part.</summary>
    public string PartKey(int number) => SnapshotLayout.Key(Id, Manifest.Parts[number].Object);

    public string Key(string name) => SnapshotLayout.Key(Id, name);

    /// <summary>Puts all of it into a store, in the order in which a run does.</summary>
    public async Task<SnapshotSample> PutAsync(IObjectStore store, string? pin = null, bool proven = false)
    {
        foreach ((string name, byte[] bytes) in Parts)
        {
            await PutAsync(store, name, bytes);
        }

        await PutAsync(store, SnapshotLayout.Sums, Encoding.UTF8.GetBytes(Manifest.Sums));
        await PutAsync(store, SnapshotLayout.Guide, Encoding.UTF8.GetBytes(RestoreGuide.Write(Manifest)));
        if (!Manifest.IsComplete)
        {
            await PutAsync(store, SnapshotLayout.Incomplete, Encoding.UTF8.GetBytes(Manifest.Gaps));
        }

        if (Manifest.HasLoss)
        {
            await PutAsync(store, SnapshotLayout.Loss, Encoding.UTF8.GetBytes(Manifest.LossText));
        }

        if (pin is not null)
        {
            await PutAsync(store, SnapshotLayout.Pinned, Encoding.UTF8.GetBytes(pin + "\n"));
        }

        if (Manifest.GuideSha256 is not null)
        {
            await PutAsync(store, SnapshotLayout.ManifestSum, ManifestSum.Of(Manifest.ToJson()));
        }

        await PutAsync(store, SnapshotLayout.Manifest, Manifest.ToJson());
        if (proven)
        {
            await PutAsync(store, SnapshotLayout.Proven, "2026-03-20\n"u8.ToArray());
        }

        return this;
    }

    private static Manifest Sealed(Manifest manifest) => manifest.WithDigests(RestoreGuide.Write(manifest));

    /// <summary>Puts one object of it.</summary>
    public async Task PutAsync(IObjectStore store, string name, byte[] bytes)
    {
        string key = Key(name);
        using var content = new MemoryStream(bytes);
        await store.PutAsync(key, content, Cancel);
        // As old as it says it is.
        if (store is LocalStore)
        {
            File.SetLastWriteTimeUtc(Path.Combine(store.Location, key), Id.Time.UtcDateTime);
        }
    }
}
