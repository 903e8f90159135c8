using PgBackup.Configuration;
using PgBackup.Neon;
using PgBackup.Operations.Drill;
using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Status;

/// <summary>Everything that a status is judged by.</summary>
internal sealed record StatusFacts
{
    /// <summary>What is expected.</summary>
    public required BackupConfig Config { get; init; }

    /// <summary>The moment.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>Each store, in the order of the config.</summary>
    public required IReadOnlyList<StoreReading> Readings { get; init; }

    /// <summary>A store lists a snapshot of a kind.</summary>
    public bool Has(Func<CatalogEntry, bool> which) => Readings.SelectMany(static r => r.Entries).Any(which);

    /// <summary>The newest complete snapshot that could be read, and is whole in a store by names and sizes; null where there is
    /// none.</summary>
    public Manifest? Newest { get; init; }

    /// <summary>The newest of those that a drill has proven; null where there is none.</summary>
    public Manifest? Proven { get; init; }

    /// <summary>The newest snapshot, where it lacks something; null where it does not.</summary>
    public Manifest? Partial { get; init; }

    /// <summary>The last drills, the newest first, up to one that passed.</summary>
    public IReadOnlyList<DrillReport> Drills { get; init; } = [];

    /// <summary>The last records, the newest first.</summary>
    public IReadOnlyList<Record> Records { get; init; } = [];

    /// <summary>The record of the last run; null where there is none.</summary>
    public Record? LastRun { get; init; }

    /// <summary>The last records of checks and repairs, the newest first, back to the first that found damage.</summary>
    public IReadOnlyList<Record> Checks { get; init; } = [];

    /// <summary>The last records by which persons confirmed losses, the newest first.</summary>
    public IReadOnlyList<Record> Confirmations { get; init; } = [];

    /// <summary>What Neon says of the project in the config; null where it has none.</summary>
    public NeonReading? Neon { get; init; }
}
