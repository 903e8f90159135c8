using System.Text.Json.Nodes;
using Amazon.S3;

namespace PgBackup.IntegrationTests.Backup;

/// <summary>Real nights into a folder, a bucket of a real S3 server and a remote of rclone.</summary>
[Collection("bad days")]
public sealed class SeveralStoresTests(BadDaysCluster cluster, RadosGateway gateway)
{
    [Fact]
    public async Task A_night_ends_with_the_same_snapshot_in_every_store_and_each_restores()
    {
        using Workspace own = await ThreeStoresAsync(await gateway.NewBucketAsync());

        string id = await own.BackupAsync();

        Outcome check = await own.RunAsync(0, "check", "--all", "--read-data", "-i", cluster.Keys.OpsSecret);
        foreach (string store in (string[])["local", "bucket", "remote"])
        {
            check.Output.ShouldContain($"{id} in {store} ok");
            (await own.RunAsync(0, "list", "--store", store)).Output.ShouldContain($"{id} ");
        }

        await own.RunAsync(
            0,
            "restore",
            "--store",
            "bucket",
            "-t",
            cluster.Server.Target,
            "-d",
            "small",
            "--as",
            "from_bucket",
            "-i",
            cluster.Keys.OpsSecret
        );
        await own.RunAsync(
            0,
            "restore",
            "--store",
            "remote",
            "-t",
            cluster.Server.Target,
            "-d",
            "small",
            "--as",
            "from_remote",
            "-i",
            cluster.Keys.OpsSecret
        );
        await cluster.Server.SqlAsync("postgres", "DROP DATABASE from_bucket");
        await cluster.Server.SqlAsync("postgres", "DROP DATABASE from_remote");
        Workspace.HostShouldBeClean();
    }

    [Fact]
    public async Task A_store_that_is_down_makes_the_run_exit_with_3_and_the_next_run_catches_up()
    {
        string bucket = await gateway.NewBucketAsync();
        using Workspace own = await ThreeStoresAsync(bucket);
        string right = own.Config();
        own.Configure(right.Replace(gateway.Endpoint, "http://127.0.0.1:9", StringComparison.Ordinal));

        Outcome first = await own.RunAsync(3);

        first.Errors.ShouldContain("PGB-0068");
        first.Output.ShouldContain("bucket (s3://");
        first.Output.ShouldContain("FAILED (PGB-0060)");
        string missed = Id(first);
        first.Output.ShouldContain($"lacks {missed}");
        (await own.RunAsync(1, "check")).Output.ShouldContain("bucket could not be checked");

        own.Configure(right);
        Outcome second = await own.RunAsync(0);

        second.Output.ShouldContain($"has {Id(second)} now, and 1 that it lacked");
        (await own.RunAsync(0, "list", "--store", "bucket")).Output.ShouldContain(missed);
        await own.RunAsync(0, "check", "--all", "--read-data");
    }

    [Fact]
    public async Task A_host_without_disk_space_streams_straight_into_a_bucket()
    {
        using Workspace own = cluster.Gpg("small", "tiny");
        string bucket = await gateway.NewBucketAsync();
        own.Configure(own.Config().Replace($"path: {own.Store}", $"s3: {Bucket(bucket)}", StringComparison.Ordinal));

        string id = await own.BackupAsync();

        Directory.Exists(own.Store).ShouldBeFalse();
        (await own.RunAsync(0, "check", "latest", "-i", cluster.Keys.OpsSecret)).Output.ShouldContain($"{id} ok");
        using AmazonS3Client client = gateway.Client();
        (
            await client.ListObjectsV2Async(new Amazon.S3.Model.ListObjectsV2Request { BucketName = bucket }, Cancel)
        ).S3Objects.ShouldNotContain(static o =>
            o.Key.EndsWith("IN-PROGRESS", StringComparison.Ordinal) || o.Key.Contains(".olympus-pgbackup.lock", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task A_store_that_ignores_the_demand_to_encrypt_fails_the_run_and_one_that_does_not_is_relied_on()
    {
        using Workspace own = cluster.Plain("small");
        string bucket = await gateway.NewBucketAsync();
        string text = own.Config().Replace("encryption: none", "encryption: { provider: sse }", StringComparison.Ordinal);
        own.Configure(text.Replace($"path: {own.Store}", $"s3: {Bucket(bucket, ", sse: AES256")}", StringComparison.Ordinal));

        (await own.RunAsync(1)).Errors.ShouldContain("PGB-0067");

        own.Configure(
            text.Replace($"path: {own.Store}", $"s3: {Bucket(bucket, ", sse: \"aws:kms\", kms_key: testkey-1")}", StringComparison.Ordinal)
        );
        Outcome night = await own.RunAsync(0);
        night.Output.ShouldContain("encrypted by the store");
        await own.RunAsync(0, "check", "--read-data");
    }

    [Fact]
    public async Task What_the_rules_of_a_store_no_longer_keep_goes_and_what_is_pinned_stays()
    {
        using Workspace own = cluster.Plain("tiny");
        own.Configure(own.Config().Replace("all: 14d", "all: 1h", StringComparison.Ordinal));
        string old = await own.BackupAsync();
        // Two and three days ago, by their names and by their manifests: the program has the real clock, which may pass midnight here.
        DateTime now = DateTime.UtcNow;
        string aged = $"{now.AddDays(-2):yyyyMMdd}T030000Z";
        string pinned = $"{now.AddDays(-3):yyyyMMdd}T030000Z";
        foreach (string id in (string[])[aged, pinned])
        {
            await Shell.ReadAsync(
                "sh",
                [
                    "-c",
                    $"cp -r {own.Store}/{old} {own.Store}/{id} && cd {own.Store}/{id} && for f in {old}*; do mv $f {id}${{f#{old}}}; "
                        + $"done && sed -i s/{old}/{id}/g manifest.json SHA256SUMS RESTORE.md && "
                        + "digest() { sha256sum $1 | cut -c1-64; } && sed -i \"s/\\(\\\"sums_sha256\\\": \\\"\\)[0-9a-f]*/\\1$(digest "
                        + "SHA256SUMS)/; s/\\(\\\"guide_sha256\\\": \\\"\\)[0-9a-f]*/\\1$(digest RESTORE.md)/\" manifest.json && "
                        + "sha256sum manifest.json > manifest.sha256",
                ]
            );
        }

        await own.RunAsync(0, "pin", pinned, "--note", "before the migration");
        await own.RunAsync(0, "check", "--all", "--read-data");
        string plan = (await own.RunAsync(0, "prune", "--dry-run")).Output;
        plan.Split('\n').Single(l => l.StartsWith(aged, StringComparison.Ordinal)).ShouldContain("GOES");
        plan.Split('\n').Single(l => l.StartsWith(pinned, StringComparison.Ordinal)).ShouldContain("pinned");

        (await own.RunAsync(0)).Output.ShouldContain("removed 1 old snapshot");

        Directory.Exists(own.SnapshotFolder(aged)).ShouldBeFalse();
        Directory.Exists(own.SnapshotFolder(pinned)).ShouldBeTrue();
        await own.RunAsync(0, "unpin", pinned);
        (await own.RunAsync(0, "prune")).Output.ShouldContain("1 removed");
        Directory.Exists(own.SnapshotFolder(pinned)).ShouldBeFalse();
        await own.RunAsync(0, "check", "--all", "--read-data");
    }

    [Fact]
    public async Task A_night_killed_at_any_moment_leaves_whole_snapshots_only_and_the_next_one_makes_everything_level()
    {
        using Workspace own = await ThreeStoresAsync(await gateway.NewBucketAsync(), "tiny");
        await own.BackupAsync();
        for (int ms = 300; ms <= 2700; ms += 800)
        {
            await using RunningProgram run = own.Start();
            await Task.Delay(ms, Cancel);
            await run.SignalAsync("KILL");
            await run.EndAsync();
            // The lease of the killed run is free after its time; here nobody waits.
            await FreeLeasesAsync(own);
            foreach (
                JsonNode? found in JsonNode.Parse((await own.RunAsync("check", "--all", "--read-data", "--json")).Output)![
                    "snapshots"
                ]!.AsArray()
            )
            {
                found!["problems"]!.AsArray().ShouldBeEmpty($"killed after {ms} ms: {found}");
            }
        }

        await own.BackupAsync();
        await own.RunAsync(0, "check", "--all", "--read-data");
        foreach (string store in (string[])["local", "bucket", "remote"])
        {
            (await own.RunAsync(0, "list", "--store", store)).Output.ShouldNotContain("unfinished");
        }
    }

    private static string Id(Outcome outcome) =>
        outcome.Output.Split('\n').Single(static l => l.Contains(" complete: ", StringComparison.Ordinal)).Split(' ')[0];

    private async Task FreeLeasesAsync(Workspace own)
    {
        using AmazonS3Client client = gateway.Client();
        string bucket = own.Config().Split("bucket: ")[1].Split(',')[0];
        await client.DeleteObjectAsync(bucket, "olympus/.olympus-pgbackup.lock", Cancel);
        string locks = Path.Combine(own.Folder, "remote", ".locks");
        if (Directory.Exists(locks))
        {
            Directory.Delete(locks, recursive: true);
        }
    }

    private string Bucket(string bucket, string more = "") =>
        $"{{ bucket: {bucket}, prefix: olympus, endpoint: \"{gateway.Endpoint}\", access_key_id: {gateway.AccessKey}, "
        + $"secret_access_key: {gateway.SecretKey}{more} }}";

    private async Task<Workspace> ThreeStoresAsync(string bucket, params string[] databases)
    {
        Workspace own = cluster.Gpg(databases.Length > 0 ? databases : ["small", "tiny"]);
        string rclone = Path.Combine(own.Folder, "rclone.conf");
        await File.WriteAllTextAsync(rclone, "[disk]\ntype = local\n", Cancel);
        string text = own.Config();
        int stores = text.IndexOf("stores:", StringComparison.Ordinal);
        own.Configure(
            text[..stores]
                + $"""
                stores:
                  - name: local
                    path: {own.Store}
                  - name: bucket
                    s3: {Bucket(bucket)}
                  - name: remote
                    rclone: "disk:{own.Folder}/remote"
                    rclone_config: {rclone}

                """
        );
        return own;
    }
}
