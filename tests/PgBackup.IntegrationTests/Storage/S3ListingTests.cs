using PgBackup.Snapshots;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>What the names tell is not asked for object by object: a long history costs a request for each thousand objects.</summary>
public sealed class S3ListingTests(RadosGateway gateway)
{
    [Theory]
    [InlineData("list")]
    [InlineData("prune", "--dry-run")]
    public async Task A_bucket_with_hundreds_of_snapshots_is_listed_and_planned_within_twenty_requests(params string[] verb)
    {
        const int snapshots = 250;
        await using S3Site site = await S3Site.NewAsync(gateway);
        DateTimeOffset first = DateTimeOffset.UtcNow.Date.AddDays(-snapshots);
        IEnumerable<string> keys = Enumerable
            .Range(0, snapshots)
            .Select(n => SnapshotId.At(first.AddDays(n)))
            .SelectMany(static id =>
                new[]
                {
                    $"{id}-olympus.dump.gpg",
                    SnapshotLayout.Sums,
                    SnapshotLayout.Guide,
                    SnapshotLayout.Incomplete,
                    SnapshotLayout.ManifestSum,
                    SnapshotLayout.Manifest,
                }.Select(name => SnapshotLayout.Key(id, name))
            );
        await Parallel.ForEachAsync(
            keys,
            new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancel },
            async (key, _) => await site.PutAsync(key, "{}")
        );
        using var own = new Workspace(
            $$"""
            cluster: test
            encryption: none
            stores: [ { name: s3, s3: { bucket: {{site.Bucket}}, endpoint: "{{site.Proxy.Endpoint}}", access_key_id: {{gateway.AccessKey}}, secret_access_key: {{gateway.SecretKey}} }, keep: { all: 12mo } } ]
            """
        );

        Outcome outcome = await own.RunAsync(0, verb);

        outcome.Output.ShouldContain(SnapshotId.At(first.AddDays(snapshots - 1)).ToString());
        site.Proxy.Requests.Count.ShouldBeInRange(
            2,
            20,
            string.Join('\n', site.Proxy.Requests.Select(static r => $"{r.Method} {r.PathAndQuery}"))
        );
    }
}
