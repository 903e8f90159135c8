using PgBackup.Encryption;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Check;

/// <summary>What a check of one snapshot in one store found.</summary>
public sealed record SnapshotCheck
{
    /// <summary>The store.</summary>
    public required string Store { get; init; }

    /// <summary>The snapshot.</summary>
    public required string Id { get; init; }

    /// <summary>Everything that is wrong; empty when all is well.</summary>
    public required IReadOnlyList<ObjectProblem> Problems { get; init; }

    /// <summary>Stored bytes that were read.</summary>
    public required long BytesRead { get; init; }

    /// <summary>Every part was decrypted and decoded too.</summary>
    public required bool Decoded { get; init; }

    /// <summary>It holds everything that was asked for when it was taken.</summary>
    public required bool IsComplete { get; init; }

    /// <summary>It was made by a newer version, which alone can check it. It is no damage, and never mended.</summary>
    public bool IsOfNewerVersion { get; init; }

    /// <summary>What is odd and no damage.</summary>
    public IReadOnlyList<Finding> Findings { get; init; } = [];

    /// <summary>Who can decrypt it; empty too where its manifest cannot be read.</summary>
    internal IReadOnlyList<Recipient> Recipients { get; init; } = [];

    /// <summary>Its manifest without its parts, where it has losses; null where it has none, or cannot be read.</summary>
    internal Manifest? Lossy { get; init; }

    /// <summary>It has the mark that says that all red losses of it are confirmed.</summary>
    internal bool IsMarkedConfirmed { get; init; }

    /// <summary>The digest of its manifest, which is the same in every store; null where it cannot be read.</summary>
    internal string? ManifestSha256 { get; init; }

    /// <summary>That digest also stands beside the manifest.</summary>
    internal bool IsSealed { get; init; }
}

/// <summary>One object that is not as it should be.</summary>
public sealed record ObjectProblem
{
    /// <summary>Its name in the snapshot's folder.</summary>
    public required string Object { get; init; }

    /// <summary>What is wrong with it.</summary>
    public required string Problem { get; init; }

    /// <summary>The stores whose copy was looked at in the same check and is right.</summary>
    public IReadOnlyList<string> GoodCopies { get; init; } = [];

    /// <summary>The store from which it was copied again, or null.</summary>
    public string? RepairedFrom { get; init; }

    /// <summary>What was done about it without another store, for people; or null.</summary>
    public string? Mended { get; init; }
}
