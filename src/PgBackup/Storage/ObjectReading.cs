using PgBackup.Host;

namespace PgBackup.Storage;

/// <summary>How objects are read: those that must be there, and small ones whole.</summary>
public static class ObjectReading
{
    /// <summary>Opens an object that must be there, as <see cref="IObjectStore.TryOpenAsync"/> does.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ObjectDamaged"/> when there is none.</exception>
    public static async Task<Stream> OpenAsync(this IObjectStore store, string key, CancellationToken cancel) =>
        await store.TryOpenAsync(key, cancel) ?? throw Missing(store, key);

    /// <summary>All bytes of a small object that must be there.</summary>
    /// <param name="store">The store.</param>
    /// <param name="key">Its key.</param>
    /// <param name="most">How many bytes it may have.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ObjectDamaged"/> when there is none, or it has more bytes.</exception>
    public static async Task<byte[]> ReadBytesAsync(this IObjectStore store, string key, int most, CancellationToken cancel) =>
        await store.TryReadBytesAsync(key, most, cancel) ?? throw Missing(store, key);

    /// <summary>The same; null when there is none.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ObjectDamaged"/> when it has more bytes.</exception>
    public static async Task<byte[]?> TryReadBytesAsync(this IObjectStore store, string key, int most, CancellationToken cancel)
    {
        await using Stream? content = await store.TryOpenAsync(key, cancel);
        return content is null ? null : await content.ReadBytesAsync(most, $"{key} in the store {store.Name}", cancel);
    }

    /// <summary>All bytes of a stream; one of more bytes is an error that names it.</summary>
    internal static async Task<byte[]> ReadBytesAsync(this Stream content, int most, string what, CancellationToken cancel) =>
        await content.TryReadBytesAsync(most, cancel)
        ?? throw new PgBackupException(
            ErrorCode.ObjectDamaged,
            $"{what} is larger than {ByteSize.Text(most)}, and no such object is.",
            "Somebody else wrote it. Find out who may write into the store, and remove it, or copy the right one back."
        );

    /// <summary>All bytes of a stream; null when it has more.</summary>
    internal static async Task<byte[]?> TryReadBytesAsync(this Stream content, int most, CancellationToken cancel)
    {
        using var bytes = new MemoryStream();
        byte[] buffer = new byte[Math.Min(most + 1, 64 << 10)];
        int count;
        while ((count = await content.ReadAsync(buffer, cancel)) > 0)
        {
            if (bytes.Length + count > most)
            {
                return null;
            }

            await bytes.WriteAsync(buffer.AsMemory(0, count), cancel);
        }

        return bytes.ToArray();
    }

    private static PgBackupException Missing(IObjectStore store, string key) =>
        new(ErrorCode.ObjectDamaged, $"the store {store.Name} has no object {key}.");
}
