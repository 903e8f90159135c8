using System.Globalization;
using PgBackup.Retention;

namespace PgBackup.Tests.Retention;

/// <summary>
/// What a store must keep, worked out by grouping, in other words than the policy's: names of days, weeks, months and years from the
/// calendar classes, ends from the parts of a date.
/// </summary>
internal static class RetentionOracle
{
    /// <summary>For each snapshot the reasons to keep it, as text, sorted; none for those to be removed.</summary>
    public static Dictionary<RetainedSnapshot, string[]> Reasons(
        RetentionRules rules,
        IReadOnlyCollection<RetainedSnapshot> store,
        DateTimeOffset now
    )
    {
        var reasons = store.ToDictionary(static s => s, static _ => new List<string>());
        DateTime clock = now.UtcDateTime;
        RetainedSnapshot[] whole = [.. store.Where(static s => s is { IsComplete: true, IsReadable: true })];

        Promise("All", rules.All, store);
        Promise("Daily", rules.Daily, whole.GroupBy(static s => s.Id.ToString()[..8]).Select(First));
        Promise(
            "Weekly",
            rules.Weekly,
            whole.GroupBy(static s => (ISOWeek.GetYear(Taken(s)), ISOWeek.GetWeekOfYear(Taken(s)))).Select(First)
        );
        Promise("Monthly", rules.Monthly, whole.GroupBy(static s => s.Id.ToString()[..6]).Select(First));
        Promise("Yearly", rules.Yearly, whole.GroupBy(static s => s.Id.ToString()[..4]).Select(First));

        foreach (
            RetainedSnapshot[] part in (RetainedSnapshot[][])
                [
                    [.. store],
                    [.. store.Where(s => Taken(s) <= clock)],
                ]
        )
        {
            Protect("Newest", part);
            Protect("NewestComplete", part.Intersect(whole));
            Protect("NewestProven", part.Where(static s => s is { IsReadable: true, IsProven: true }));
            Protect("NewestProven", part.Intersect(whole).Where(static s => s.IsProven));
        }

        // The newest that is whole needs no other protection.
        foreach (
            RetainedSnapshot[] part in (RetainedSnapshot[][])
                [
                    [.. store],
                    [.. store.Where(s => Taken(s) <= clock)],
                ]
        )
        {
            RetainedSnapshot? sound = part.Intersect(whole)
                .Where(static s => !s.HasUnconfirmedLoss)
                .MaxBy(static s => s.Id.ToString(), StringComparer.Ordinal);
            if (sound is not null && !reasons[sound].Contains("NewestComplete"))
            {
                reasons[sound].Add("NewestWithoutLoss");
            }
        }

        foreach (RetainedSnapshot snapshot in store)
        {
            (bool Holds, string Text)[] others =
            [
                (snapshot.IsPinned, "Pinned"),
                (!snapshot.IsReadable, "Unreadable"),
                (Taken(snapshot) > clock, $"FromTheFuture {Taken(snapshot):u}"),
                (snapshot.LockedUntil?.UtcDateTime > clock, $"Locked {snapshot.LockedUntil?.UtcDateTime:u}"),
                (rules.ToString() == "everything", "NoRules"),
            ];
            reasons[snapshot].AddRange(others.Where(static o => o.Holds).Select(static o => o.Text));
        }

        return reasons.ToDictionary(static r => r.Key, static r => r.Value.Distinct().Order(StringComparer.Ordinal).ToArray());

        void Promise(string tier, RetentionLength? length, IEnumerable<RetainedSnapshot> chosen)
        {
            foreach (RetainedSnapshot snapshot in length is null ? [] : chosen)
            {
                if (length == RetentionLength.Forever)
                {
                    reasons[snapshot].Add(tier);
                }
                else if (End(length!, Taken(snapshot)) is var end && end > clock)
                {
                    reasons[snapshot].Add($"{tier} {end:u}");
                }
            }
        }

        void Protect(string kind, IEnumerable<RetainedSnapshot> among)
        {
            if (among.OrderByDescending(static s => s.Id.ToString(), StringComparer.Ordinal).FirstOrDefault() is { } newest)
            {
                reasons[newest].Add(kind);
            }
        }
    }

    /// <summary>A decision's reasons in the same words.</summary>
    public static string[] Words(RetentionDecision decision) =>
        [
            .. decision
                .Reasons.Select(static r => r.Until is { } end ? $"{r.Kind} {end.UtcDateTime:u}" : $"{r.Kind}")
                .Order(StringComparer.Ordinal),
        ];

    private static DateTime Taken(RetainedSnapshot snapshot) => snapshot.Id.Time.UtcDateTime;

    private static RetainedSnapshot First(IEnumerable<RetainedSnapshot> bucket) =>
        bucket.MinBy(static s => s.Id.ToString(), StringComparer.Ordinal)!;

    private static DateTime End(RetentionLength length, DateTime start)
    {
        int hours = length.Unit switch
        {
            RetentionUnit.Hours => 1,
            RetentionUnit.Days => 24,
            RetentionUnit.Weeks => 168,
            _ => 0,
        };
        if (hours > 0)
        {
            return start.AddTicks(TimeSpan.TicksPerHour * hours * length.Number);
        }

        int month = start.Month + (length.Unit == RetentionUnit.Months ? length.Number : 0);
        int year = start.Year + (length.Unit == RetentionUnit.Years ? length.Number : 0);
        while (month > 12)
        {
            month -= 12;
            year++;
        }

        return new DateTime(year, month, Math.Min(start.Day, DateTime.DaysInMonth(year, month))) + start.TimeOfDay;
    }
}
