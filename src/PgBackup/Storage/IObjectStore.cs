namespace PgBackup.Storage;

/// <summary>
/// Where snapshots are kept: objects under keys with slashes. Nothing here knows what the objects mean.
/// Errors are <see cref="PgBackupException"/> with <see cref="ErrorCode.StoreUnavailable"/>, unless said otherwise. What is transient
/// (a connection that breaks, a server that is busy) was tried several times, with growing pauses, before it became an error.
/// </summary>
public interface IObjectStore
{
    /// <summary>The name in the config.</summary>
    string Name { get; }

    /// <summary>For messages: the folder or URL, without secrets.</summary>
    string Location { get; }

    /// <summary>What the store could not do and nothing depends on, a sentence each, since it was made.</summary>
    IReadOnlyList<string> Notes => [];

    /// <summary>Checks that objects can be written as the config demands (encrypted, locked), by writing one and removing it.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.StoreNotEncrypting"/>, where encryption by the store is
    /// demanded.</exception>
    Task CheckWritableAsync(CancellationToken cancel);

    /// <summary>
    /// Stores the stream, read to its end, whole or not at all: if reading it throws, no object appears, and an object that was
    /// there before stays as it was. Once this returns, the object is durable, and the store has confirmed its size and digest.
    /// Returns the size in bytes.
    /// </summary>
    /// <param name="key">Its key.</param>
    /// <param name="content">Its bytes; not disposed.</param>
    /// <param name="lockedUntil">Until when nobody may remove or change it, for stores that were asked for object lock; others ignore
    /// it.</param>
    /// <param name="cancel">Gives up, as if the stream had thrown.</param>
    Task<long> PutAsync(string key, Stream content, DateTimeOffset? lockedUntil, CancellationToken cancel);

    /// <summary>The same, without a lock.</summary>
    Task<long> PutAsync(string key, Stream content, CancellationToken cancel) => PutAsync(key, content, null, cancel);

    /// <summary>
    /// Opens an object, to be read from its start to its end; null when there is none, so that nobody has to ask first. Reading it may fail
    /// as opening it may. <see cref="ObjectReading"/> has the rest.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ObjectDamaged"/> when something is there that is no object (a link, a
    /// pipe).</exception>
    Task<Stream?> TryOpenAsync(string key, CancellationToken cancel);

    /// <summary>
    /// The whole objects of one folder (the key up to a slash), or with an empty folder those of the whole store, whatever their
    /// depth; in no order. Hidden and half-written things are not listed. Of the whole store, a folder that cannot be looked into is listed
    /// too, with the reason (<see cref="StoredObject.Unreadable"/>): it is no reason to go without the others.
    /// </summary>
    IAsyncEnumerable<StoredObject> ListAsync(string folder, CancellationToken cancel);

    /// <summary>What is known of one object, more than in a listing; null when there is none.</summary>
    Task<StoredObject?> FindAsync(string key, CancellationToken cancel);

    /// <summary>Removes an object; nothing happens when it is not there.</summary>
    Task DeleteAsync(string key, CancellationToken cancel);

    /// <summary>Removes a folder with everything in it, half-written objects included; nothing happens when it is not there.</summary>
    Task DeleteFolderAsync(string folder, CancellationToken cancel);

    /// <summary>Removes what interrupted writes left (temporary files, unfinished uploads, empty folders) that is older than a
    /// time.</summary>
    /// <returns>How many such things were removed.</returns>
    Task<int> SweepAsync(DateTimeOffset olderThan, CancellationToken cancel);

    /// <summary>Takes the store for one run, so that no second one works in it at the same time.</summary>
    /// <param name="holder">Who takes it, for the message to the second one.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.AlreadyRunning"/>, naming the holder.</exception>
    Task<IStoreLock> LockAsync(string holder, CancellationToken cancel);
}

/// <summary>The right to work in a store; disposing it gives it back.</summary>
public interface IStoreLock : IAsyncDisposable
{
    /// <summary>What happened to the lock of another run, for the log; null when there was none.</summary>
    string? Note { get; }

    /// <summary>Makes sure that it is still ours, before a step that must not be taken otherwise.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.AlreadyRunning"/> when another run has taken it over.</exception>
    void RequireHeld();
}

/// <summary>One object.</summary>
public sealed record StoredObject
{
    /// <summary>The key.</summary>
    public required string Key { get; init; }

    /// <summary>Its size in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>When it was written, by the store's clock.</summary>
    public required DateTimeOffset Modified { get; init; }

    /// <summary>How the store says it encrypts it (<c>AES256</c>, <c>aws:kms</c>); only from
    /// <see cref="IObjectStore.FindAsync"/>.</summary>
    public string? ProviderEncryption { get; init; }

    /// <summary>
    /// Why a folder cannot be looked into, though the store as a whole can; then the key is the folder's, and nothing is known of what is
    /// in it. Null for objects.
    /// </summary>
    public string? Unreadable { get; init; }

    /// <summary>Until when it cannot be removed; only from <see cref="IObjectStore.FindAsync"/>.</summary>
    public DateTimeOffset? LockedUntil { get; init; }
}
