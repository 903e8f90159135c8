namespace PgBackup.Configuration;

/// <summary><c>neon:</c>: the project of Neon that the databases are in.</summary>
public sealed record NeonConfig
{
    /// <summary>The id of the project: letters, digits and dashes.</summary>
    public required string Project { get; init; }

    /// <summary>A file with an API key, alone in a line; read at each use.</summary>
    public required string KeyFile { get; init; }

    /// <summary>How far back Neon should reach; null where nothing is expected of it.</summary>
    public TimeSpan? Window { get; init; }

    /// <summary>The name or the id of the branch; null for the project's default branch.</summary>
    public string? Branch { get; init; }
}
