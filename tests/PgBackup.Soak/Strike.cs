namespace PgBackup.Soak;

/// <summary>
/// One fault: its number, its own random numbers, what was done, and what was found wrong. Seed and number alone decide what is done, so
/// that each fault can be repeated without those before it. Only moments depend on how fast the machine is.
/// </summary>
internal sealed class Strike(int seed, int number)
{
    private readonly List<string> steps = [];
    private readonly List<Finding> findings = [];

    public int Number { get; } = number;

    public Random Random { get; } = new(Mixed(seed, number));

    public FaultKind? Kind { get; set; }

    /// <summary>What was done, in its order.</summary>
    public IReadOnlyList<string> Steps => steps;

    public IReadOnlyList<Finding> Findings => findings;

    public void Step(string what) => steps.Add(what);

    public void Find(Verdict verdict, string what) => findings.Add(new Finding(verdict, what));

    public T Pick<T>(params IReadOnlyList<T> choices) => choices[Random.Next(choices.Count)];

    public bool Chance(double probability) => Random.NextDouble() < probability;

    // Seeds that lie side by side give beginnings that resemble each other: the numbers are mixed first (the finalizer of SplitMix64).
    private static int Mixed(int seed, int number)
    {
        ulong z = ((ulong)(uint)seed << 32) + (ulong)number + 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return (int)((z ^ (z >> 31)) & 0x7FFFFFFF);
    }
}
