namespace PgBackup.Storage.S3;

/// <summary>How to reach and use a bucket of any S3-compatible store.</summary>
public sealed record S3Settings
{
    /// <summary>The bucket, which must exist.</summary>
    public required string Bucket { get; init; }

    /// <summary>What all keys begin with, without slashes at its ends; empty for the whole bucket.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>The region; for stores other than AWS any word that they sign for.</summary>
    public string Region { get; init; } = "us-east-1";

    /// <summary>The URL of a store other than AWS, or null.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>The bucket in the path instead of in the host's name; usual outside of AWS.</summary>
    public bool PathStyle { get; init; }

    /// <summary>The access key, or null for the SDK's own chain (environment, profile, role of the machine).</summary>
    public string? AccessKey { get; init; }

    /// <summary>The secret that belongs to <see cref="AccessKey"/>.</summary>
    public string? SecretKey { get; init; }

    /// <summary>A storage class such as <c>STANDARD_IA</c>, or null for the bucket's.</summary>
    public string? StorageClass { get; init; }

    /// <summary>Ask the store to encrypt: <c>AES256</c>, <c>aws:kms</c>, or null.</summary>
    public string? Encryption { get; init; }

    /// <summary>The key of <c>aws:kms</c>, or null for the bucket's.</summary>
    public string? KmsKey { get; init; }

    /// <summary>Every object must be encrypted by the store; one that is not fails the run.</summary>
    public bool RequireEncryption { get; init; }

    /// <summary><c>GOVERNANCE</c> or <c>COMPLIANCE</c> to lock objects for as long as the tiers keep them, or null.</summary>
    public string? ObjectLock { get; init; }

    /// <summary>How often a request that failed for a passing reason is sent again, with pauses that grow to 20 s.</summary>
    internal int Retries { get; init; } = 6;
}
