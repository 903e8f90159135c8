using PgBackup.Retention;
using PgBackup.Snapshots;

namespace PgBackup.Tests.Retention;

/// <summary>Snapshots, complete and readable unless a test says otherwise.</summary>
internal static class Snapshot
{
    /// <summary>One by its id, or by a day: then it was taken at 03:00.</summary>
    public static RetainedSnapshot At(string idOrDay) =>
        Of(SnapshotId.TryParse(idOrDay.Length == 8 ? $"{idOrDay}T030000Z" : idOrDay)!.Value);

    public static RetainedSnapshot Of(SnapshotId id) =>
        new()
        {
            Id = id,
            IsComplete = true,
            IsProven = false,
            IsPinned = false,
            IsReadable = true,
            Bytes = 100,
        };

    /// <summary>One a night, from a day to another, both included.</summary>
    public static RetainedSnapshot[] Nights(string first, string last)
    {
        DateTimeOffset start = At(first).Id.Time;
        int count = (At(last).Id.Time - start).Days + 1;
        return [.. Enumerable.Range(0, count).Select(night => Of(SnapshotId.At(start.AddDays(night))))];
    }

    public static DateTimeOffset Time(string text) => DateTimeOffset.Parse(text, null, System.Globalization.DateTimeStyles.AssumeUniversal);

    public static RetentionRules Rules(
        string? all = null,
        string? daily = null,
        string? weekly = null,
        string? monthly = null,
        string? yearly = null
    )
    {
        return new RetentionRules
        {
            All = Length(all),
            Daily = Length(daily),
            Weekly = Length(weekly),
            Monthly = Length(monthly),
            Yearly = Length(yearly),
        };

        static RetentionLength? Length(string? text) => text is null ? null : RetentionLength.TryParse(text).ShouldNotBeNull();
    }

    /// <summary>For each snapshot its day and what keeps it.</summary>
    public static IEnumerable<string> Told(this RetentionPlan plan) =>
        plan.Decisions.Select(static d => $"{d.Snapshot.Id.Time:MMdd}: {d.Why}");

    /// <summary>The days of those that stay.</summary>
    public static IEnumerable<string> KeptDays(this RetentionPlan plan) => plan.Kept.Select(static d => $"{d.Snapshot.Id.Time:yyyyMMdd}");
}
