namespace PgBackup.Snapshots;

/// <summary>A folder of a store that is named like a snapshot.</summary>
public sealed record CatalogEntry
{
    /// <summary>The id.</summary>
    public required SnapshotId Id { get; init; }

    /// <summary>Its objects by name, with their sizes.</summary>
    public required IReadOnlyDictionary<string, long> Objects { get; init; }

    /// <summary>When the newest of them was written, by the store's clock, the mark of an unfinished run apart; the least time where that
    /// is not known.</summary>
    public DateTimeOffset Written { get; init; }

    /// <summary>Why nothing is known of what is in it; null where that is known. It is kept, and nothing is copied into it.</summary>
    public string? Unreadable { get; init; }

    /// <summary>There is a manifest: the snapshot exists. Whether it can be read is another question.</summary>
    public bool HasManifest => Objects.ContainsKey(SnapshotLayout.Manifest);

    /// <summary>The snapshot exists and lacks nothing, by its names.</summary>
    public bool IsComplete => HasManifest && !Objects.ContainsKey(SnapshotLayout.Incomplete);

    /// <summary>The parts that the manifest names and the listing lacks, or has with another size.</summary>
    public IReadOnlyList<string> Missing(Manifest manifest) =>
        [.. manifest.Parts.Where(p => Objects.GetValueOrDefault(p.Object, -1) != p.Size).Select(static p => p.Object)];

    /// <summary>It is kept until it is unpinned.</summary>
    public bool IsPinned => HasManifest && Objects.ContainsKey(SnapshotLayout.Pinned);

    /// <summary>A drill restored it and found it equal.</summary>
    public bool IsProven => IsComplete && Objects.ContainsKey(SnapshotLayout.Proven);

    /// <summary>It has less than an earlier one, and nobody has confirmed all of that, by its names.</summary>
    public bool HasUnconfirmedLoss =>
        HasManifest && Objects.ContainsKey(SnapshotLayout.Loss) && !Objects.ContainsKey(SnapshotLayout.Confirmed);

    /// <summary>It has less than an earlier one, and a person has confirmed all of that, by its names.</summary>
    public bool HasConfirmedLoss => HasManifest && Objects.ContainsKey(SnapshotLayout.Confirmed);

    /// <summary>A link, or a file, stands where its folder should.</summary>
    public bool IsNoFolder => Objects.ContainsKey("");

    /// <summary>The bytes of all its objects.</summary>
    public long Bytes => (long)Math.Min(Objects.Values.Sum(static size => (decimal)size), LargestSum);

    // A file with holes may claim any size; sums over all snapshots must not end because of it.
    private const decimal LargestSum = 1L << 50;

    /// <summary>The databases in it, by the names of its objects.</summary>
    public int Databases =>
        Objects.Keys.Count(name => name.StartsWith($"{Id}-", StringComparison.Ordinal) && name.Contains(".dump", StringComparison.Ordinal));

    /// <summary>The rest of a run that was killed (or one that is under way): no snapshot, and never taken for one.</summary>
    public bool IsLeftover => !HasManifest && Unreadable is null && (Objects.Count == 0 || Objects.ContainsKey(SnapshotLayout.InProgress));
}
