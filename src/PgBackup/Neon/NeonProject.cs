namespace PgBackup.Neon;

/// <summary>What Neon's API said of a project. Names are as it said them: foreign text.</summary>
public sealed record NeonProject
{
    /// <summary>The id in the config.</summary>
    public required string Id { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>How long Neon keeps the history of its branches.</summary>
    public required TimeSpan Window { get; init; }

    /// <summary>The branch that the config names, or the default one; null where it is not known.</summary>
    public NeonBranch? Branch { get; init; }

    /// <summary>The first moment that the branch can be restored to, by the window and the age of the branch; null where it is not
    /// known.</summary>
    public DateTimeOffset? EarliestAt(DateTimeOffset now)
    {
        if (Branch is null)
        {
            return null;
        }

        DateTimeOffset first = now - Window;
        DateTimeOffset made = Branch.Created < now ? Branch.Created : now;
        return first > made ? first : made;
    }
}

/// <summary>A branch of a project.</summary>
public sealed record NeonBranch
{
    /// <summary>Its id: letters, digits and dashes.</summary>
    public required string Id { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>The host of its compute that reads and writes, without a pooler; null where it has none.</summary>
    public string? Host { get; init; }
}

/// <summary>An answer of Neon's, or why there is none.</summary>
public sealed record NeonReading
{
    /// <summary>The project; null where its window is not known.</summary>
    public NeonProject? Project { get; init; }

    /// <summary>What is not known, and why; null where all is known.</summary>
    public NeonProblem? Problem { get; init; }
}

/// <summary>Why something is not known.</summary>
/// <param name="Why">The reason, as half a sentence. It has no key in it.</param>
/// <param name="Fix">What to do about it.</param>
public sealed record NeonProblem(string Why, string Fix);
