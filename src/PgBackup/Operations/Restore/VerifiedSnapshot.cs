using PgBackup.Encryption;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Restore;

/// <summary>Parts of a snapshot of which every stored byte was read, compared with its digest, and decrypted.</summary>
public sealed class VerifiedSnapshot : IAsyncDisposable
{
    private bool disposed;

    private VerifiedSnapshot(
        (SnapshotId Id, Manifest Manifest, IReadOnlyList<StoredPart> Parts, StoredPart? Globals) wanted,
        ICipher cipher,
        long begun
    )
    {
        (Id, Manifest, Parts, Globals) = wanted;
        Cipher = cipher;
        Begun = begun;
    }

    /// <summary>The snapshot.</summary>
    internal SnapshotId Id { get; }

    /// <summary>Its manifest.</summary>
    internal Manifest Manifest { get; }

    /// <summary>The databases that are wanted of it.</summary>
    internal IReadOnlyList<StoredPart> Parts { get; }

    /// <summary>Its roles, if they are wanted.</summary>
    internal StoredPart? Globals { get; }

    /// <summary>With the identity.</summary>
    internal ICipher Cipher { get; }

    /// <summary>The timestamp (of the clock) at which the reading began.</summary>
    internal long Begun { get; }

    /// <summary>Reads and decrypts them all.</summary>
    /// <param name="catalog">That of the store where they lie.</param>
    /// <param name="wanted">What is wanted: the snapshot, its manifest, its parts, its globals or null.</param>
    /// <param name="cipherFor">The cipher for a snapshot.</param>
    /// <param name="atOnce">How many are read at the same time.</param>
    /// <param name="begun">The timestamp at which the work began.</param>
    /// <param name="progress">For a display.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">A byte is missing or wrong, or the identity does not decrypt it.</exception>
    internal static async Task<VerifiedSnapshot> ReadAsync(
        Catalog catalog,
        (SnapshotId Id, Manifest Manifest, IReadOnlyList<StoredPart> Parts, StoredPart? Globals) wanted,
        Func<Manifest, ICipher> cipherFor,
        int atOnce,
        long begun,
        Progress progress,
        CancellationToken cancel
    )
    {
        var snapshot = new VerifiedSnapshot(wanted, cipherFor(wanted.Manifest), begun);
        try
        {
            IReadOnlyList<StoredPart> all = wanted.Globals is null ? wanted.Parts : [wanted.Globals, .. wanted.Parts];
            await new PartsVerification(catalog, snapshot.Cipher, progress).RunAsync(wanted.Id, all, atOnce, cancel);
            return snapshot;
        }
        catch
        {
            await snapshot.DisposeAsync();
            throw;
        }
    }

    /// <summary>Lets go of the identity.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!disposed)
        {
            disposed = true;
            await Cipher.DisposeAsync();
        }
    }
}
