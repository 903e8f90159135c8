using System.Globalization;
using PgBackup.Host;
using PgBackup.Operations.Source;
using PgBackup.Postgres;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Backup;

/// <summary>The dumping of one moment: all databases and the roles at the same time, as many as the server allows.</summary>
/// <param name="cluster">Its sessions hold the moment.</param>
/// <param name="writer">Stores one part.</param>
/// <param name="decoder">The tools that read the dumps back.</param>
/// <param name="compression">The value of <c>--compress</c>.</param>
/// <param name="progress">For a display.</param>
internal sealed class SnapshotDump(SourceCluster cluster, PartWriter writer, PostgresTools decoder, string compression, Progress progress)
{
    private readonly List<PartFailure> failures = [.. cluster.Failures];
    private PgBackupException? lost;

    /// <summary>A database that has lost the moment ends the others too; else it is a failure of its own.</summary>
    public required bool EndsWhenMomentIsLost { get; init; }

    /// <summary>Called for each part as soon as the store has it.</summary>
    public required Action<Part> Stored { get; init; }

    /// <summary>The parts that failed, in the order in which they did; those that could not even be opened first.</summary>
    public IReadOnlyList<PartFailure> Failures => failures;

    /// <summary>Runs to the end; a database that fails does not stop the others.</summary>
    /// <param name="previous">The newest snapshot, for the display; or null.</param>
    /// <param name="cancel">Stops all of them.</param>
    /// <returns>The parts that were stored, in no order.</returns>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.MomentLost"/> with <see cref="EndsWhenMomentIsLost"/>.</exception>
    public async Task<IReadOnlyList<Part>> RunAsync(Manifest? previous, CancellationToken cancel)
    {
        using var slots = new SemaphoreSlim(cluster.Dumps);
        using var attempt = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        List<Task<Part?>> work = [];
        string roles = PartKind.Globals.Word();
        PartProgress globals = progress.Add(roles, 0);
        foreach (SourceDatabase database in cluster.Databases)
        {
            long expected = previous?.Databases.FirstOrDefault(p => p.Database == database.Name)?.Proof.Bytes ?? database.Bytes * 2 / 3;
            PartProgress display = progress.Add(database.Name, expected);
            // Semaphores serve in order: the largest starts first.
            Task turn = slots.WaitAsync(attempt.Token);
            work.Add(
                Task.Run(
                    () => GuardAsync(database.Name, display, turn, slots, () => DatabaseAsync(database, display, attempt), attempt.Token),
                    CancellationToken.None
                )
            );
        }

        work.Add(
            Task.Run(
                () => GuardAsync(roles, globals, Task.CompletedTask, null, () => GlobalsAsync(globals, attempt.Token), attempt.Token),
                CancellationToken.None
            )
        );
        Task<Part?[]> all = Task.WhenAll(work);
        await all.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        cancel.ThrowIfCancellationRequested();
        return lost is null ? [.. (await all).OfType<Part>()] : throw lost;
    }

    private async Task<Part> DatabaseAsync(SourceDatabase database, PartProgress display, CancellationTokenSource attempt)
    {
        try
        {
            Part part = await writer.StoreDatabaseAsync(database, decoder, compression, display, attempt.Token);
            Stored(part);
            return part;
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.MomentLost && EndsWhenMomentIsLost)
        {
            Interlocked.CompareExchange(ref lost, e, null);
            await attempt.CancelAsync(); // nothing of this moment will be kept
            throw;
        }
    }

    private async Task<Part> GlobalsAsync(PartProgress display, CancellationToken cancel)
    {
        Part part = await writer.StoreGlobalsAsync(cluster, display, cancel);
        Stored(part);
        return part;
    }

    private async Task<Part?> GuardAsync(
        string name,
        PartProgress display,
        Task turn,
        SemaphoreSlim? slots,
        Func<Task<Part>> make,
        CancellationToken cancel
    )
    {
        await turn;
        try
        {
            Part part = await make();
            display.State = PartState.Done;
            string content =
                part.Kind == PartKind.Globals
                    ? $"{part.Proof.Schema.Count} statements"
                    : string.Create(CultureInfo.InvariantCulture, $"{part.Proof.Tables.Count} tables, {part.Proof.Rows:N0} rows");
            progress.Done(
                name,
                string.Create(CultureInfo.InvariantCulture, $"{content}, {ByteSize.Text(part.Size)} stored in {part.Seconds:0.0} s")
            );
            return part;
        }
        catch (PgBackupException e)
        {
            display.State = PartState.Failed;
            lock (failures)
            {
                string? remedy = e.Remedy ?? DumpAdvice.For(e.Message);
                failures.Add(
                    new PartFailure
                    {
                        Part = name,
                        Code = e.CodeText,
                        Message = remedy is null ? e.Message : $"{e.Message}\n  what to do: {remedy}",
                    }
                );
            }

            if (!cancel.IsCancellationRequested)
            {
                progress.Failed(name, e.Code);
            }

            return null;
        }
        finally
        {
            slots?.Release();
        }
    }
}
