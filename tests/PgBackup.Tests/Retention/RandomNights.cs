using FsCheck;
using FsCheck.Fluent;
using PgBackup.Retention;
using PgBackup.Snapshots;

namespace PgBackup.Tests.Retention;

/// <summary>One run of a random history.</summary>
internal sealed record RandomRun
{
    /// <summary>Days since the run before; 0 for another run of the same day.</summary>
    public required int DaysLater { get; init; }

    /// <summary>Minutes after 03:00 local time.</summary>
    public required int Minutes { get; init; }

    /// <summary>How far the clock was off.</summary>
    public required int MinutesOff { get; init; }

    public required bool IsComplete { get; init; }

    public required bool IsProven { get; init; }

    public required bool IsPinned { get; init; }

    public required bool IsReadable { get; init; }

    public required bool HasLoss { get; init; }

    /// <summary>0 for no lock.</summary>
    public required int DaysLocked { get; init; }

    /// <summary>For whatever else a test lets happen then: which snapshot is unpinned, or tested.</summary>
    public required int Dice { get; init; }

    public override string ToString() =>
        $"+{DaysLater}d{Minutes}m{(MinutesOff == 0 ? "" : $" off {MinutesOff}m")}{(IsComplete ? "" : " incomplete")}"
        + $"{(IsProven ? " proven" : "")}"
        + $"{(IsPinned ? " pinned" : "")}{(IsReadable ? "" : " unreadable")}{(HasLoss ? " lossy" : "")}{(DaysLocked == 0 ? "" : $" locked {DaysLocked}d")} dice "
        + $"{Dice}";
}

/// <summary>Random rules, and nights at 03:00 of a zone, with failures, gaps, several runs a day and clocks that jump.</summary>
internal sealed record RandomNights
{
    public required RetentionRules Rules { get; init; }

    /// <summary>The rules that a test may change to.</summary>
    public required RetentionRules OtherRules { get; init; }

    public required TimeZoneInfo Zone { get; init; }

    public required RandomRun[] Runs { get; init; }

    /// <summary>How long after the last run a test plans, in minutes; negative for a clock that jumped back.</summary>
    public required int MinutesAfter { get; init; }

    /// <summary>All snapshots, each as its clock named it, in the order in which they were taken.</summary>
    public IReadOnlyList<RetainedSnapshot> Snapshots { get; private set; } = [];

    /// <summary>The moment at which a test plans.</summary>
    public DateTimeOffset Now { get; private set; }

    /// <summary>
    /// Checks a promise for many random histories; the seed is fixed, and a failure tells the history, made as short as possible.
    /// PROPERTY_SEED (an odd number) and PROPERTY_CASES (a factor) in the environment search further.
    /// </summary>
    public static void Check(Gen<RandomNights> histories, int cases, Action<RandomNights> promise)
    {
        ulong seed = ulong.Parse(Environment.GetEnvironmentVariable("PROPERTY_SEED") ?? "20260301");
        int factor = int.Parse(Environment.GetEnvironmentVariable("PROPERTY_CASES") ?? "1");
        Config config = Config.QuickThrowOnFailure.WithMaxTest(cases * factor).WithReplay(seed, seed);
        FsCheck.Check.One(config, Prop.ForAll(Arb.From(histories, Shorter), promise));
    }

    /// <param name="least">The fewest runs.</param>
    /// <param name="most">The most.</param>
    /// <param name="rightClocks">Clocks never jump.</param>
    public static Gen<RandomNights> Of(int least, int most, bool rightClocks = false) =>
        from count in Gen.Choose(least, most)
        from runs in Run(rightClocks).ArrayOf(count)
        from rules in AnyRules
        from other in AnyRules
        from zone in Gen.Elements(Zones)
        from after in Gen.Frequency((6, Gen.Choose(0, 3 * 1440)), (3, Gen.Choose(0, 400 * 1440)), (1, Gen.Choose(-20 * 1440, 0)))
        select new RandomNights
        {
            Runs = runs,
            Rules = rules,
            OtherRules = other,
            Zone = zone,
            MinutesAfter = after,
        }.Taken();

    public override string ToString() =>
        $"rules: {Rules}\nor: {OtherRules}\nzone: {Zone.DisplayName}\nnow: {Now:u}\n"
        + string.Join('\n', Runs.AsEnumerable())
        + "\n=\n"
        + string.Join('\n', Snapshots);

    // Three in the morning falls on another UTC day in summer than in winter, in the zones of three hours east and nine west.
    private static TimeZoneInfo[] Zones { get; } = [TimeZoneInfo.Utc, EastOfUtc(1), EastOfUtc(3), EastOfUtc(-9), EastOfUtc(12)];

    private static Gen<RetentionLength> AnyLength { get; } =
        Gen.Frequency(
            (2, Lengths(48, RetentionUnit.Hours)),
            (6, Lengths(40, RetentionUnit.Days)),
            (3, Lengths(20, RetentionUnit.Weeks)),
            (4, Lengths(20, RetentionUnit.Months)),
            (2, Lengths(3, RetentionUnit.Years)),
            (1, Gen.Constant(RetentionLength.Forever))
        );

    private static Gen<RetentionRules> AnyRules { get; } =
        Gen.Frequency((1, Gen.Constant(RetentionRules.Default)), (7, FromTiers(AnyLength)));

    private static Gen<RetentionRules> FromTiers(Gen<RetentionLength> length)
    {
        Gen<RetentionLength?> tier = Gen.Frequency(
            (1, Gen.Constant<RetentionLength?>(null)),
            (2, length.Select(static l => (RetentionLength?)l))
        );
        return from all in tier
            from daily in tier
            from weekly in tier
            from monthly in tier
            from yearly in tier
            select new RetentionRules
            {
                All = all,
                Daily = daily,
                Weekly = weekly,
                Monthly = monthly,
                Yearly = yearly,
            };
    }

    private static Gen<RetentionLength> Lengths(int most, RetentionUnit unit) =>
        Gen.Choose(1, most).Select(number => RetentionLength.Of(number, unit));

    private static Gen<RandomRun> Run(bool rightClocks) =>
        from days in Gen.Frequency((16, Gen.Constant(1)), (2, Gen.Constant(0)), (1, Gen.Choose(2, 6)), (1, Gen.Choose(1, 60)))
        from minutes in Gen.Frequency((5, Gen.Constant(0)), (1, Gen.Choose(0, 1439)))
        from off in rightClocks
            ? Gen.Constant(0)
            : Gen.Frequency((30, Gen.Constant(0)), (1, Gen.Choose(-10 * 1440, 10 * 1440)), (1, Gen.Choose(-90, 90)))
        from complete in OneIn(5)
        from proven in OneIn(12)
        from pinned in OneIn(25)
        from unreadable in OneIn(30)
        from lossy in OneIn(4)
        from locked in Gen.Frequency((9, Gen.Constant(0)), (1, Gen.Choose(1, 200)))
        from dice in Gen.Choose(0, 9999)
        select new RandomRun
        {
            DaysLater = days,
            Minutes = minutes,
            MinutesOff = off,
            IsComplete = !complete,
            IsProven = proven,
            IsPinned = pinned,
            IsReadable = !unreadable,
            HasLoss = lossy,
            DaysLocked = locked,
            Dice = dice,
        };

    private static Gen<bool> OneIn(int number) => Gen.Choose(1, number).Select(static n => n == 1);

    private static IEnumerable<RandomNights> Shorter(RandomNights history)
    {
        for (int length = history.Runs.Length / 2; length > 0; length /= 2)
        {
            for (int start = 0; start < history.Runs.Length; start += length)
            {
                yield return (history with { Runs = [.. history.Runs[..start], .. history.Runs.Skip(start + length)] }).Taken();
            }
        }
    }

    private static TimeZoneInfo EastOfUtc(int hours)
    {
        TimeZoneInfo.AdjustmentRule summer = TimeZoneInfo.AdjustmentRule.CreateAdjustmentRule(
            DateTime.MinValue.Date,
            DateTime.MaxValue.Date,
            TimeSpan.FromHours(1),
            TimeZoneInfo.TransitionTime.CreateFloatingDateRule(new DateTime(1, 1, 1, 2, 0, 0), 3, 5, DayOfWeek.Sunday),
            TimeZoneInfo.TransitionTime.CreateFloatingDateRule(new DateTime(1, 1, 1, 3, 0, 0), 10, 5, DayOfWeek.Sunday)
        );
        string name = $"UTC{hours:+0;-0} with summer time";
        return TimeZoneInfo.CreateCustomTimeZone(name, TimeSpan.FromHours(hours), name, name, name, [summer]);
    }

    private RandomNights Taken()
    {
        // Before two leap years and a year of 53 weeks.
        var night = new DateTime(2023, 11, 20, 3, 0, 0);
        DateTimeOffset now = TimeZoneInfo.ConvertTimeToUtc(night, Zone);
        Dictionary<SnapshotId, RetainedSnapshot> taken = [];
        foreach (RandomRun run in Runs)
        {
            night = night.AddDays(run.DaysLater);
            now = new DateTimeOffset(TimeZoneInfo.ConvertTimeToUtc(night, Zone)).AddMinutes(run.Minutes + run.MinutesOff);
            SnapshotId id = SnapshotId.At(now);
            taken.TryAdd(
                id,
                new RetainedSnapshot
                {
                    Id = id,
                    IsComplete = run.IsComplete,
                    IsProven = run.IsProven,
                    IsPinned = run.IsPinned,
                    IsReadable = run.IsReadable,
                    HasUnconfirmedLoss = run.HasLoss,
                    Bytes = run.Dice,
                    LockedUntil = run.DaysLocked == 0 ? null : now.AddDays(run.DaysLocked),
                }
            );
        }

        Snapshots = [.. taken.Values];
        Now = now.AddMinutes(MinutesAfter);
        return this;
    }
}
