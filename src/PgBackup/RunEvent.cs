namespace PgBackup;

/// <summary>A step of a long operation, said when it happens. What is still true at the end is a <see cref="Finding"/> of its
/// report.</summary>
public sealed record RunEvent
{
    /// <summary><see cref="Severity.Ok"/> for a step that is done; else how much it matters.</summary>
    public required Severity Severity { get; init; }

    /// <summary>What it is about: a database, a store; empty for the whole operation.</summary>
    public required string Subject { get; init; }

    /// <summary>What happened.</summary>
    public required string What { get; init; }

    /// <summary>The code of the error, if it is one.</summary>
    public ErrorCode? Code { get; init; }

    /// <summary>What was found, where the step is that something was found.</summary>
    public Finding? Finding { get; init; }

    /// <summary>The step in a line.</summary>
    public string Text =>
        Finding is not null ? Finding.Line
        : Subject.Length == 0 ? What
        : $"{Subject}: {What}";
}
