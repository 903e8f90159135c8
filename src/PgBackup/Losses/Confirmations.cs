using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>
/// What persons have confirmed, from the records of kind <see cref="RecordKind.Confirm"/> of all stores, in any order. Pure.
/// </summary>
/// <remarks>
/// A confirmation names losses of one snapshot, and settles each of them in every snapshot that has it. In a snapshot that is not newer,
/// that is the same kind of loss of the same thing. In a newer one it must be the same loss, and no worse: compared with a snapshot from
/// before the confirmed one, and with at least half of the rows that it had then. What is lost after a confirmation is a loss of its own.
/// </remarks>
public sealed class Confirmations
{
    private readonly ILookup<(LossKind, string), Confirmed> bySubject;

    /// <summary>Makes them of records. Those of another kind, and those that make no sense, confirm nothing.</summary>
    public Confirmations(IEnumerable<Record> records) =>
        bySubject = records
            .Where(static r => r is { Kind: RecordKind.Confirm, Result: RecordResult.Ok or RecordResult.Partial })
            .OrderByDescending(static r => r.Started)
            .ThenBy(static r => r.Snapshot, StringComparer.Ordinal)
            .SelectMany(static r => Read(r))
            .ToLookup(static c => (c.Loss.Kind, c.Loss.Subject));

    /// <summary>Nobody has confirmed anything.</summary>
    public static Confirmations None { get; } = new([]);

    /// <summary>The loss is settled: it was announced before the run, or a person has confirmed it.</summary>
    /// <param name="snapshot">The manifest that has the loss.</param>
    /// <param name="loss">One of its losses.</param>
    public bool Covers(Manifest snapshot, Loss loss) => loss.IsExpected || Find(snapshot, loss) is not null;

    /// <summary>The newest record by which a person has confirmed the loss; null where nobody has.</summary>
    /// <param name="snapshot">The manifest that has the loss.</param>
    /// <param name="loss">One of its losses.</param>
    public Record? Find(Manifest snapshot, Loss loss) =>
        SnapshotId.TryParse(snapshot.Id) is { } id && loss.Kind != LossKind.Unknown
            ? bySubject[(loss.Kind, loss.Subject)].FirstOrDefault(c => IsSame(c.Loss, loss) && c.Covers(id, loss))?.Record
            : null;

    // A name may have a full stop in it: two things may have one subject.
    private static bool IsSame(Loss one, Loss other) =>
        one.Database == other.Database && one.Table == other.Table && one.Column == other.Column;

    private static IEnumerable<Confirmed> Read(Record record) =>
        record.Snapshot is { } named && SnapshotId.TryParse(named) is { } id
            ? record
                .Confirmed.Where(static l => l is { Kind: not LossKind.Unknown, Before: >= 0, Now: >= 0 })
                .Select(l => new Confirmed(record, id, l))
            : [];

    private sealed record Confirmed(Record Record, SnapshotId Id, Loss Loss)
    {
        public bool Covers(SnapshotId snapshot, Loss found) =>
            snapshot == Id || (!IsOfFuture && (snapshot < Id || (IsBefore(found.Since) && IsNoWorse(found))));

        // A snapshot of a wrong clock is newer than all that come for a long time: its confirmation is about it alone.
        private bool IsOfFuture => Id.IsAfter(Record.Started);

        private bool IsBefore(string since) => SnapshotId.TryParse(since) is { } reference && !(reference > Id);

        private bool IsNoWorse(Loss found) => Loss.Now - found.Now <= found.Now;
    }
}
