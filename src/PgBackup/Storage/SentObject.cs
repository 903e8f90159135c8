namespace PgBackup.Storage;

/// <summary>What was sent, as the store should describe it.</summary>
internal sealed record SentObject
{
    /// <summary>Bytes.</summary>
    public required long Size { get; init; }

    /// <summary>The ETag that an S3 server gives to it, if it gives MD5s.</summary>
    public required string ETag { get; init; }

    /// <summary>SHA-256 of the whole, in hexadecimal.</summary>
    public required string Sha256 { get; init; }

    /// <summary>The store has said that it took it.</summary>
    public bool IsConfirmed { get; init; }
}
