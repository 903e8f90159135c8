namespace PgBackup.Retention;

/// <summary>Goes through the snapshots of a store, oldest first, and says which tiers keep each of them until when.</summary>
internal sealed class TierWalk(RetentionRules rules)
{
    private readonly Tier[] tiers = [.. AllTiers(rules)];

    /// <summary>The tiers' reasons to keep the next snapshot, whose id is later than that of the one before; those that are over
    /// too.</summary>
    public List<KeepReason> Next(RetainedSnapshot snapshot)
    {
        List<KeepReason> reasons = [];
        DateTimeOffset time = snapshot.Id.Time;
        if (rules.All is { } all)
        {
            reasons.Add(new KeepReason { Kind = KeepReasonKind.All, Until = all.End(time) });
        }

        if (!snapshot.IsReadable || !snapshot.IsComplete)
        {
            return reasons;
        }

        foreach (Tier tier in tiers)
        {
            if (tier.IsFirstOfBucket(time))
            {
                reasons.Add(new KeepReason { Kind = tier.Kind, Until = tier.Length.End(time) });
            }
        }

        return reasons;
    }

    private static IEnumerable<Tier> AllTiers(RetentionRules rules)
    {
        (KeepReasonKind Kind, RetentionLength? Length, Func<DateTimeOffset, int> Bucket)[] tiers =
        [
            (KeepReasonKind.Daily, rules.Daily, Day),
            // 1 January of the year 1 was a Monday.
            (KeepReasonKind.Weekly, rules.Weekly, static time => Day(time) / 7),
            (KeepReasonKind.Monthly, rules.Monthly, static time => (12 * time.Year) + time.Month),
            (KeepReasonKind.Yearly, rules.Yearly, static time => time.Year),
        ];
        foreach ((KeepReasonKind kind, RetentionLength? length, Func<DateTimeOffset, int> bucket) in tiers)
        {
            if (length is not null)
            {
                yield return new Tier(kind, length, bucket);
            }
        }
    }

    private static int Day(DateTimeOffset time) => (int)(time.UtcTicks / TimeSpan.TicksPerDay);

    private sealed class Tier(KeepReasonKind kind, RetentionLength length, Func<DateTimeOffset, int> bucket)
    {
        private int? filled;

        public KeepReasonKind Kind => kind;

        public RetentionLength Length => length;

        public bool IsFirstOfBucket(DateTimeOffset time)
        {
            int number = bucket(time);
            bool isFirst = number != filled;
            filled = number;
            return isFirst;
        }
    }
}
