// One measurement a process, so that its peak of memory is its own. Prints "MILLISECONDS PEAK_MB".
//
//   StoreBench local FOLDER FILE           the file as a stream into a folder
//   StoreBench s3 BUCKET FILE              the file as a stream of unknown length into a bucket, as a dump comes
//   StoreBench transfer BUCKET FILE        the SDK's own TransferUtility, which may read the file as it likes
//   StoreBench fill BUCKET SNAPSHOTS       a bucket with so many snapshots of 9 objects
//
// The S3 server: S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY.
using System.Diagnostics;
using System.Globalization;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Transfer;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Storage.Local;
using PgBackup.Storage.S3;

string Env(string name) => Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException($"{name} is not set");

S3Settings Settings(string bucket, string prefix) =>
    new()
    {
        Bucket = bucket,
        Prefix = prefix,
        Endpoint = new Uri(Env("S3_ENDPOINT")),
        PathStyle = true,
        AccessKey = Env("S3_ACCESS_KEY"),
        SecretKey = Env("S3_SECRET_KEY"),
    };

async Task PutAsync(IObjectStore store, string file)
{
    await using var content = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
    await store.PutAsync("bench/object", content, CancellationToken.None);
}

async Task TransferAsync(string bucket, string file)
{
    var config = new AmazonS3Config
    {
        ServiceURL = Env("S3_ENDPOINT"),
        ForcePathStyle = true,
        AuthenticationRegion = "us-east-1",
        RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
        ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
    };
    using var client = new AmazonS3Client(new BasicAWSCredentials(Env("S3_ACCESS_KEY"), Env("S3_SECRET_KEY")), config);
    using var transfer = new TransferUtility(client);
    await transfer.UploadAsync(
        new TransferUtilityUploadRequest
        {
            BucketName = bucket,
            Key = "bench-transfer",
            FilePath = file,
        }
    );
}

async Task FillAsync(string bucket, int snapshots)
{
    using var store = new S3Store("s3", Settings(bucket, ""), TimeProvider.System);
    DateTimeOffset first = new(2024, 1, 1, 3, 0, 0, TimeSpan.Zero);
    IEnumerable<string> keys = Enumerable
        .Range(0, snapshots)
        .SelectMany(n =>
        {
            var id = SnapshotId.At(first.AddDays(n));
            string[] parts =
            [
                .. Enumerable.Range(0, 5).Select(d => $"{id}-database_{d.ToString(CultureInfo.InvariantCulture)}.dump.gpg"),
                $"{id}-globals.sql.gpg",
            ];
            return (
                (string[])[.. parts, SnapshotLayout.Sums, SnapshotLayout.Guide, SnapshotLayout.ManifestSum, SnapshotLayout.Manifest]
            ).Select(name => SnapshotLayout.Key(id, name));
        });
    await Parallel.ForEachAsync(
        keys,
        new ParallelOptions { MaxDegreeOfParallelism = 8 },
        async (key, cancel) =>
        {
            using var content = new MemoryStream("x"u8.ToArray());
            await ((IObjectStore)store).PutAsync(key, content, cancel);
        }
    );
}

long start = Stopwatch.GetTimestamp();
switch (args)
{
    case ["local", string folder, string file]:
        await PutAsync(new LocalStore("local", folder), file);
        break;
    case ["s3", string bucket, string file]:
        using (var store = new S3Store("s3", Settings(bucket, "bench"), TimeProvider.System))
        {
            await PutAsync(store, file);
        }

        break;
    case ["transfer", string bucket, string file]:
        await TransferAsync(bucket, file);
        break;
    case ["fill", string bucket, string snapshots]:
        await FillAsync(bucket, int.Parse(snapshots, CultureInfo.InvariantCulture));
        break;
    default:
        await Console.Error.WriteLineAsync("usage: StoreBench local|s3|transfer|fill ...");
        return 2;
}

double milliseconds = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
using var self = Process.GetCurrentProcess();
await Console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{milliseconds:0} {self.PeakWorkingSet64 / 1_000_000}"));
return 0;
