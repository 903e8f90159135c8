using PgBackup.Encryption;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Restore;

/// <summary>Whether the parts that a restore needs are there, are what was stored, and can be decrypted.</summary>
internal sealed class PartsVerification(Catalog catalog, ICipher cipher, Progress progress)
{
    private PgBackupException? lost;

    /// <summary>Reads every stored byte, decrypts it, and compares both with the manifest; once.</summary>
    /// <param name="id">The snapshot.</param>
    /// <param name="parts">Its parts.</param>
    /// <param name="atOnce">How many are read at the same time.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.ObjectDamaged"/> with all that is wrong; what a cipher says of its identity, where nothing is; the error of a
    /// store.
    /// </exception>
    public async Task RunAsync(SnapshotId id, IReadOnlyList<StoredPart> parts, int atOnce, CancellationToken cancel)
    {
        CatalogEntry entry = await catalog.ReadEntryAsync(id, cancel);
        using var slots = new SemaphoreSlim(Math.Max(1, atOnce));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        (StoredPart Part, PartProgress Display)[] all = [.. parts.Select(p => (p, progress.Add($"check {p.Part.Name}", p.Part.Size)))];
        // Reads of pipes block their thread: one for each.
        PartResult[] found = await Task.WhenAll(
            all.Select(one => Task.Run(() => CheckAsync(one.Part, one.Display, entry, slots, stop), CancellationToken.None))
        );
        cancel.ThrowIfCancellationRequested();
        if (lost is not null)
        {
            throw lost;
        }

        string[] problems =
        [
            .. all.Zip(found).Where(static f => f.Second.Problem is not null).Select(static f => $"{f.First.Part.Key}: {f.Second.Problem}"),
        ];
        if (problems.Length > 0)
        {
            throw new PgBackupException(
                ErrorCode.ObjectDamaged,
                $"the snapshot {id} in the store {catalog.Store.Name} is damaged; nothing was restored.\n  {string.Join("\n  ", problems)}",
                "Restore another snapshot, or the undamaged databases of this one by --database."
            );
        }

        if (found.FirstOrDefault(static f => f.Refused is not null)?.Refused is { } refused)
        {
            throw refused;
        }
    }

    // What the store does not give ends the others too.
    private async Task<PartResult> CheckAsync(
        StoredPart part,
        PartProgress display,
        CatalogEntry entry,
        SemaphoreSlim slots,
        CancellationTokenSource stop
    )
    {
        bool entered = false;
        try
        {
            await slots.WaitAsync(stop.Token);
            entered = true;
            display.State = PartState.Checking;
            string? problem = part.Compare(entry.Objects) ?? await part.DecryptThroughAsync(cipher, display, stop.Token);
            display.State = problem is null ? PartState.Done : PartState.Failed;
            return new PartResult(problem, null);
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.IdentityUnusable or ErrorCode.ToolFailed)
        {
            display.State = PartState.Failed;
            return new PartResult(null, e);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ObjectDamaged)
        {
            display.State = PartState.Failed;
            return new PartResult(e.Message, null);
        }
        catch (PgBackupException e)
        {
            Interlocked.CompareExchange(ref lost, e, null);
            display.State = PartState.Failed;
            await stop.CancelAsync();
            return new PartResult(null, null);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return new PartResult(null, null); // nobody takes it for a good one: another one is lost, or all is cancelled
        }
        catch
        {
            await stop.CancelAsync();
            throw;
        }
        finally
        {
            if (entered)
            {
                slots.Release();
            }
        }
    }

    private sealed record PartResult(string? Problem, PgBackupException? Refused);
}
