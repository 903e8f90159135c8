using System.Collections.Concurrent;

namespace PgBackup.Operations;

/// <summary>What a long operation is doing, to be looked at from another thread whenever a display likes to.</summary>
public sealed class Progress
{
    private readonly ConcurrentQueue<PartProgress> parts = new();

    /// <summary>The parts, in the order in which they were announced.</summary>
    public IReadOnlyCollection<PartProgress> Parts => parts;

    /// <summary>Gets each step when it happens.</summary>
    public Action<RunEvent> Said { get; init; } = static _ => { };

    /// <summary>Says that a step is done.</summary>
    /// <param name="subject">A database, a store; empty for the whole operation.</param>
    /// <param name="what">What was done.</param>
    public void Done(string subject, string what) => Say(Severity.Ok, subject, what, null);

    /// <summary>Says that something did not work, and is tried again or left to the next run.</summary>
    public void Warn(string subject, string what, ErrorCode? code = null) => Say(Severity.Warning, subject, what, code);

    /// <summary>Says what was found on the way.</summary>
    public void Say(Finding finding) =>
        Said(
            new RunEvent
            {
                Severity = finding.Severity,
                Subject = finding.Subject,
                What = finding.What,
                Code = finding.Code,
                Finding = finding,
            }
        );

    /// <summary>Says that a part failed; the report has the reason.</summary>
    public void Failed(string subject, ErrorCode code) =>
        Say(Severity.Error, subject, $"FAILED ({PgBackupException.CodeTextOf(code)}), see below", code);

    private void Say(Severity severity, string subject, string what, ErrorCode? code) =>
        Said(
            new RunEvent
            {
                Severity = severity,
                Subject = subject,
                What = what,
                Code = code,
            }
        );

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
    private volatile PartState state;

    /// <summary>What to call it.</summary>
    public string Name => name;

    /// <summary>How many bytes are expected; 0 when unknown.</summary>
    public long ExpectedBytes => expectedBytes;

    /// <summary>What is being done with it.</summary>
    public PartState State
    {
        get => state;
        internal set => state = value;
    }

    /// <summary>Bytes so far.</summary>
    public long Bytes => bytes();

    internal void Follow(Func<long> counter) => bytes = counter;
}
