using System.Text;
using PgBackup.Encryption;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Streams;

namespace PgBackup.Operations.Keys;

/// <summary>Decrypts a store's canary and one real part of a snapshot, with each private key of an identity, and says whose keys these
/// are.</summary>
internal sealed class KeyTrial(IObjectStore store, SnapshotId id, Manifest manifest, ICipher cipher)
{
    private readonly KeysFolder folder = new(store);

    /// <summary>The part that is decrypted: the roles, or else the smallest database.</summary>
    public Part Part { get; } =
        manifest.Globals
        ?? manifest.Databases.MinBy(static p => p.Size)
        ?? throw new PgBackupException(
            ErrorCode.PartMissing,
            $"the snapshot {id} has no part that could be decrypted.",
            "Name another one (`olympus-pgbackup list`)."
        );

    /// <summary>The store has a canary for these recipients, and it was decrypted too.</summary>
    public bool HadCanary { get; private set; }

    /// <summary>Decrypts both to their ends with every key, and compares the part with the manifest. Keys of nobody concerned are passed
    /// over.</summary>
    /// <returns>The recipients whose private keys did it; none where it is not known whose it was.</returns>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.IdentityUnusable"/> when no key fits; <see cref="ErrorCode.KeyTestFailed"/> when what comes out is not what
    /// was encrypted; <see cref="ErrorCode.ObjectDamaged"/> when the part is not there.
    /// </exception>
    public async Task<IReadOnlyList<Recipient>> RunAsync(DateTimeOffset now, CancellationToken cancel)
    {
        string canary = KeysFolder.CanaryName(manifest.Recipients, cipher.Extension);
        HadCanary = (await folder.ListAsync(now, cancel)).Names.Contains(canary);
        IReadOnlyList<ICipher> ciphers = await cipher.WithEachKeyAsync(cancel);
        List<string> worked = [];
        int decrypted = 0;
        foreach (ICipher one in ciphers)
        {
            try
            {
                await DecryptAsync(one, canary, cancel);
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.IdentityUnusable && ciphers.Count > 1)
            {
                continue;
            }

            decrypted++;
            if (one.DecryptedBy is { } fingerprint)
            {
                worked.Add(fingerprint);
            }
        }

        if (decrypted == 0)
        {
            await DecryptAsync(cipher, canary, cancel); // all of them at once: says what is wrong, of the file that was named
        }

        return
        [
            .. worked
                .Distinct(StringComparer.Ordinal)
                .Select(f => manifest.Recipients.FirstOrDefault(r => r.Fingerprint == f) ?? new Recipient { Name = f, Fingerprint = f }),
        ];
    }

    private async Task DecryptAsync(ICipher with, string canary, CancellationToken cancel)
    {
        PgBackupException? canaryRefused = null;
        if (HadCanary)
        {
            try
            {
                await DecryptCanaryAsync(with, canary, cancel);
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.IdentityUnusable)
            {
                canaryRefused = e; // the key's fault only if it does not decrypt the part either
            }
        }

        await DecryptPartAsync(with, cancel);
        if (canaryRefused is not null)
        {
            throw new PgBackupException(
                ErrorCode.KeyTestFailed,
                $"the key decrypts the snapshot {id}, and not the canary {SnapshotLayout.Keys}/{canary} in the store {store.Name}, "
                    + $"which is not encrypted to it: the key is right, and the canary was exchanged.",
                "Remove this canary, which no restore needs (the next run writes it anew), and find out who wrote it.",
                canaryRefused
            );
        }
    }

    private async Task DecryptCanaryAsync(ICipher with, string canary, CancellationToken cancel)
    {
        await DecryptAsync(
            $"{SnapshotLayout.Keys}/{canary}",
            "test in another store by --store; if that goes well, remove this canary, which no restore needs, and the next run writes "
                + "it anew",
            async () =>
            {
                await using Stream plain = await OpenAsync(with, c => folder.OpenAsync(canary, c), cancel);
                return await IsCanaryAsync(plain, cancel);
            }
        );
    }

    /// <summary>Decrypts the part to its end with whatever key fits, and compares it with the manifest.</summary>
    /// <exception cref="PgBackupException">As <see cref="RunAsync"/>.</exception>
    public Task DecryptPartAsync(CancellationToken cancel) => DecryptPartAsync(cipher, cancel);

    private async Task DecryptPartAsync(ICipher with, CancellationToken cancel)
    {
        var part = new StoredPart(store, id, Part);
        await DecryptAsync(
            part.Key,
            "`olympus-pgbackup check --read-data` shows whether it is damaged; test with another snapshot, or from another store by "
                + "--store",
            async () =>
            {
                await using var plain = new HashingStream(await OpenAsync(with, c => store.OpenAsync(part.Key, c), cancel));
                await plain.CopyToAsync(Stream.Null, 1 << 20, cancel);
                return plain.BytesRead == Part.PlainSize && plain.Sha256 == Part.PlainSha256;
            }
        );
    }

    private static async Task DecryptAsync(string key, string remedy, Func<Task<bool>> decrypt)
    {
        string capital = $"{char.ToUpperInvariant(remedy[0])}{remedy[1..]}.";
        try
        {
            if (!await decrypt())
            {
                throw new PgBackupException(ErrorCode.KeyTestFailed, $"{key} was decrypted, and is not what was encrypted.", capital);
            }
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ToolFailed)
        {
            throw new PgBackupException(ErrorCode.KeyTestFailed, $"{key} cannot be decrypted to its end: {e.Message}", capital, e);
        }
    }

    private static async Task<Stream> OpenAsync(ICipher with, Func<CancellationToken, Task<Stream>> open, CancellationToken cancel)
    {
        Stream stored = await open(cancel);
        try
        {
            return with.Decrypt(stored, cancel);
        }
        catch
        {
            await stored.DisposeAsync();
            throw;
        }
    }

    // To its end, which alone says that it was whole.
    private async Task<bool> IsCanaryAsync(Stream plain, CancellationToken cancel)
    {
        byte[] right = Encoding.UTF8.GetBytes(KeysFolder.CanaryText(manifest.Cluster));
        byte[] start = new byte[right.Length + 1];
        int length = await plain.ReadAtLeastAsync(start, start.Length, throwOnEndOfStream: false, cancel);
        await plain.CopyToAsync(Stream.Null, cancel);
        return start.AsSpan(0, length).SequenceEqual(right);
    }
}
