namespace PgBackup.Operations.Keys;

/// <summary>Whose keys decrypt the snapshots, and when each was last shown to.</summary>
public sealed record KeysReport
{
    /// <summary>Each recipient of the config, of the newest complete snapshot, and of any other snapshot.</summary>
    public required IReadOnlyList<KeyState> Keys { get; init; }

    /// <summary>The newest complete snapshot of all stores; null when there is none.</summary>
    public string? Snapshot { get; init; }

    /// <summary>What may keep somebody from decrypting one day.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }
}

/// <summary>One recipient.</summary>
public sealed record KeyState
{
    /// <summary>The full fingerprint of a gpg key, or a public key of age.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>As written in the config.</summary>
    public required string Name { get; init; }

    /// <summary>When a gpg key stops being usable for new snapshots; null for never.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>The next snapshot is encrypted to it; null where this config does not say to whom.</summary>
    public bool? InConfig { get; init; }

    /// <summary>The newest snapshot is encrypted to it.</summary>
    public required bool InSnapshot { get; init; }

    /// <summary>How many snapshots are encrypted to it, in all stores together, each counted once.</summary>
    public required int Snapshots { get; init; }

    /// <summary>The newest snapshot that is encrypted to it; null for none. The key is needed for as long as that is kept.</summary>
    public string? LastSnapshot { get; init; }

    /// <summary>When its private key last decrypted something; null for never.</summary>
    public DateTimeOffset? LastTested { get; init; }

    /// <summary>The record of that; null where there is none, or it cannot be read.</summary>
    public KeyTest? LastTest { get; init; }
}

/// <summary>What a test of keys found.</summary>
public sealed record KeyTestReport
{
    /// <summary>The snapshot.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The store.</summary>
    public required string Store { get; init; }

    /// <summary>Where that is.</summary>
    public required string Location { get; init; }

    /// <summary>The store has a canary for the recipients, and it was decrypted.</summary>
    public required bool Canary { get; init; }

    /// <summary>The object that was decrypted, and is what was dumped.</summary>
    public required string Part { get; init; }

    /// <summary>Its bytes, decrypted.</summary>
    public required long Bytes { get; init; }

    /// <summary>The tests that were passed, one for each key.</summary>
    public required IReadOnlyList<KeyTest> Tests { get; init; }

    /// <summary>The stores in which that is recorded.</summary>
    public required IReadOnlyList<string> RecordedIn { get; init; }

    /// <summary>What is left to worry about, and stores that could not be written to.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }
}
