using System.Text;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.Soak.Kinds;

/// <summary>
/// A bucket whose answers go wrong: requests and answers are cut, refused, changed, or lie, from some request of a verb on, a few times or
/// always. Afterwards, without the proxy between, everything that was called complete must be whole.
/// </summary>
internal sealed class StoreFaults : FaultKind
{
    private const int Requests = 45;

    public override string Name => "faults of a bucket";

    public override int Share => 60;

    public override async Task StrikeAsync(Strike strike, Site site)
    {
        bool isPrimary = strike.Chance(0.6);
        using Scene scene = await Scene.OpenAsync(strike, site, hasReplica: false, encryption: strike.Pick("none", "age"));
        string bucket = await site.Gateway.NewBucketAsync();
        await using var proxy = new FaultProxy(site.Gateway.Endpoint);
        using AmazonS3Client client = site.Gateway.Client();
        strike.Step($"the bucket is the {(isPrimary ? "primary" : "second store")}");
        Configure(scene, isPrimary, bucket, site.Gateway.Endpoint);
        await Judge.NextRunAsync(scene);
        Dictionary<string, string> before = await ObjectsAsync(client, bucket);

        Configure(scene, isPrimary, bucket, proxy.Endpoint);
        Fault fault = Choose(strike);
        int from = 1 + strike.Random.Next(Requests);
        int times = strike.Pick(1, 1, 2, 5, 30);
        string verb = strike.Pick("run", "run", "run", "check", "prune");
        strike.Step($"{fault.Name}, {times} times from request {from} of {verb} on");
        proxy.On(r => r.Number >= from, fault, times);
        Outcome outcome = await scene.RunAsync(verb == "check" ? ["check", "--all", "--read-data"] : [verb]);
        strike.Step($"requests: {proxy.Requests.Count}");

        Configure(scene, isPrimary, bucket, site.Gateway.Endpoint);
        if (verb == "run" && outcome.ExitCode == 0)
        {
            await CheckAsync(scene, "after a run that called itself complete");
        }

        await Judge.NextRunAsync(scene);
        await CheckAsync(scene, "after the next run");
        Dictionary<string, string> after = await ObjectsAsync(client, bucket);
        string[] changed = [.. before.Where(b => after.GetValueOrDefault(b.Key) != b.Value).Select(static b => b.Key)];
        if (changed.Length > 0)
        {
            strike.Find(Verdict.Lost, $"objects of earlier snapshots are not what they were: {string.Join(", ", changed.Take(5))}");
        }

        string[] marks = [.. after.Keys.Where(static k => k.EndsWith("/IN-PROGRESS", StringComparison.Ordinal))];
        if (marks.Length > 0)
        {
            strike.Find(Verdict.LeftBehind, $"after the next run: {string.Join(", ", marks)}");
        }
    }

    private static void Configure(Scene scene, bool isPrimary, string bucket, string endpoint)
    {
        RadosGateway gateway = scene.Site.Gateway;
        string keys = $"access_key_id: {gateway.AccessKey}, secret_access_key: {gateway.SecretKey}";
        string s3 = $"s3: {{ bucket: {bucket}, prefix: olympus, endpoint: \"{endpoint}\", {keys} }}";
        scene.Configure("{ all: 14d }", "", local: isPrimary ? s3 : "path: STORE", copy: isPrimary ? null : s3);
    }

    private static Fault Choose(Strike strike) =>
        strike.Random.Next(13) switch
        {
            0 => Fault.CutBeforeForward,
            1 => Fault.CutAfterForward,
            2 => Fault.CutInBody(strike.Random.Next(400)),
            3 => Fault.CutInResponse(strike.Random.Next(400)),
            4 => Fault.AnswerError(500, "InternalError"),
            5 => Fault.AnswerError(503, "SlowDown"),
            6 => Fault.AnswerError(403, "AccessDenied"),
            7 => Fault.AnswerError(200, "InternalError"),
            8 => Fault.AnswerError(404, strike.Pick("NoSuchKey", "NoSuchBucket", "NoSuchUpload")),
            9 => Fault.CorruptBody,
            10 => Fault.ResponseHeader("ETag", strike.Pick("\"00000000000000000000000000000000\"", null, "no etag")),
            11 => Fault.TamperResponse(static body => body[..(body.Length / 2)]),
            _ => Fault.TamperResponse(static body => Encoding.UTF8.GetBytes(WithoutLast(Encoding.UTF8.GetString(body)))),
        };

    // A listing that says it is whole, and lacks its last object.
    private static string WithoutLast(string listing)
    {
        int from = listing.LastIndexOf("<Contents>", StringComparison.Ordinal);
        int to = listing.LastIndexOf("</Contents>", StringComparison.Ordinal);
        return from < 0 || to < from ? listing : listing[..from] + listing[(to + "</Contents>".Length)..];
    }

    private static async Task CheckAsync(Scene scene, string when)
    {
        Outcome check = await scene.RunAsync(["check", "--all", "--read-data", .. scene.Identity]);
        if (check.ExitCode != 0)
        {
            scene.Strike.Find(Verdict.Lost, $"check {when}: exit code {check.ExitCode}: {Outcomes.Tail(check)}");
        }
    }

    // Of snapshots, but not their marks, by key.
    private static async Task<Dictionary<string, string>> ObjectsAsync(AmazonS3Client client, string bucket)
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        string? next = null;
        do
        {
            ListObjectsV2Response page = await client.ListObjectsV2Async(
                new ListObjectsV2Request { BucketName = bucket, ContinuationToken = next }
            );
            foreach (S3Object one in page.S3Objects ?? [])
            {
                if (one.Key.StartsWith("olympus/2", StringComparison.Ordinal) && !one.Key.EndsWith("PINNED", StringComparison.Ordinal))
                {
                    found[one.Key] = one.ETag;
                }
            }

            next = page.IsTruncated == true ? page.NextContinuationToken : null;
        } while (next is not null);
        return found;
    }
}
