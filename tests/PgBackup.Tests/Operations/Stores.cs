using System.Security.Cryptography;
using PgBackup.Encryption;
using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Storage.Local;

namespace PgBackup.Tests.Operations;

/// <summary>Local stores below one folder, and what is in them.</summary>
internal sealed class Stores : IDisposable
{
    private readonly TestFolder folder = new();

    /// <summary>22 March 2026, four o'clock: an hour after the run of that night.</summary>
    public TestClock Clock { get; } = new(new DateTimeOffset(2026, 3, 22, 4, 0, 0, TimeSpan.Zero));

    public TestFolder Folder => folder;

    /// <summary>A store object, fresh each time; the folder is made.</summary>
    public LocalStore Open(string name)
    {
        Directory.CreateDirectory(folder[name], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new LocalStore(name, folder[name]);
    }

    public FaultyStore Faulty(string name) => new(Open(name), Clock);

    public static BackupStore Kept(IObjectStore store, RetentionRules? keep = null, bool locks = false) =>
        new()
        {
            Store = store,
            Keep = keep ?? new RetentionRules { All = RetentionLength.Of(1, RetentionUnit.Years) },
            HasObjectLock = locks,
        };

    /// <summary>The objects of a store and the digests of their bytes; of one snapshot, or of all.</summary>
    public SortedDictionary<string, string> Contents(string name, SnapshotId? only = null)
    {
        SortedDictionary<string, string> contents = new(StringComparer.Ordinal);
        foreach (string file in Directory.EnumerateFiles(folder[name], "*", SearchOption.AllDirectories))
        {
            string key = Path.GetRelativePath(folder[name], file);
            if (!Path.GetFileName(file).StartsWith('.') && (only is null || key.StartsWith($"{only}/", StringComparison.Ordinal)))
            {
                contents[key] = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));
            }
        }

        return contents;
    }

    public void Copy(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(folder[from], "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(folder[to], Path.GetRelativePath(folder[from], file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
            File.SetLastWriteTimeUtc(target, File.GetLastWriteTimeUtc(file));
        }
    }

    public void Clear(string name)
    {
        if (Directory.Exists(folder[name]))
        {
            Directory.Delete(folder[name], recursive: true);
        }
    }

    public string PathOf(string store, string key) => Path.Combine(folder[store], key);

    /// <summary>Flips a bit in the middle of an object.</summary>
    public void Flip(string store, string key)
    {
        byte[] bytes = File.ReadAllBytes(PathOf(store, key));
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(PathOf(store, key), bytes);
    }

    /// <summary>Cuts an object to its first half.</summary>
    public void Cut(string store, string key)
    {
        byte[] bytes = File.ReadAllBytes(PathOf(store, key));
        File.WriteAllBytes(PathOf(store, key), bytes[..(bytes.Length / 2)]);
    }

    /// <summary>Every snapshot that a listing calls complete is whole and readable, and every other one has its mark.</summary>
    public async Task ShouldBeSoundAsync(string name, string because)
    {
        var catalog = new Catalog(Open(name), Clock);
        foreach (CatalogEntry entry in (await catalog.ListAsync(Cancel)).Where(static e => e.HasManifest))
        {
            Manifest manifest = await catalog.ReadManifestAsync(entry, Cancel);
            manifest.IsComplete.ShouldBe(entry.IsComplete, because);
            foreach (Part part in manifest.Parts)
            {
                byte[] bytes = await AllOfAsync(await catalog.Store.OpenAsync(SnapshotLayout.Key(entry.Id, part.Object), Cancel));
                Convert.ToHexStringLower(SHA256.HashData(bytes)).ShouldBe(part.Sha256, $"{because}: {entry.Id}/{part.Object}");
            }
        }
    }

    /// <summary>A check of a store without keys and tools: every byte against its digest.</summary>
    public static CheckOperation CheckOf(IObjectStore store, CheckJournal? journal = null) =>
        new(
            store,
            static _ => new KeylessCipher(),
            static (_, _) => throw new PgBackupException(ErrorCode.ToolMissing, "there is no pg_restore here"),
            TimeProvider.System,
            new Progress()
        )
        {
            Journal = journal,
            AtOnce = 1,
        };

    public void Dispose() => folder.Dispose();

    // As gpg is on a host without the private key.
    private sealed class KeylessCipher : ICipher
    {
        public string Kind => "none";

        public string Extension => "";

        public Task<IReadOnlyList<Recipient>> CheckAsync(CancellationToken cancel) => Task.FromResult<IReadOnlyList<Recipient>>([]);

        public Stream Encrypt(Stream plain, CancellationToken cancel) => plain;

        public Task<bool> HasIdentityAsync(CancellationToken cancel) => Task.FromResult(false);

        public Stream Decrypt(Stream stored, CancellationToken cancel) =>
            throw new PgBackupException(ErrorCode.IdentityUnusable, "there is no key here");

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
