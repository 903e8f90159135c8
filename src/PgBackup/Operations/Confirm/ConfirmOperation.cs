using PgBackup.Losses;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Confirm;

/// <summary>
/// A person has looked at losses, and they are right: a record of that in every store, and then the mark <c>CONFIRMED</c> beside every
/// snapshot with the mark <c>LOSS</c> in which all that is red is confirmed. Nothing is edited or removed.
/// </summary>
/// <param name="stores">All stores.</param>
/// <param name="recorder">Writes the record.</param>
/// <param name="clock">The time.</param>
public sealed class ConfirmOperation(IReadOnlyList<IObjectStore> stores, Recorder recorder, TimeProvider clock)
{
    private const int MostNamed = 5;

    private static readonly TimeSpan StoreTime = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Confirms. The record is what counts, the marks follow from it: after a run that was killed in between, or that did not reach a
    /// store, the same again adds what is missing.
    /// </summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.SnapshotMissing"/>, or why its manifest cannot be read; <see cref="ErrorCode.NothingToConfirm"/>: it has no
    /// loss; <see cref="ErrorCode.Usage"/>: a name that none of its losses has; <see cref="ErrorCode.ConfirmationNotRecorded"/>: no store
    /// took the record, and nothing is confirmed.
    /// </exception>
    public async Task<ConfirmReport> RunAsync(ConfirmRequest request, CancellationToken cancel)
    {
        (Manifest manifest, Manifest? proven) = await FindAsync(request, cancel);
        ConfirmationsReading known = await new LossSurvey(stores, clock).ConfirmationsAsync(cancel);
        IReadOnlyList<JudgedLoss> losses = Judge(manifest, proven, known.Confirmations);
        if (losses.Count == 0)
        {
            throw await NothingAsync(manifest.Id, cancel);
        }

        IReadOnlyList<JudgedLoss> chosen = request.Choose(losses);
        IReadOnlyList<Loss> fresh = [.. chosen.Where(static l => !l.IsSettled).Select(static l => l.Loss)];
        Recorded? recorded = fresh.Count == 0 ? null : await RecordAsync(manifest.Id, fresh, request.Note, cancel);
        var confirmations = new Confirmations([
            .. known.Records.Select(static r => r.Record),
            .. recorded is null ? Array.Empty<Record>() : [recorded.Record],
        ]);
        List<ConfirmationRecord> used =
        [
            .. known.Records.Where(r => r.LackedBy.Count > 0 && chosen.Any(l => ReferenceEquals(l.By, r.Record))),
        ];
        (ConfirmedStore Store, Finding? Problem)[] done = await Task.WhenAll(
            stores.Select(s => FollowAsync(s, recorded, used, confirmations, cancel))
        );
        return new ConfirmReport
        {
            Snapshot = manifest.Id,
            Confirmed = fresh,
            Before = [.. chosen.Where(static l => l.IsSettled).Select(static l => l.Loss)],
            Left = [.. Judge(manifest, proven, confirmations).Where(static l => !l.IsSettled).Select(static l => l.Finding)],
            User = recorded?.Record.User,
            Note = recorded?.Record.Note,
            Stores = [.. done.Select(static d => d.Store)],
            Findings = [.. known.Problems, .. recorded?.Findings ?? [], .. done.Select(static d => d.Problem).OfType<Finding>()],
        };
    }

    // What it says itself, and what a drill finds that it lacks since the last proven one.
    private static IReadOnlyList<JudgedLoss> Judge(Manifest manifest, Manifest? proven, Confirmations confirmations)
    {
        SurveyedLosses own = LossSurvey.Of(manifest, confirmations);
        return proven is null ? own.All : [.. own.All, .. new SinceProven(proven, manifest, own, confirmations).Gone()];
    }

    // From the first store that has it and can be read: a manifest is the same everywhere.
    private async Task<(Manifest Manifest, Manifest? Proven)> FindAsync(ConfirmRequest request, CancellationToken cancel)
    {
        PgBackupException? first = null;
        foreach (IObjectStore store in stores.Where(s => request.Store is null || s.Name == request.Store))
        {
            try
            {
                Found found = await Patience.RequireAsync(
                    $"the store {store.Name}",
                    c => FindAsync(new Catalog(store, clock), request.Snapshot, c),
                    StoreTime,
                    clock,
                    cancel
                );
                return (found.Manifest, found.Proven);
            }
            catch (PgBackupException e) when (e.Code is not (ErrorCode.Usage or ErrorCode.Cancelled) && !cancel.IsCancellationRequested)
            {
                first ??= e;
            }
        }

        throw first!;
    }

    private static async Task<Found> FindAsync(Catalog catalog, SnapshotRef wanted, CancellationToken cancel)
    {
        (SnapshotId id, Manifest manifest) = await catalog.FindAsync(wanted, cancel);
        return new Found(manifest, await SinceProven.FindAsync(catalog, id, cancel));
    }

    private sealed record Found(Manifest Manifest, Manifest? Proven);

    private async Task<Recorded> RecordAsync(string snapshot, IReadOnlyList<Loss> losses, string? note, CancellationToken cancel)
    {
        Record begun = recorder.Begin(RecordKind.Confirm, "losses that a person has looked at");
        Recorded recorded = await recorder.WriteAsync(
            begun with
            {
                Result = RecordResult.Ok,
                Summary = $"{Words.Count(losses.Count, "loss", "losses")} of {snapshot} confirmed",
                Snapshot = snapshot,
                Confirmed = losses,
                Note = note,
            },
            cancel
        );
        return recorded.Stores.Count > 0
            ? recorded
            : throw new PgBackupException(
                ErrorCode.ConfirmationNotRecorded,
                $"no store took the record of the confirmation, so nothing is confirmed: {recorded.Findings[0].Fact}.",
                recorded.Findings[0].Fix ?? "Confirm again when a store can be written to."
            );
    }

    // What follows from the records, in one store: the records of before that it lacks, and the marks.
    private async Task<(ConfirmedStore, Finding?)> FollowAsync(
        IObjectStore store,
        Recorded? recorded,
        IEnumerable<ConfirmationRecord> used,
        Confirmations confirmations,
        CancellationToken cancel
    )
    {
        var result = new ConfirmedStore
        {
            Store = store.Name,
            IsWhole = recorded is null || recorded.Stores.Contains(store.Name),
            Marked = [],
            Red = [],
        };
        try
        {
            foreach (ConfirmationRecord record in used.Where(r => r.LackedBy.Contains(store)))
            {
                await new RecordsFolder(store).PutAsync(record.Name, record.Record, cancel);
            }

            (IReadOnlyList<string> marked, IReadOnlyList<string> red) = await new ConfirmMarks(store, clock).AddAsync(
                confirmations,
                cancel
            );
            return (result with { Marked = marked, Red = red }, null);
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled && !cancel.IsCancellationRequested)
        {
            string what = $"{store.Name}: not all that follows from the confirmation could be written";
            return (result with { IsWhole = false }, Finding.Of(Severity.Warning, ErrorCode.ConfirmedInPart, store.Name, what, e));
        }
    }

    private async Task<PgBackupException> NothingAsync(string snapshot, CancellationToken cancel)
    {
        SortedSet<SnapshotId> have = [];
        foreach (IObjectStore store in stores)
        {
            try
            {
                have.UnionWith(
                    (await new Catalog(store, clock).ListAsync(cancel)).Where(static e => e.HasUnconfirmedLoss).Select(static e => e.Id)
                );
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled && !cancel.IsCancellationRequested)
            {
                // The answer is about the one snapshot; what others have only helps.
            }
        }

        string newest = string.Join(", ", have.Reverse().Take(MostNamed));
        return new PgBackupException(
            ErrorCode.NothingToConfirm,
            $"the snapshot {snapshot} has no loss; nothing was confirmed.",
            have.Count == 0 ? "No snapshot has an unconfirmed one."
                : have.Count > MostNamed ? $"The newest snapshots that have one: {newest}, and {have.Count - MostNamed} older ones."
                : $"These have one: {newest}."
        );
    }
}
