namespace PgBackup.Storage;

/// <summary>What was sent, as the store should describe it.</summary>
internal sealed record SentObject
{
    /// <summary>Bytes.</summary>
    public required long Size { get; init; }

    /// <summary>The ETag that an S3 server gives to it, if it gives MD5s.</summary>
    public required string ETag { get; init; }

    /// <summary>The sizes of its parts in bytes; none when it was sent as one.</summary>
    public IReadOnlyList<long> PartSizes { get; init; } = [];

    /// <summary>The store has said that it took it.</summary>
    public bool IsConfirmed { get; init; }
}
