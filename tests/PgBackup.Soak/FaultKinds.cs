using PgBackup.Soak.Kinds;

namespace PgBackup.Soak;

/// <summary>The one table of all kinds of faults.</summary>
internal static class FaultKinds
{
    public static IReadOnlyList<FaultKind> All { get; } =
    [
        new DamagedObject(),
        new DamagedMark(),
        new KilledProgram(),
        new KilledTool(),
        new EndedSession(),
        new KilledServer(),
        new RacingChanges(),
        new StoreFaults(),
        new FullDisk(),
        new LyingRclone(),
        new OddSurroundings(),
        new HostileContents(),
    ];

    /// <summary>By their shares.</summary>
    public static FaultKind Choose(IReadOnlyList<FaultKind> kinds, Random random)
    {
        int left = random.Next(kinds.Sum(static k => k.Share));
        return kinds.First(k => (left -= k.Share) < 0);
    }
}
