using PgBackup.Operations.Keys;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Check;

/// <summary>Removes damaged canaries with their digests, so that the next run writes new ones. No restore needs them.</summary>
public sealed class CanaryRepair(IReadOnlyList<BackupStore> stores)
{
    /// <summary>Mends what can be mended of the problems that a check found, and says so in each.</summary>
    /// <param name="problems">What is wrong in stores apart from their snapshots.</param>
    /// <param name="holder">Who holds the locks, for others that wait.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<IReadOnlyList<StoreProblem>> RunAsync(IReadOnlyList<StoreProblem> problems, string holder, CancellationToken cancel)
    {
        List<StoreProblem> after = [];
        foreach (StoreProblem problem in problems)
        {
            after.Add(problem.IsReplaceable ? await RemoveAsync(problem, holder, cancel) : problem);
        }

        return after;
    }

    private async Task<StoreProblem> RemoveAsync(StoreProblem problem, string holder, CancellationToken cancel)
    {
        IObjectStore store = stores.First(s => s.Store.Name == problem.Store).Store;
        string name = problem.Object[(SnapshotLayout.Keys.Length + 1)..];
        string canary = KeysFolder.CanaryOf(name) ?? name;
        try
        {
            await using IStoreLock held = await store.LockAsync(holder, cancel);
            foreach (string key in (string[])[$"{SnapshotLayout.Keys}/{canary}", $"{SnapshotLayout.Keys}/{KeysFolder.SumName(canary)}"])
            {
                if (await store.FindAsync(key, cancel) is not null)
                {
                    await store.DeleteAsync(key, cancel);
                }
            }

            return problem with
            {
                Mended = "removed, with its digest",
            };
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
        {
            return problem with { Mended = $"NOT REPAIRED: {e.Message}" };
        }
    }
}
