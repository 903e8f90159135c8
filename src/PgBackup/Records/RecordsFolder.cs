using System.Security.Cryptography;
using PgBackup.Host;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Records;

/// <summary>
/// The records of a store, in its folder <c>records/</c>. They are only added: nothing here edits, locks or removes one, and none is needed
/// for a restore. Their names alone tell when and what.
/// </summary>
public sealed class RecordsFolder(IObjectStore store)
{
    /// <summary>The largest record in bytes. Whoever can write into the store could put anything there.</summary>
    public const int Largest = 256 << 10;

    // A confirmation names each loss: it must not lose one. This is room for some 30,000.
    private const int LargestConfirmation = 8 << 20;

    /// <summary>A name for a record, the same for all stores.</summary>
    public static RecordName NewName(Record record) => RecordName.Of(record, RandomNumberGenerator.GetHexString(8, lowercase: true));

    /// <summary>Writes a record under a new name. Texts and findings are cut to what a record has room for.</summary>
    /// <returns>Its name.</returns>
    /// <exception cref="PgBackupException">As the other one.</exception>
    public async Task<RecordName> PutAsync(Record record, CancellationToken cancel)
    {
        RecordName name = NewName(record);
        await PutAsync(name, record, cancel);
        return name;
    }

    /// <summary>Writes a record under a name, which <see cref="NewName"/> made.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.StoreUnavailable"/>, also when the store is not there at all: no record makes the folder of a disk that is not
    /// mounted. <see cref="ErrorCode.Usage"/>: a confirmation of more losses than a record can name.
    /// </exception>
    public async Task PutAsync(RecordName name, Record record, CancellationToken cancel)
    {
        byte[] json = RecordCaps.Apply(record, MostBytes(record.Kind)).ToJson();
        if (json.Length > MostBytes(record.Kind))
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                $"a record of {record.Confirmed.Count} losses is larger than {ByteSize.Text(MostBytes(record.Kind))}.",
                "Confirm fewer at a time."
            );
        }

        // Nothing is ever in this folder: what is listed is whether the store is there.
        await foreach (StoredObject _ in store.ListAsync($"{SnapshotLayout.Records}/none", cancel))
        {
            break;
        }

        using var content = new MemoryStream(json);
        await store.PutAsync(name.Key, content, cancel);
    }

    /// <summary>The records of the store, the newest first, from one listing of names.</summary>
    public async Task<IReadOnlyList<RecordName>> ListAsync(CancellationToken cancel)
    {
        List<RecordName> names = [];
        await foreach (StoredObject one in store.ListAsync(SnapshotLayout.Records, cancel))
        {
            if (RecordName.TryParse(one.Key) is { } name)
            {
                names.Add(name);
            }
        }

        return RecordName.NewestFirst(names);
    }

    /// <summary>
    /// Reads a record. Null where there is none, where it is too large, no JSON, of a newer format, has empty entries, or says another time
    /// or kind than its name. Its texts are data: <see cref="Foreign.Line"/> shows them.
    /// </summary>
    /// <exception cref="PgBackupException">The store cannot be read.</exception>
    public async Task<Record?> TryReadAsync(RecordName name, CancellationToken cancel)
    {
        try
        {
            await using Stream? content = await store.TryOpenAsync(name.Key, cancel);
            return
                content is not null
                && await content.TryReadBytesAsync(MostBytes(name.Kind), cancel) is { } json
                && Record.TryRead(json) is { } record
                && record.Kind == name.Kind
                && SnapshotId.At(record.Started).Time == name.Time
                ? record
                : null;
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ObjectDamaged)
        {
            return null; // a link or a pipe lies there
        }
    }

    /// <summary>Copies a record, byte by byte, into another store.</summary>
    /// <returns>False, and nothing is copied, where <see cref="TryReadAsync"/> gives null.</returns>
    /// <exception cref="PgBackupException">One of the two stores cannot be read or written.</exception>
    public async Task<bool> CopyAsync(RecordName name, IObjectStore to, CancellationToken cancel)
    {
        if (await TryReadAsync(name, cancel) is null)
        {
            return false;
        }

        byte[] json = await store.ReadBytesAsync(name.Key, MostBytes(name.Kind), cancel);
        using var content = new MemoryStream(json);
        await to.PutAsync(name.Key, content, cancel);
        return true;
    }

    private static int MostBytes(RecordKind kind) => kind == RecordKind.Confirm ? LargestConfirmation : Largest;
}
