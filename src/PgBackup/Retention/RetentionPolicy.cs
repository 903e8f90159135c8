using PgBackup.Snapshots;

namespace PgBackup.Retention;

/// <summary>
/// Decides which snapshots of a store stay. Pure: the same facts give the same plan, in whatever order they come.
/// </summary>
/// <remarks>
/// <para>
/// <c>all</c> keeps every snapshot for its length, from the time of its id. Each other tier keeps the first complete, readable snapshot of
/// each bucket (UTC day, ISO week, month, year) for the tier's length, from the time of that snapshot. A snapshot stays while any reason
/// holds.
/// </para>
/// <para>
/// First means first of those that are still in the store. When the first of a bucket has gone, the next that something else still keeps
/// takes its place, until its own time plus the tier's length. So a tier may keep more than <see cref="RetainUntil"/> said, never less, and
/// nothing outlives its own time plus the longest length unless it is protected.
/// </para>
/// <para>
/// Protected whatever the rules say: the newest one, the newest complete one, the newest complete one without an unconfirmed loss, and the
/// newest proven one (also the newest that is both complete and proven); pinned, unreadable and locked ones, and those that a replica still
/// lacks; and ids later than now. The newest are looked for among all
/// snapshots and again among those not later than now, so that one snapshot of a wrong clock does not take the protection from the real
/// newest.
/// </para>
/// </remarks>
public static class RetentionPolicy
{
    /// <summary>What becomes of each snapshot at a moment. Carrying it out and planning again for that moment removes nothing
    /// more.</summary>
    /// <exception cref="ArgumentException">Two snapshots have the same id.</exception>
    public static RetentionPlan Plan(RetentionRules rules, IReadOnlyCollection<RetainedSnapshot> snapshots, DateTimeOffset now)
    {
        RetainedSnapshot[] ordered = [.. snapshots.OrderBy(static s => s.Id)];
        for (int i = 1; i < ordered.Length; i++)
        {
            if (ordered[i].Id == ordered[i - 1].Id)
            {
                throw new ArgumentException($"There are two snapshots {ordered[i].Id}.", nameof(snapshots));
            }
        }

        var walk = new TierWalk(rules);
        HashSet<SnapshotId> newest = Newest(ordered, now, static _ => true);
        HashSet<SnapshotId> newestComplete = Newest(ordered, now, static s => s.IsReadable && s.IsComplete);
        HashSet<SnapshotId> newestProven = Newest(ordered, now, static s => s.IsReadable && s.IsProven);
        HashSet<SnapshotId> newestWithoutLoss = Newest(
            ordered,
            now,
            static s => s is { IsReadable: true, IsComplete: true, HasUnconfirmedLoss: false }
        );
        newestWithoutLoss.ExceptWith(newestComplete);
        // A drill of an incomplete snapshot proves little; it must not cost the one that proves more.
        newestProven.UnionWith(Newest(ordered, now, static s => s.IsReadable && s.IsProven && s.IsComplete));

        return new RetentionPlan
        {
            Rules = rules,
            Now = now,
            Decisions = [.. ordered.Select(Decide)],
        };

        RetentionDecision Decide(RetainedSnapshot snapshot)
        {
            List<KeepReason> reasons = walk.Next(snapshot);
            reasons.RemoveAll(r => r.Until <= now);
            Add(snapshot.IsPinned, KeepReasonKind.Pinned);
            Add(newestComplete.Contains(snapshot.Id), KeepReasonKind.NewestComplete);
            Add(newestProven.Contains(snapshot.Id), KeepReasonKind.NewestProven);
            Add(newest.Contains(snapshot.Id), KeepReasonKind.Newest);
            Add(!snapshot.IsReadable, KeepReasonKind.Unreadable);
            Add(snapshot.IsDisputed, KeepReasonKind.Disputed);
            Add(snapshot.Id.Time > now, KeepReasonKind.FromTheFuture, snapshot.Id.Time);
            Add(snapshot.LockedUntil > now, KeepReasonKind.Locked, snapshot.LockedUntil);
            Add(snapshot.IsAwaited, KeepReasonKind.Awaited);
            Add(newestWithoutLoss.Contains(snapshot.Id), KeepReasonKind.NewestWithoutLoss);
            Add(!rules.HasTiers, KeepReasonKind.NoRules);
            return new RetentionDecision { Snapshot = snapshot, Reasons = reasons };

            void Add(bool holds, KeepReasonKind kind, DateTimeOffset? until = null)
            {
                if (holds)
                {
                    reasons.Add(new KeepReason { Kind = kind, Until = until });
                }
            }
        }
    }

    /// <summary>
    /// Until when the tiers will keep a snapshot that is being written now, as <see cref="Plan"/> would say then: for the object lock.
    /// Null is for ever. The snapshot's own time means that no tier keeps it (that is also so for rules without tiers, which remove nothing
    /// but promise nothing either: a lock cannot be taken back). Protections, which can end any day, do not count.
    /// </summary>
    /// <param name="rules">The store's rules.</param>
    /// <param name="id">The new snapshot.</param>
    /// <param name="isComplete">It will be complete.</param>
    /// <param name="inStore">What the store has; only earlier ones matter.</param>
    public static DateTimeOffset? RetainUntil(RetentionRules rules, SnapshotId id, bool isComplete, IEnumerable<RetainedSnapshot> inStore)
    {
        var walk = new TierWalk(rules);
        foreach (RetainedSnapshot earlier in inStore.Where(s => s.Id < id).OrderBy(static s => s.Id))
        {
            walk.Next(earlier);
        }

        List<KeepReason> reasons = walk.Next(
            new RetainedSnapshot
            {
                Id = id,
                IsComplete = isComplete,
                IsProven = false,
                IsPinned = false,
                IsReadable = true,
                Bytes = 0,
            }
        );
        return reasons.Any(static r => r.Until is null) ? null : reasons.Max(static r => r.Until) ?? id.Time;
    }

    private static HashSet<SnapshotId> Newest(RetainedSnapshot[] ordered, DateTimeOffset now, Func<RetainedSnapshot, bool> counts)
    {
        RetainedSnapshot?[] newest = [ordered.LastOrDefault(counts), ordered.LastOrDefault(s => s.Id.Time <= now && counts(s))];
        return [.. newest.OfType<RetainedSnapshot>().Select(static s => s.Id)];
    }
}
