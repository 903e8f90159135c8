using PgBackup.Archives;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Operations.Source;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Operations.Backup;

/// <summary>The way of one snapshot's parts: dump, proof, cipher, digest, store. A part is stored whole, or not at all.</summary>
/// <param name="id">The snapshot.</param>
/// <param name="settings">How dumps are made.</param>
/// <param name="store">Where to.</param>
/// <param name="lockUntil">How long the store is to keep each object from being removed, or null.</param>
/// <param name="cipher">To the recipients.</param>
/// <param name="clock">The time.</param>
internal sealed class PartWriter(
    SnapshotId id,
    DumpConfig settings,
    IObjectStore store,
    DateTimeOffset? lockUntil,
    ICipher cipher,
    TimeProvider clock
)
{
    // A role that goes after a database was compared, and before the roles are read, would be in the dump and not in them.
    private readonly TaskCompletionSource rolesRead = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// Dumps one database at its moment, proves the dump while it passes, encrypts and stores it. The database's tables are given back in
    /// the end.
    /// </summary>
    /// <param name="database">The database.</param>
    /// <param name="decoder">The tools that read the dump back.</param>
    /// <param name="compression">The value of <c>--compress</c>.</param>
    /// <param name="display">For a display.</param>
    /// <param name="cancel">Ends the dump; nothing is stored then.</param>
    /// <exception cref="PgBackupException">Nothing was stored; <see cref="ErrorCode.MomentLost"/> where a new moment may help.</exception>
    public async Task<Part> StoreDatabaseAsync(
        SourceDatabase database,
        PostgresTools decoder,
        string compression,
        PartProgress display,
        CancellationToken cancel
    )
    {
        long start = clock.GetTimestamp();
        display.State = PartState.Dumping;
        // The decoder stands ready before the dump starts; each stream owns the one before it.
        ArchiveDecoder decoding = await ArchiveDecoder.StartAsync(decoder, keepExcerpts: false, cancel);
        display.Follow(() => decoding.Script.BytesRead);
        var request = new DumpRequest
        {
            Database = database.Name,
            SnapshotName = database.SnapshotName,
            Encoding = database.Encoding,
            Compression = compression,
            LockTimeout = settings.LockTimeout,
        };
        DeferredTool? dump = null;
        var watched = new WatchedDump(
            ending => dump = new DeferredTool(c => database.Server.DumpAsync(request, c), ending),
            $"pg_dump of {database.Name}",
            c => database.Server.ConnectAsync(database.Name, TimeSpan.Zero, c),
            $"olympus-pgbackup {id}",
            settings.StallTimeout,
            clock,
            cancel
        );
        // Not before it is known that the dump is that of the moment does its stream end: what is not is never stored.
        await using var proving = new ProvingStream(watched, decoding) { Confirm = ConfirmAsync };
        string name = SnapshotLayout.DatabaseName(id, database.Name, cipher.Extension);
        await using var stored = new HashingStream(cipher.Encrypt(proving, cancel));
        long size;
        try
        {
            size = await store.PutAsync(SnapshotLayout.Key(id, name), stored, lockUntil, cancel);
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.ToolFailed or ErrorCode.DumpUnreadable && !cancel.IsCancellationRequested)
        {
            await RequireMomentAsync(database, e, cancel);
            throw;
        }

        await database.ReleaseAsync(cancel);
        return new Part
        {
            Kind = PartKind.Database,
            Database = database.Name,
            Object = name,
            Size = size,
            Sha256 = stored.Sha256,
            PlainSize = proving.BytesRead,
            PlainSha256 = proving.Sha256!,
            Compression = compression,
            Encoding = database.Encoding,
            ExtensionOwners = database.ExtensionOwners,
            Proof = proving.Proof!,
            Tables = decoding.Script.Shapes.ToTables(),
            Seconds = Seconds(start),
            Warnings = dump!.Errors,
        };

        async Task ConfirmAsync(CancellationToken c)
        {
            await rolesRead.Task.WaitAsync(c);
            await database.RequireUnchangedAsync(c);
        }
    }

    /// <summary>Dumps, encrypts and stores the roles.</summary>
    /// <exception cref="PgBackupException">Nothing was stored.</exception>
    public async Task<Part> StoreGlobalsAsync(SourceCluster cluster, PartProgress display, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        display.State = PartState.Dumping;
        GlobalsStream? script = null;
        var dump = new WatchedDump(
            ending => new DeferredStream(
                async c => script = await cluster.Server.OpenGlobalsAsync(cluster.Facts.ReadsPasswords, settings.LockTimeout, c),
                ending
            ),
            "pg_dumpall",
            c => cluster.Server.ConnectAsync(TimeSpan.Zero, c),
            $"olympus-pgbackup {id}",
            settings.StallTimeout,
            clock,
            cancel
        );
        var reading = new ScriptStream(dump, cluster.Tools.Major) { Ended = () => rolesRead.TrySetResult() };
        await using var plain = new HashingStream(reading);
        string name = SnapshotLayout.GlobalsName(id, cipher.Extension);
        await using var stored = new HashingStream(cipher.Encrypt(plain, cancel));
        long size;
        try
        {
            size = await store.PutAsync(SnapshotLayout.Key(id, name), stored, lockUntil, cancel);
        }
        finally
        {
            rolesRead.TrySetResult(); // or never, and then no dump waits for them
        }

        return new Part
        {
            Kind = PartKind.Globals,
            Object = name,
            Size = size,
            Sha256 = stored.Sha256,
            PlainSize = plain.BytesRead,
            PlainSha256 = plain.Sha256,
            Proof = reading.Proof!,
            Seconds = Seconds(start),
            Warnings = script!.Errors,
        };
    }

    // A dump that fails may do so because of what was changed under it, and then a new moment helps.
    private static async Task RequireMomentAsync(SourceDatabase database, PgBackupException failure, CancellationToken cancel)
    {
        if (DumpAdvice.IsLockTimeout(failure.Message))
        {
            // All its tables are locked by the session that holds the moment; pg_dump waits only behind somebody who waits for that
            // session.
            throw new PgBackupException(
                ErrorCode.MomentLost,
                $"{database.Name}: a migration asked for a table between the moment and its dump, and the dump cannot pass it.",
                "Run the backup again when the migration has ended, and keep migrations out of the minutes of the backup.",
                failure
            );
        }

        try
        {
            await database.RequireUnchangedAsync(cancel);
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.MomentLost)
        {
            // The server is gone, most likely: the dump's own failure says more.
        }
    }

    private double Seconds(long start) => Math.Round(clock.GetElapsedTime(start).TotalSeconds, 3);
}
