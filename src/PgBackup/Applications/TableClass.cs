namespace PgBackup.Applications;

/// <summary>What a table may lose without anybody having to look.</summary>
public enum TableClass
{
    /// <summary>Nobody said.</summary>
    Unclassified,

    /// <summary>It holds what must stay: less than half of its rows is a loss.</summary>
    Durable,

    /// <summary>It shrinks whenever a janitor runs: only its vanishing is a loss.</summary>
    Ephemeral,
}
