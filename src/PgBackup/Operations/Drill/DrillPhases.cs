namespace PgBackup.Operations.Drill;

/// <summary>The phases of a drill, one after another, without a gap between them.</summary>
internal sealed class DrillPhases(TimeProvider clock)
{
    private readonly List<DrillPhase> phases = [];
    private long begun = clock.GetTimestamp();

    /// <summary>Those that have ended, in order; lengths in seconds.</summary>
    public IReadOnlyList<DrillPhase> All => phases;

    /// <summary>How long they took together, in seconds.</summary>
    public double Seconds => phases.Sum(static p => p.Seconds);

    /// <summary>The present one ends, and this was it.</summary>
    public void End(string name)
    {
        long now = clock.GetTimestamp();
        phases.Add(new DrillPhase { Name = name, Seconds = Math.Round(clock.GetElapsedTime(begun, now).TotalSeconds, 3) });
        begun = now;
    }

    /// <summary>Two end at once, of which the first took so long by another clock.</summary>
    public void End(string first, double firstSeconds, string second)
    {
        long now = clock.GetTimestamp();
        double all = clock.GetElapsedTime(begun, now).TotalSeconds;
        phases.Add(new DrillPhase { Name = first, Seconds = Math.Round(firstSeconds, 3) });
        phases.Add(new DrillPhase { Name = second, Seconds = Math.Round(all - firstSeconds, 3) });
        begun = now;
    }
}
