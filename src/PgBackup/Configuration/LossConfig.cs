namespace PgBackup.Configuration;

/// <summary>What tables may lose, beside what is known of Kratos, Hydra and Olympus. Each is <c>database.schema.table</c>, without
/// quotes.</summary>
public sealed record LossConfig
{
    /// <summary>They shrink when a janitor runs: only their vanishing is a loss.</summary>
    public IReadOnlyList<string> Ephemeral { get; init; } = [];

    /// <summary>They must not shrink: less than half of their rows is a loss.</summary>
    public IReadOnlyList<string> Durable { get; init; } = [];
}
