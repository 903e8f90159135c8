using System.Text.Json;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

[assembly: AssemblyFixture(typeof(PgBackup.IntegrationTests.Support.RadosGateway))]

namespace PgBackup.IntegrationTests.Support;

/// <summary>Who may ask an S3 server.</summary>
internal sealed record S3User(string Name, string AccessKey, string SecretKey);

/// <summary>
/// A real S3 server, Ceph's radosgw, one for the whole test run: started when the first test asks for it, ended by process id after the
/// last.
/// A test class takes it as a constructor parameter. Every test makes buckets of its own.
/// <para>
/// What it does otherwise than Amazon (16.2): PUT takes <c>If-Match</c> without quotes only; in a bucket with versions <c>If-None-Match</c>
/// is ignored; <c>If-Match</c> on DELETE and <c>If-None-Match</c> on CompleteMultipartUpload are ignored everywhere; so is the lock asked
/// for by CreateMultipartUpload, and SSE AES256. SSE-KMS works with the keys <c>testkey-1</c> and <c>testkey-2</c>.
/// </para>
/// </summary>
public sealed class RadosGateway : IAsyncLifetime
{
    internal const string Region = "us-east-1";

    private const string FolderPrefix = "opgw-";

    private readonly string folder = Path.Combine(
        Path.GetTempPath(),
        $"{FolderPrefix}{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..6]}"
    );
    private readonly SemaphoreSlim one = new(1, 1);
    private S3User? lab;
    private S3User? reader;
    private string? endpoint;

    /// <summary>Such as <c>http://127.0.0.1:20080</c>. It is known, like the keys, once <see cref="StartAsync"/> or
    /// <see cref="NewBucketAsync"/> was awaited.</summary>
    internal string Endpoint =>
        endpoint ?? throw new InvalidOperationException("radosgw was not asked for yet: await StartAsync or NewBucketAsync first");

    /// <summary>The user who owns the buckets and may do everything.</summary>
    internal S3User Lab =>
        lab ?? throw new InvalidOperationException("radosgw was not asked for yet: await StartAsync or NewBucketAsync first");

    internal string AccessKey => Lab.AccessKey;

    internal string SecretKey => Lab.SecretKey;

    private static string Script => Path.Combine(Surroundings.Root, "eng", "radosgw.sh");

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>Starts the server if it does not run yet.</summary>
    internal async Task StartAsync()
    {
        await one.WaitAsync();
        try
        {
            if (endpoint is not null)
            {
                return;
            }

            await SweepAsync();
            Dictionary<string, string> told = (await Shell.ReadAsync(Script, ["start", folder]))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(static l => l.Split('=', 2))
                .ToDictionary(static l => l[0], static l => l[1]);
            lab = new S3User("lab", told["access_key"], told["secret_key"]);
            endpoint = told["endpoint"];
        }
        finally
        {
            one.Release();
        }
    }

    /// <summary>A client of the same settings that the product needs.</summary>
    /// <param name="user">By default <see cref="Lab"/>.</param>
    /// <param name="through">The address of a proxy; by default the server's own.</param>
    /// <param name="retries">How often the SDK tries again by itself.</param>
    internal AmazonS3Client Client(S3User? user = null, string? through = null, int retries = 4)
    {
        S3User who = user ?? Lab;
        var config = new AmazonS3Config
        {
            ServiceURL = through ?? Endpoint,
            AuthenticationRegion = Region,
            ForcePathStyle = true,
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            MaxErrorRetry = retries,
        };
        return new AmazonS3Client(new BasicAWSCredentials(who.AccessKey, who.SecretKey), config);
    }

    /// <summary>An empty bucket of the user lab. One with object lock has versions too.</summary>
    internal async Task<string> NewBucketAsync(bool objectLock = false)
    {
        await StartAsync();
        string bucket = "bucket-" + Guid.NewGuid().ToString("N")[..12];
        using AmazonS3Client client = Client();
        await client.PutBucketAsync(new PutBucketRequest { BucketName = bucket, ObjectLockEnabledForBucket = objectLock });
        return bucket;
    }

    /// <summary>Keys of lab's that read, list and HEAD all its buckets, and get 403 AccessDenied for everything they would write.</summary>
    internal async Task<S3User> ReadOnlyUserAsync()
    {
        await StartAsync();
        await one.WaitAsync();
        try
        {
            if (reader is null)
            {
                S3User user = NewKeys("lab:reader");
                await AdminAsync(
                    "subuser",
                    "create",
                    "--uid",
                    "lab",
                    "--subuser",
                    user.Name,
                    "--access",
                    "read",
                    "--key-type",
                    "s3",
                    "--access-key",
                    user.AccessKey,
                    "--secret-key",
                    user.SecretKey
                );
                reader = user;
            }

            return reader;
        }
        finally
        {
            one.Release();
        }
    }

    /// <summary>A user who may do nothing with lab's buckets until <see cref="GrantAsync"/>.</summary>
    internal async Task<S3User> NewUserAsync()
    {
        await StartAsync();
        S3User user = NewKeys("user-" + Guid.NewGuid().ToString("N")[..8]);
        await AdminAsync(
            "user",
            "create",
            "--uid",
            user.Name,
            "--display-name",
            user.Name,
            "--access-key",
            user.AccessKey,
            "--secret-key",
            user.SecretKey
        );
        return user;
    }

    /// <summary>Lets a user do this, and nothing else, in one bucket of lab's: <c>s3:GetObject</c>, <c>s3:PutObject</c>,
    /// <c>s3:ListBucket</c>, <c>s3:DeleteObject</c>...</summary>
    internal async Task GrantAsync(string bucket, S3User user, params string[] actions)
    {
        string policy = JsonSerializer.Serialize(
            new
            {
                Version = "2012-10-17",
                Statement = new[]
                {
                    new
                    {
                        Effect = "Allow",
                        Principal = new { AWS = new[] { "arn:aws:iam:::user/" + user.Name } },
                        Action = actions,
                        Resource = new[] { "arn:aws:s3:::" + bucket, $"arn:aws:s3:::{bucket}/*" },
                    },
                },
            }
        );
        using AmazonS3Client client = Client();
        await client.PutBucketPolicyAsync(new PutBucketPolicyRequest { BucketName = bucket, Policy = policy });
    }

    /// <summary>From now on the bucket holds so many bytes: what would exceed them gets 403 QuotaExceeded. It counts in steps of 4
    /// KiB.</summary>
    internal async Task LimitAsync(string bucket, long bytes)
    {
        await AdminAsync("quota", "set", "--quota-scope", "bucket", "--bucket", bucket, "--max-size", $"{bytes}");
        await AdminAsync("quota", "enable", "--quota-scope", "bucket", "--bucket", bucket);
    }

    /// <summary>Runs <c>radosgw-admin</c> on the server, which holds at once.</summary>
    internal Task<string> AdminAsync(params string[] arguments) => Shell.ReadAsync(Script, ["admin", folder, .. arguments]);

    public async ValueTask DisposeAsync()
    {
        await Shell.RunAsync(Script, ["stop", folder]);
        one.Dispose();
    }

    private static S3User NewKeys(string name) => new(name, $"KEY{Guid.NewGuid():N}"[..20].ToUpperInvariant(), $"{Guid.NewGuid():N}");

    // What a killed test run left. Another run that is under way keeps its own.
    private static async Task SweepAsync()
    {
        foreach (string left in Directory.GetDirectories(Path.GetTempPath(), FolderPrefix + "*"))
        {
            if (!Directory.Exists("/proc/" + Path.GetFileName(left).Split('-')[1]))
            {
                await Shell.RunAsync(Script, ["stop", left]);
            }
        }
    }
}
