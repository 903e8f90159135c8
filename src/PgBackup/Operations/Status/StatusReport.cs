namespace PgBackup.Operations.Status;

/// <summary>
/// How one cluster's backups stand at one moment, from its stores alone. Every face (verb, JSON, metrics, Nagios) renders this.
/// Times are UTC, sizes bytes. <c>docs/status.md</c> documents its JSON.
/// </summary>
public sealed record StatusReport
{
    /// <summary>The format that this version writes. A key that is added changes nothing; one that goes or means something else is a new
    /// format.</summary>
    public const int CurrentFormat = 1;

    /// <summary>The format.</summary>
    public required int Format { get; init; }

    /// <summary>The cluster's name in the config.</summary>
    public required string Cluster { get; init; }

    /// <summary>The moment.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>How all of it stands: the worst of all findings; unknown where no store could be read.</summary>
    public required StatusLevel Level { get; init; }

    /// <summary>An answer to each question, in order.</summary>
    public required IReadOnlyList<StatusAnswer> Answers { get; init; }

    /// <summary>The figures behind the answers.</summary>
    public required StatusFigures Figures { get; init; }

    /// <summary>Each store, in the order of the config.</summary>
    public required IReadOnlyList<StoreStatus> Stores { get; init; }

    /// <summary>What happened last, newest first.</summary>
    public required IReadOnlyList<StatusEvent> Events { get; init; }

    /// <summary>What is wrong or worth knowing, the gravest first.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }
}

/// <summary>The answer to one question.</summary>
public sealed record StatusAnswer
{
    /// <summary>The question.</summary>
    public required StatusQuestion Question { get; init; }

    /// <summary>How it stands.</summary>
    public required StatusLevel Level { get; init; }

    /// <summary>The answer, in a sentence without a full stop.</summary>
    public required string Text { get; init; }
}

/// <summary>The figures of a status. Null means that it is not known.</summary>
public sealed record StatusFigures
{
    /// <summary>The newest complete snapshot.</summary>
    public PlacedSnapshot? NewestComplete { get; init; }

    /// <summary>The newest snapshot that a drill has proven.</summary>
    public PlacedSnapshot? NewestProven { get; init; }

    /// <summary>The last drill.</summary>
    public StatusDrill? LastDrill { get; init; }

    /// <summary>Seconds that a restore of the newest snapshot would take: those of the last good drill, scaled by bytes.</summary>
    public double? RestoreSeconds { get; init; }

    /// <summary>The same with the rest of the deployment (<c>drill.redeploy</c>).</summary>
    public double? RecoverySeconds { get; init; }

    /// <summary>Seconds that a restore may take (<c>drill.rto</c>).</summary>
    public required double RtoSeconds { get; init; }

    /// <summary>Seconds that the newest complete snapshot may be old (<c>max_age</c>).</summary>
    public required double MaxAgeSeconds { get; init; }

    /// <summary>Who can decrypt the newest complete snapshot.</summary>
    public required IReadOnlyList<StatusKey> Keys { get; init; }

    /// <summary>What all stores with a <c>price_per_gb</c> cost a month; null where none has one.</summary>
    public decimal? CostPerMonth { get; init; }

    /// <summary>The rows of each database in the newest complete snapshot.</summary>
    public required IReadOnlyDictionary<string, long> Rows { get; init; }

    /// <summary>The stored bytes of each database in the newest complete snapshot.</summary>
    public required IReadOnlyDictionary<string, long> Bytes { get; init; }

    /// <summary>How far apart the moments of the databases in the newest complete snapshot are at most, in milliseconds.</summary>
    public double? SkewMs { get; init; }

    /// <summary>How long the newest complete snapshot took, in seconds.</summary>
    public double? RunSeconds { get; init; }

    /// <summary>How far back Neon itself reaches; null where it is not asked, or did not say.</summary>
    public StatusNeon? Neon { get; init; }
}

/// <summary>A project of Neon, for a status.</summary>
public sealed record StatusNeon
{
    /// <summary>Its name.</summary>
    public required string Project { get; init; }

    /// <summary>How long Neon keeps its history, in seconds.</summary>
    public required double WindowSeconds { get; init; }

    /// <summary>How long it should, in seconds (<c>neon.window</c>); null where the config does not say it.</summary>
    public double? ExpectedSeconds { get; init; }

    /// <summary>The branch; null where it is not known.</summary>
    public string? Branch { get; init; }

    /// <summary>The host of the branch; null where it is not known.</summary>
    public string? Host { get; init; }

    /// <summary>The first moment that the branch can be restored to; null where it is not known.</summary>
    public DateTimeOffset? Earliest { get; init; }
}

/// <summary>A snapshot, and where it lies.</summary>
public sealed record PlacedSnapshot
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>How old it is, in seconds.</summary>
    public required double AgeSeconds { get; init; }

    /// <summary>The stores that have it.</summary>
    public required IReadOnlyList<string> Stores { get; init; }

    /// <summary>Its stored bytes.</summary>
    public required long Bytes { get; init; }
}

/// <summary>The last drill, for a status.</summary>
public sealed record StatusDrill
{
    /// <summary>When it began.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The snapshot.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The store that it came from.</summary>
    public required string Store { get; init; }

    /// <summary>Nothing was wrong.</summary>
    public required bool Passed { get; init; }

    /// <summary>Seconds that the restore took.</summary>
    public required double RestoreSeconds { get; init; }
}

/// <summary>A recipient, for a status.</summary>
public sealed record StatusKey
{
    /// <summary>As written in the config.</summary>
    public required string Name { get; init; }

    /// <summary>The full fingerprint of a gpg key, or a public key of age.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>When its private key last decrypted something; null for never.</summary>
    public DateTimeOffset? LastTested { get; init; }

    /// <summary>When it stops being usable for new snapshots; null for never.</summary>
    public DateTimeOffset? Expires { get; init; }
}

/// <summary>One store, for a status.</summary>
public sealed record StoreStatus
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its folder, remote or bucket.</summary>
    public required string Location { get; init; }

    /// <summary>It could be read.</summary>
    public required bool IsReadable { get; init; }

    /// <summary>It is on another machine, as far as the config says.</summary>
    public required bool IsOffHost { get; init; }

    /// <summary>How many snapshots it has, incomplete ones included.</summary>
    public int Snapshots { get; init; }

    /// <summary>How many of them are complete.</summary>
    public int Complete { get; init; }

    /// <summary>How many of them a drill has proven.</summary>
    public int Proven { get; init; }

    /// <summary>The newest complete one; null for none.</summary>
    public string? NewestComplete { get; init; }

    /// <summary>How old that is, in seconds.</summary>
    public double? AgeSeconds { get; init; }

    /// <summary>How many snapshots it lacks that its own rules would keep.</summary>
    public int Lacks { get; init; }

    /// <summary>The bytes of all its snapshots.</summary>
    public long Bytes { get; init; }

    /// <summary>The bytes by the tier that keeps them longest.</summary>
    public IReadOnlyDictionary<string, long> BytesByTier { get; init; } = new Dictionary<string, long>();

    /// <summary>The bytes that the next prune removes.</summary>
    public long BytesToPrune { get; init; }

    /// <summary>What it costs a month by its <c>price_per_gb</c>; null without one.</summary>
    public decimal? CostPerMonth { get; init; }
}

/// <summary>Something that happened.</summary>
public sealed record StatusEvent
{
    /// <summary>When.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>What, in a word: <c>run</c>, <c>drill</c>, <c>restore</c>, ...</summary>
    public required string Kind { get; init; }

    /// <summary>How it ended: <c>ok</c>, <c>partial</c>, <c>failed</c>.</summary>
    public required string Result { get; init; }

    /// <summary>What was done, in a sentence.</summary>
    public required string Text { get; init; }
}
