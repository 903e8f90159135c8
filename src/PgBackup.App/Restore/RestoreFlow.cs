using PgBackup.App.Render;
using PgBackup.Encryption;
using PgBackup.Installations;
using PgBackup.Operations.Restore;
using PgBackup.Storage;

namespace PgBackup.App.Restore;

/// <summary>A restore from its plan to its report: what the verb, its dialogue and the demo share.</summary>
internal sealed class RestoreFlow(Installation installation, IObjectStore store, Identity? identity)
{
    /// <summary>How many databases are restored at the same time.</summary>
    public static int DatabasesAtOnce => Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>Checks and plans, shows the plan, and carries it out with a display of its progress.</summary>
    /// <param name="request">What to restore.</param>
    /// <param name="target">Where to.</param>
    /// <param name="confirm">Gets the plan before anything is changed, and refuses it by an exception; null to do it unasked.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task<RestoreReport> RunAsync(
        RestoreRequest request,
        RestoreTarget target,
        Func<RestorePlan, CancellationToken, Task>? confirm,
        CancellationToken cancel
    )
    {
        await using PreparedRestore prepared = await ProgressDisplay.ShowAsync(
            installation.Clock,
            progress => installation.Restore(store, identity, progress).PrepareAsync(request, target, cancel)
        );
        RestoreText.Show(prepared.Plan);
        if (confirm is not null)
        {
            await confirm(prepared.Plan, cancel);
        }

        return await ProgressDisplay.ShowAsync(installation.Clock, progress => prepared.RunAsync(progress, cancel));
    }

    /// <summary>
    /// Has the name typed of each database that is dropped, and a yes where one that is only replaced has newer rows than the snapshot.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.NotConfirmed"/>, <see cref="ErrorCode.TargetNewer"/>.</exception>
    public static async Task ConfirmAsync(RestorePlan plan, CancellationToken cancel)
    {
        await ConfirmDropsAsync(plan, cancel);
        string[] newer = [.. plan.Newer.Where(static s => s.Action == RestoreStep.Swap).Select(static s => s.Name)];
        if (newer.Length == 0)
        {
            return;
        }

        string what =
            $"{string.Join(", ", newer)} at {plan.Target} {(newer.Length == 1 ? "has" : "have")} rows that are newer than the "
            + $"snapshot {plan.Snapshot}";
        if (!Terminal.CanTalk || await Terminal.AskAsync($"{what}. To replace it anyway, type yes: ", cancel) != "yes")
        {
            throw new PgBackupException(
                ErrorCode.TargetNewer,
                $"{what}; nothing was changed.",
                "If these rows are to be left behind (they stay in the database that is kept), add --yes; else take a newer snapshot, "
                    + "or restore beside with --as NAME."
            );
        }
    }

    /// <summary>Has the name typed of each database that is dropped.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.NotConfirmed"/>.</exception>
    public static async Task ConfirmDropsAsync(RestorePlan plan, CancellationToken cancel)
    {
        foreach (string name in plan.Dropped)
        {
            if (await Terminal.AskAsync($"To drop \"{name}\" at {plan.Target}, type its name: ", cancel) != name)
            {
                throw new PgBackupException(
                    ErrorCode.NotConfirmed,
                    $"that was not \"{name}\"; nothing was changed.",
                    "Use --swap, which keeps the present database, or type the name exactly as in the plan."
                );
            }
        }
    }
}
