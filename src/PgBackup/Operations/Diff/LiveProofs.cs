using PgBackup.Archives;
using PgBackup.Configuration;
using PgBackup.Operations.Source;
using PgBackup.Proofs;
using PgBackup.Snapshots;
using PgBackup.Tools;

namespace PgBackup.Operations.Diff;

/// <summary>The proofs of the databases as they are now: dumped at one moment, read as they come, and kept nowhere.</summary>
/// <param name="config">The source and its databases.</param>
/// <param name="settings">Those that the other side was dumped with.</param>
/// <param name="clock">The time.</param>
/// <param name="progress">For a display.</param>
internal sealed class LiveProofs(BackupConfig config, IReadOnlyDictionary<string, string>? settings, TimeProvider clock, Progress progress)
{
    private readonly Dictionary<string, string> problems = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Proof> proofs = new(StringComparer.Ordinal);

    /// <summary>
    /// Reads the databases of the config, several at a time as a backup does; with none in particular, also the roles. A backup may run
    /// at the same time. A database that cannot be read is among the missing ones, with its error. To be called once.
    /// </summary>
    /// <param name="only">The databases that are asked for; empty for all.</param>
    /// <param name="others">
    /// What the other side has. One of these that the config does not name may be there and is not read: it is missing, unless the server
    /// is known not to have it.
    /// </param>
    /// <param name="cancel">Gives up; the server's backends are ended.</param>
    /// <exception cref="PgBackupException">None of them could be opened.</exception>
    public async Task<DiffContent> ReadAsync(IReadOnlyList<string> only, IReadOnlyList<string> others, CancellationToken cancel)
    {
        var now = SnapshotId.At(clock.GetUtcNow());
        List<DatabaseConfig> wanted = [.. config.Databases.Where(d => only.Count == 0 || only.Contains(d.Name, StringComparer.Ordinal))];
        await using SourceCluster cluster = await SourceCluster.OpenAsync(
            config.Source,
            wanted,
            $"olympus-pgbackup diff {now}",
            alone: false,
            config.Dump.LockTimeout,
            config.Dump.Jobs,
            clock,
            cancel
        );
        foreach (PartFailure failure in cluster.Failures)
        {
            problems[failure.Part] = $"{failure.Code}: {failure.Message}";
        }

        Proof? globals = null;
        bool finished = false;
        try
        {
            await ReadDatabasesAsync(cluster, cancel);
            globals = only.Count == 0 ? await TryReadGlobalsAsync(cluster, cancel) : null;
            cancel.ThrowIfCancellationRequested();
            finished = true;
        }
        finally
        {
            if (!finished)
            {
                await cluster.TerminateBackendsAsync();
            }
        }

        return new DiffContent
        {
            Side = new DiffSide
            {
                Name = SnapshotRef.Live.ToString(),
                Place = cluster.Server.Description,
                Time = now.Time,
                ServerVersion = cluster.Facts.Version,
            },
            Proofs = proofs,
            Missing = Missing(cluster, others),
            Problems = problems,
            Globals = globals,
            Settings = settings,
        };
    }

    private async Task ReadDatabasesAsync(SourceCluster cluster, CancellationToken cancel)
    {
        using var slots = new SemaphoreSlim(cluster.Dumps);
        List<Task> reading = [];
        foreach (SourceDatabase database in cluster.Databases)
        {
            PartProgress display = progress.Add(database.Name, database.Bytes * 2 / 3);
            Task turn = slots.WaitAsync(cancel); // served in order: the largest first
            reading.Add(Task.Run(() => ReadInTurnAsync(database, display, turn), CancellationToken.None));
        }

        await Task.WhenAll(reading);

        async Task ReadInTurnAsync(SourceDatabase database, PartProgress display, Task turn)
        {
            await turn;
            try
            {
                await ReadOneAsync(database, cluster.Tools.Major, display, cancel);
            }
            finally
            {
                slots.Release();
            }
        }
    }

    private async Task ReadOneAsync(SourceDatabase database, int major, PartProgress display, CancellationToken cancel)
    {
        try
        {
            display.State = PartState.Reading;
            Proof proof = await ProofAsync(database, major, display, cancel);
            await database.RequireUnchangedAsync(cancel);
            await database.ReleaseAsync(cancel);
            display.State = PartState.Done;
            lock (proofs)
            {
                proofs[database.Name] = proof;
            }
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            display.State = PartState.Failed;
            lock (proofs)
            {
                problems[database.Name] = $"{e.CodeText}: {e.Message}";
            }
        }
    }

    private Dictionary<string, string> Missing(SourceCluster cluster, IReadOnlyList<string> others)
    {
        Dictionary<string, string> missing = problems.Keys.ToDictionary(
            static name => name,
            static _ => "it cannot be read now",
            StringComparer.Ordinal
        );
        foreach (string name in others.Where(o => config.Databases.All(d => d.Name != o)))
        {
            if (cluster.ServerDatabases?.Contains(name, StringComparer.Ordinal) is not false)
            {
                missing[name] = "the config does not name it";
            }
        }

        return missing;
    }

    private async Task<Proof> ProofAsync(SourceDatabase database, int major, PartProgress display, CancellationToken cancel)
    {
        using var script = new ScriptReader { DatabaseTablespace = database.Tablespace };
        display.Follow(() => script.BytesRead);
        ToolProcess dump = await database.Server.DumpScriptAsync(
            database.Name,
            database.Encoding,
            standardStrings: true,
            settings,
            cancel,
            database.SnapshotName,
            config.Dump.LockTimeout
        );
        await using (ToolStream text = ToolStream.From(dump, cancel))
        {
            await ArchiveDecoder.ReadAsync(text, script, cancel);
        }

        return script.Finish(major);
    }

    private async Task<Proof?> TryReadGlobalsAsync(SourceCluster cluster, CancellationToken cancel)
    {
        try
        {
            using var script = new ScriptReader();
            bool passwords = cluster.Facts.ReadsPasswords;
            await using (Stream text = await cluster.Server.OpenGlobalsAsync(passwords, config.Dump.LockTimeout, cancel))
            {
                await ArchiveDecoder.ReadAsync(text, script, cancel);
            }

            return script.Finish(cluster.Tools.Major);
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            progress.Warn("", $"the roles cannot be read, and are not compared: {e.CodeText}: {e.Message}", e.Code);
            return null;
        }
    }
}
