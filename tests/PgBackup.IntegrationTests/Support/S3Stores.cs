using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Support;

/// <summary>Stores of the product in the buckets of a test server.</summary>
internal static class S3Stores
{
    /// <summary>How to reach a bucket.</summary>
    public static S3Settings Settings(
        this RadosGateway gateway,
        string bucket,
        string prefix = "",
        S3User? user = null,
        string? through = null
    ) =>
        new()
        {
            Bucket = bucket,
            Prefix = prefix,
            Endpoint = new Uri(through ?? gateway.Endpoint),
            Region = RadosGateway.Region,
            PathStyle = true,
            AccessKey = (user ?? gateway.Lab).AccessKey,
            SecretKey = (user ?? gateway.Lab).SecretKey,
        };

    /// <summary>A store in it.</summary>
    public static S3Store Store(
        this RadosGateway gateway,
        string bucket,
        string prefix = "",
        S3User? user = null,
        string? through = null
    ) => new("offsite", gateway.Settings(bucket, prefix, user, through), TimeProvider.System);
}
