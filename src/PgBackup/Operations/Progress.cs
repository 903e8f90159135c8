using System.Collections.Concurrent;

namespace PgBackup.Operations;

/// <summary>What a long operation is doing, to be looked at from another thread whenever a display likes to.</summary>
public sealed class Progress
{
    private readonly ConcurrentQueue<PartProgress> parts = new();

    /// <summary>The parts, in the order in which they were announced.</summary>
    public IReadOnlyCollection<PartProgress> Parts => parts;

    /// <summary>Is told each finished step in a line of plain text.</summary>
    public Action<string> Log { get; init; } = static _ => { };

    /// <summary>Announces a part; expected bytes are 0 when nothing is known.</summary>
    public PartProgress Add(string name, long expectedBytes)
    {
        var part = new PartProgress(name, expectedBytes);
        parts.Enqueue(part);
        return part;
    }

    /// <summary>Forgets all parts: the operation begins again.</summary>
    public void Clear() => parts.Clear();
}

/// <summary>One database (or the globals) on its way.</summary>
public sealed class PartProgress(string name, long expectedBytes)
{
    private Func<long> bytes = static () => 0;
    private volatile string state = "waiting";

    /// <summary>What to call it.</summary>
    public string Name => name;

    /// <summary>How many bytes it is thought to come to; 0 when unknown.</summary>
    public long ExpectedBytes => expectedBytes;

    /// <summary><c>waiting</c>, a word for what is being done, <c>done</c> or <c>failed</c>.</summary>
    public string State
    {
        get => state;
        internal set => state = value;
    }

    /// <summary>Bytes so far.</summary>
    public long Bytes => bytes();

    internal void Follow(Func<long> counter) => bytes = counter;
}
