using System.Security.Cryptography;
using System.Text;
using PgBackup.Encryption;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Keys;

/// <summary>
/// What a store knows of keys, in its folder <c>keys/</c>: a canary for each set of recipients, and a record of each test that a key
/// passed.
/// One listing shows when each key was tested last. No object here is ever locked or removed; none is needed for a restore.
/// </summary>
internal sealed class KeysFolder(IObjectStore store)
{
    // Hosts do not agree to the minute. A record that is later still, by a wrong clock, would silence the warnings for as long.
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(15);

    // A recipient by an RSA key of SSH has some 700 characters, and a file name at most 255.
    private const int LongestName = 100;

    // A record has some 700 bytes. Whoever can write into the store could put anything there.
    private const int LargestRecord = 64 << 10;

    private const string Canary = "canary-";
    private const string Sum = ".sha256";
    private const string Tested = "tested-";
    private const string Json = ".json";
    private static readonly int TimeLength = SnapshotId.At(DateTimeOffset.UnixEpoch).ToString().Length;

    /// <summary>The canary's name for recipients: the same whatever their order.</summary>
    public static string CanaryName(IEnumerable<Recipient> recipients, string extension)
    {
        IEnumerable<string> keys = recipients
            .Select(static r => AgeKeys.WithoutComment(r.Fingerprint))
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal);
        return $"{Canary}{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', keys))))[..12]}{extension}";
    }

    /// <summary>What a canary says.</summary>
    public static string CanaryText(string cluster) =>
        $"This is the canary of olympus-pgbackup for the cluster {cluster}: whoever can read this sentence holds a private key that "
        + $"decrypts its backups.\n";

    /// <summary>What the folder holds, from one listing, without tests that are later than now.</summary>
    public async Task<KeysListing> ListAsync(DateTimeOffset now, CancellationToken cancel) =>
        ListingOf(await store.ListAsync(SnapshotLayout.Keys, cancel).ToListAsync(cancel), now);

    /// <summary>The same of a listing of the whole store.</summary>
    public static KeysListing ListingOf(IEnumerable<StoredObject> listing, DateTimeOffset now)
    {
        Dictionary<string, DateTimeOffset> names = new(StringComparer.Ordinal);
        Dictionary<string, DateTimeOffset> tests = new(StringComparer.Ordinal);
        foreach (StoredObject one in listing.Where(static o => o.Key.StartsWith(SnapshotLayout.Keys + "/", StringComparison.Ordinal)))
        {
            string name = one.Key[(one.Key.LastIndexOf('/') + 1)..];
            names[name] = one.Modified;
            if (ParseTest(name) is ({ } key, var time) && time <= now + ClockTolerance && time > tests.GetValueOrDefault(key))
            {
                tests[key] = time;
            }
        }

        return new KeysListing(names, tests);
    }

    /// <summary>A name is that of a canary; not that of its digest.</summary>
    public static bool IsCanary(string name) => name.StartsWith(Canary, StringComparison.Ordinal) && CanaryOf(name) is null;

    /// <summary>The name of a canary's digest.</summary>
    public static string SumName(string canary) => canary + Sum;

    /// <summary>The canary whose digest has this name; null for what is no digest of a canary.</summary>
    public static string? CanaryOf(string name) =>
        name.StartsWith(Canary, StringComparison.Ordinal) && name.EndsWith(Sum, StringComparison.Ordinal) ? name[..^Sum.Length] : null;

    /// <summary>What stands beside a canary, for <c>sha256sum -c</c>.</summary>
    public static string CanarySum(string name, byte[] encrypted) => $"{ManifestSum.Digest(encrypted)}  {name}\n";

    /// <summary>Writes a canary, and then its digest: the next run writes one that stands alone anew.</summary>
    public async Task PutCanaryAsync(string name, byte[] encrypted, CancellationToken cancel)
    {
        if (await store.FindAsync(KeyOf(SumName(name)), cancel) is not null)
        {
            await store.DeleteAsync(KeyOf(SumName(name)), cancel); // of another canary, should this end in between
        }

        await PutAsync(name, encrypted, cancel);
        await PutAsync(SumName(name), Encoding.UTF8.GetBytes(CanarySum(name, encrypted)), cancel);
    }

    /// <summary>The bytes of a canary; null where they are too many for one.</summary>
    public Task<byte[]?> ReadCanaryAsync(string name, CancellationToken cancel) => ReadAsync(name, LargestRecord, cancel);

    /// <summary>What stands beside a canary; null where it has nothing beside it, as those of earlier versions.</summary>
    public async Task<string?> ReadCanarySumAsync(string name, CancellationToken cancel)
    {
        await using Stream? sum = await store.TryOpenAsync(KeyOf(SumName(name)), cancel);
        return sum is null ? null : Encoding.UTF8.GetString(await sum.TryReadBytesAsync(LargestRecord, cancel) ?? []);
    }

    /// <summary>Opens a canary.</summary>
    public Task<Stream> OpenAsync(string name, CancellationToken cancel) => store.OpenAsync(KeyOf(name), cancel);

    /// <summary>Writes the record of a test.</summary>
    /// <exception cref="PgBackupException">Also when the store is not there at all: no record makes the folder of a disk that is not
    /// mounted.</exception>
    public async Task RecordAsync(KeyTest test, CancellationToken cancel)
    {
        await ListAsync(test.Time, cancel);
        await PutAsync(TestName(test.Fingerprint, test.Time), test.ToJson(), cancel);
    }

    /// <summary>The record of a key's test at a time; null where it cannot be understood.</summary>
    public async Task<KeyTest?> ReadAsync(string fingerprint, DateTimeOffset time, CancellationToken cancel)
    {
        return await ReadAsync(TestName(fingerprint, time), LargestRecord, cancel) is { } json ? KeyTest.TryRead(json) : null;
    }

    /// <summary>How a key is called in the names of its records.</summary>
    internal static string NameOf(string fingerprint)
    {
        string key = AgeKeys.WithoutComment(fingerprint);
        string name = SnapshotLayout.Encoded(key);
        return name.Length <= LongestName ? name : $"sha256-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))}";
    }

    private static string TestName(string fingerprint, DateTimeOffset time) => $"{Tested}{NameOf(fingerprint)}-{SnapshotId.At(time)}{Json}";

    private static (string? Key, DateTimeOffset Time) ParseTest(string name)
    {
        int time = name.Length - Json.Length - TimeLength;
        return
            name.StartsWith(Tested, StringComparison.Ordinal)
            && name.EndsWith(Json, StringComparison.Ordinal)
            && time - 1 > Tested.Length
            && name[time - 1] == '-'
            && SnapshotId.TryParse(name[time..^Json.Length]) is { } id
            ? (name[Tested.Length..(time - 1)], id.Time)
            : (null, default);
    }

    private static string KeyOf(string name) => $"{SnapshotLayout.Keys}/{name}";

    // Null: it is larger than that.
    private async Task<byte[]?> ReadAsync(string name, int most, CancellationToken cancel)
    {
        await using Stream stream = await OpenAsync(name, cancel);
        return await stream.TryReadBytesAsync(most, cancel);
    }

    private async Task PutAsync(string name, byte[] bytes, CancellationToken cancel)
    {
        using var content = new MemoryStream(bytes);
        await store.PutAsync(KeyOf(name), content, cancel);
    }
}

/// <summary>What one store knows of keys.</summary>
/// <param name="written">The names of its objects, and when each was written.</param>
/// <param name="tests">When each key was tested last, by its name.</param>
internal sealed class KeysListing(IReadOnlyDictionary<string, DateTimeOffset> written, IReadOnlyDictionary<string, DateTimeOffset> tests)
{
    /// <summary>The names of its objects.</summary>
    public IEnumerable<string> Names => written.Keys;

    /// <summary>The digests of canaries that are not there.</summary>
    public IEnumerable<string> SumsAlone =>
        Names.Where(n => KeysFolder.CanaryOf(n) is { } canary && !written.ContainsKey(canary)).Order(StringComparer.Ordinal);

    /// <summary>It holds a canary and its digest. Those of earlier versions have none.</summary>
    public bool HasCanary(string name) => written.ContainsKey(name) && written.ContainsKey(KeysFolder.SumName(name));

    /// <summary>When the canary for recipients was written: so long at least they can decrypt. Null where there is none.</summary>
    public DateTimeOffset? CanaryWritten(IEnumerable<Recipient> recipients)
    {
        string begin = KeysFolder.CanaryName(recipients, "");
        return written
            .Where(w => w.Key.StartsWith(begin, StringComparison.Ordinal) && KeysFolder.IsCanary(w.Key))
            .Min(static w => (DateTimeOffset?)w.Value);
    }

    /// <summary>When a key was tested last; null for never, as far as this store knows.</summary>
    public DateTimeOffset? LastTestOf(string fingerprint) =>
        tests.TryGetValue(KeysFolder.NameOf(fingerprint), out DateTimeOffset time) ? time : null;
}
