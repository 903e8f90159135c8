namespace PgBackup.Storage;

/// <summary>
/// Where snapshots are kept: objects under keys with slashes. Nothing here knows what the objects mean.
/// Errors are <see cref="PgBackupException"/> with <see cref="ErrorCode.StoreUnavailable"/>, unless said otherwise.
/// </summary>
public interface IObjectStore
{
    /// <summary>The name in the config.</summary>
    string Name { get; }

    /// <summary>For messages: the folder or URL.</summary>
    string Location { get; }

    /// <summary>Checks that objects can be written, by writing and removing one.</summary>
    Task CheckWritableAsync(CancellationToken cancel);

    /// <summary>
    /// Stores the stream, read to its end, whole or not at all: if reading it throws, no object appears, and an object that was
    /// there before stays as it was. Once this returns, the object is durable. Returns the size in bytes.
    /// </summary>
    Task<long> PutAsync(string key, Stream content, CancellationToken cancel);

    /// <summary>Opens an object, to be read from its start to its end; reading it may fail as opening it may.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ObjectDamaged"/> when there is none.</exception>
    Task<Stream> OpenAsync(string key, CancellationToken cancel);

    /// <summary>The whole objects directly in one folder (the key up to a slash), with their sizes.</summary>
    IAsyncEnumerable<StoredObject> ListAsync(string folder, CancellationToken cancel);

    /// <summary>The folders at the root.</summary>
    IAsyncEnumerable<string> ListFoldersAsync(CancellationToken cancel);

    /// <summary>Removes an object; nothing happens when it is not there.</summary>
    Task DeleteAsync(string key, CancellationToken cancel);

    /// <summary>Removes a folder with everything in it, half-written objects included; nothing happens when it is not there.</summary>
    Task DeleteFolderAsync(string folder, CancellationToken cancel);

    /// <summary>Takes the store for one run, so that no second one works in it at the same time.</summary>
    /// <param name="holder">Who takes it, for the message to the second one.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.AlreadyRunning"/>, naming the holder.</exception>
    Task<IAsyncDisposable> LockAsync(string holder, CancellationToken cancel);
}

/// <summary>One object of a listing.</summary>
public sealed record StoredObject
{
    /// <summary>The key.</summary>
    public required string Key { get; init; }

    /// <summary>Its size in bytes.</summary>
    public required long Size { get; init; }
}
