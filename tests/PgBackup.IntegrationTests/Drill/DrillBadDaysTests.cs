using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Amazon.S3.Model;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Restore;
using PgBackup.Snapshots;
using PgBackup.Tests;

namespace PgBackup.IntegrationTests.Drill;

/// <summary>What can go wrong around a drill: keys, stores, ports, disks, and its own death at further moments.</summary>
[Collection("drill")]
public sealed class DrillBadDaysTests(DrillSnapshots snapshots, RadosGateway gateway)
{
    [Fact]
    public async Task A_key_that_has_expired_still_decrypts()
    {
        using Rehearsal own = await snapshots.RehearseAsync();
        string folder = Path.Combine(own.Stores[1], own.Snapshot);
        Manifest manifest = Manifest.Read(await File.ReadAllBytesAsync(Path.Combine(folder, SnapshotLayout.Manifest), Cancel), "it");
        List<Part> parts = [];
        foreach (Part part in manifest.Parts)
        {
            // As it would have been encrypted while the key was young.
            string file = Path.Combine(folder, part.Object);
            await Shell.ReadAsync(
                "sh",
                ["-c", "gpg --homedir \"$1\" --batch --quiet --decrypt \"$2\" >\"$2.plain\"", "sh", snapshots.Keys.SecretHome, file]
            );
            await Shell.ReadAsync(
                "gpg",
                [
                    "--homedir",
                    snapshots.Keys.PublicHome,
                    "--batch",
                    "--yes",
                    "--quiet",
                    "--faked-system-time",
                    "20200601T000000",
                    "--trust-model",
                    "always",
                    "--compress-algo",
                    "none",
                    "--recipient",
                    Keys.Expired,
                    "--output",
                    file,
                    "--encrypt",
                    file + ".plain",
                ]
            );
            File.Delete(file + ".plain");
            byte[] bytes = await File.ReadAllBytesAsync(file, Cancel);
            parts.Add(part with { Size = bytes.Length, Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)) });
        }

        await File.WriteAllBytesAsync(Path.Combine(folder, SnapshotLayout.Manifest), (manifest with { Parts = parts }).ToJson(), Cancel);
        string secret = Path.Combine(own.Workspace.Folder, "expired.key");
        await Shell.ReadAsync(
            "gpg",
            ["--homedir", snapshots.Keys.SecretHome, "--batch", "--output", secret, "--export-secret-keys", Keys.Expired]
        );

        (_, DrillReport report) = await own.DrillAsync(0, "--identity", secret);

        report.Databases.ShouldAllBe(static d => d.Verdict == RestoreVerdict.Equal);
    }

    [Fact]
    public async Task A_fetch_that_breaks_goes_on_where_it_broke_and_a_taken_port_is_nothing_to_a_scratch_server()
    {
        string bucket = await gateway.NewBucketAsync();
        await using var proxy = new FaultProxy(gateway.Endpoint);
        using Rehearsal own = await snapshots.RehearseAsync();
        using (Amazon.S3.AmazonS3Client client = gateway.Client())
        {
            foreach (string file in Directory.GetFiles(Path.Combine(own.Stores[0], own.Snapshot)))
            {
                await client.PutObjectAsync(
                    new PutObjectRequest
                    {
                        BucketName = bucket,
                        Key = $"olympus/{own.Snapshot}/{Path.GetFileName(file)}",
                        FilePath = file,
                        UseChunkEncoding = false,
                    },
                    Cancel
                );
            }
        }

        own.Workspace.Configure(
            own.Workspace.Config()
                .Replace(
                    "drill:",
                    $"""
                      - name: bucket
                        s3: {"{"} bucket: {bucket}, prefix: olympus, endpoint: "{proxy.Endpoint}", access_key_id: {gateway.AccessKey}, secret_access_key: {gateway.SecretKey} {"}"}
                    drill:
                    """,
                    StringComparison.Ordinal
                )
        );
        proxy.On("GET", "ciam_kratos.dump", Fault.CutInResponse(10_000), 2).On("GET", "ciam_hydra.dump", Fault.CutInResponse(1), 1);
        // What a server of this host would listen on.
        using TcpListener? taken = Take(5432);
        string log = Path.Combine(own.Workspace.Folder, "run.log");
        string podman = await OfPathAsync("podman");
        own.Workspace.PutOnPath("podman", $"#!/bin/sh\n[ \"$1\" != run ] || echo \"$@\" >{log}\nexec {podman} \"$@\"\n");

        (_, DrillReport report) = await own.DrillAsync(0);

        report.Store.ShouldBe("bucket");
        report.Databases.ShouldAllBe(static d => d.Verdict == RestoreVerdict.Equal);
        proxy.Requests.Count(static r => r.Method == "GET" && r.Fault is not null).ShouldBe(3);
        string run = await File.ReadAllTextAsync(log, Cancel);
        run.ShouldContain("--network none");
        run.ShouldNotContain("--publish");
        taken?.Pending().ShouldBeFalse();
    }

    [Fact]
    public async Task A_store_that_is_gone_in_mid_fetch_is_a_drill_that_failed_and_the_other_store_has_the_report()
    {
        using Rehearsal own = await snapshots.RehearseAsync();
        string rclone = await OfPathAsync("rclone");
        string gone = Path.Combine(own.Workspace.Folder, "gone");
        await File.WriteAllTextAsync(Path.Combine(own.Workspace.Folder, "rclone.conf"), "[disk]\ntype = local\n", Cancel);
        own.Workspace.Configure(
            own.Workspace.Config()
                .Replace(
                    $"path: {own.Stores[1]}",
                    $"rclone: \"disk:{own.Stores[1]}\"\n    rclone_config: {own.Workspace.Folder}/rclone.conf",
                    StringComparison.Ordinal
                )
        );
        // Of the largest part, some bytes come; then nothing of this store does any more.
        own.Workspace.PutOnPath(
            "rclone",
            $$"""
            #!/bin/sh
            [ ! -e {{gone}} ] || { echo "NOTICE: no route to host" >&2; exit 1; }
            case "$*" in
            *" cat "*kratos.dump*|"cat "*kratos.dump*) {{rclone}} "$@" | head -c 20000; : >{{gone}}; echo "ERROR : connection reset by peer" >&2; exit 1 ;;
            esac
            exec {{rclone}} "$@"
            """
        );

        await using RunningProgram drill = own.Start();
        Outcome outcome = await drill.EndAsync();

        outcome.ExitCode.ShouldBe(1, outcome.ToString());
        outcome.Errors.ShouldContain("PGB-0081");
        outcome.Errors.ShouldContain("offsite: the report could not be written: ");
        File.Exists(gone).ShouldBeTrue();
        DrillReport report = DrillReport
            .TryRead(await File.ReadAllBytesAsync(Directory.GetFiles(Path.Combine(own.Stores[0], "drills"), "*.json").Single(), Cancel))
            .ShouldNotBeNull();
        report.Failures.Lines().ShouldHaveSingleItem().ShouldContain("PGB-0060");
        report.Databases.ShouldBeEmpty();
        own.Stores.ShouldAllBe(s => !own.IsProven(s));
        (await Rehearsal.ContainersAsync(drill.Id)).ShouldBeEmpty();
        Workspace.HostShouldBeClean();
    }

    [Fact]
    public async Task A_scratch_server_whose_disk_is_full_is_told_and_removed()
    {
        using Rehearsal own = await snapshots.RehearseAsync();
        string podman = await OfPathAsync("podman");
        // Enough for an empty cluster, and not for what three databases write.
        own.Workspace.PutOnPath(
            "podman",
            $"""
            #!/bin/sh
            [ "$1" = run ] || exec {podman} "$@"
            shift
            exec {podman} run --tmpfs /var/lib/postgresql/data:size=50m "$@"
            """
        );

        (Outcome outcome, DrillReport report) = await own.DrillAsync(1);

        outcome.Errors.ShouldContain("PGB-0081");
        string.Join('\n', report.Failures.Lines()).ShouldContain("No space left on device");
        own.Stores.ShouldAllBe(s => !own.IsProven(s));
    }

    [Fact]
    public async Task A_drill_that_is_killed_while_it_decrypts_or_while_it_removes_its_server_is_cleaned_up_by_the_next_one()
    {
        using Rehearsal own = await snapshots.RehearseAsync();
        string podman = await OfPathAsync("podman");
        string armed = Path.Combine(own.Workspace.Folder, "armed");
        string held = Path.Combine(own.Workspace.Folder, "held");
        List<int> killed = [];
        using (var hold = new Hold(own.Workspace, "--decrypt"))
        {
            killed.Add(await KillAsync(() => hold.EnteredAsync(1)));
        }

        await File.WriteAllTextAsync(armed, "", Cancel);
        own.Workspace.PutOnPath(
            "podman",
            $$"""
            #!/bin/sh
            case "$1 $4" in
            "rm olympus-pgbackup-scratch-"*) if [ -e {{armed}} ]; then : >{{held}}; while [ -e {{armed}} ]; do sleep 0.1; done; exit 1; fi ;;
            esac
            exec {{podman}} "$@"
            """
        );
        killed.Add(
            await KillAsync(() => Shell.UntilAsync(() => Task.FromResult(File.Exists(held)), "the container is about to be removed"))
        );
        File.Delete(armed);
        foreach (int process in killed)
        {
            (await Rehearsal.ContainersAsync(process)).Length.ShouldBeLessThanOrEqualTo(1);
        }

        own.ReportCount.ShouldBe(0);
        await own.DrillAsync(0);

        foreach (int process in killed)
        {
            (await Rehearsal.ContainersAsync(process)).ShouldBeEmpty();
        }

        Workspace.HostShouldBeClean();

        async Task<int> KillAsync(Func<Task> moment)
        {
            await using RunningProgram drill = own.Start();
            await moment();
            await drill.SignalAsync("KILL");
            (await drill.EndAsync()).ExitCode.ShouldBe(137);
            return drill.Id;
        }
    }

    private static TcpListener? Take(int port)
    {
        var listener = new TcpListener(IPAddress.Any, port);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            listener.Dispose();
            return null; // as it should be: somebody else has it
        }
    }

    private static async Task<string> OfPathAsync(string program) => (await Shell.ReadAsync("sh", ["-c", $"command -v {program}"])).Trim();
}
