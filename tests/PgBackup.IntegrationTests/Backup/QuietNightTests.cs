namespace PgBackup.IntegrationTests.Backup;

/// <summary><c>run --quiet</c> from cron: a good night says nothing at all, and whatever is wrong is said.</summary>
[Collection("bad days")]
public sealed class QuietNightTests(BadDaysCluster cluster)
{
    [Fact]
    public async Task A_good_night_says_nothing_and_a_bad_one_what_is_wrong()
    {
        using var own = new Workspace(
            $$"""
            cluster: test
            source:
              podman: { container: {{cluster.Server.Name}}, user: postgres }
            databases: [tiny, small]
            encryption: {{Workspace.Gpg(cluster.Keys, Keys.Ops, Keys.Escrow)}}
            metrics: { textfile: STORE.prom }
            stores:
              - { name: local, path: STORE, keep: { all: 14d } }
              - { name: offsite, path: STORE-offsite, keep: { all: 14d } }
            """
        );

        string id = await own.BackupAsync();
        await own.RunAsync(0, "keys", "test", id, "--identity", cluster.Keys.OpsSecret);
        await own.RunAsync(
            0,
            "keys",
            "test",
            id,
            "--identity",
            cluster.Keys.EscrowSecret,
            "--passphrase-file",
            cluster.Keys.EscrowPassphrase
        );

        Outcome first = await own.RunAsync(0, "run", "--quiet");
        Outcome second = await own.RunAsync(0, "--quiet");
        (first.Output, first.Errors, second.Output, second.Errors).ShouldBe(("", "", "", ""));
        (await own.RunAsync(0, "list", "--json")).Output.ShouldContain("\"complete\"");
        (await Metrics(own)).ShouldContain("pgbackup_store_snapshots{store=\"offsite\",cluster=\"test\"} 3");

        Directory.Delete(own.Store + "-offsite", recursive: true);
        await File.WriteAllTextAsync(own.Store + "-offsite", "no folder", TestContext.Current.CancellationToken);
        Outcome behind = await own.RunAsync(3, "run", "--quiet");
        behind.Output.ShouldBe("");
        behind.Errors.ShouldContain("offsite");
        behind.Errors.ShouldContain("PGB-0060");
        behind.Errors.ShouldNotContain("note: ");
        (await Metrics(own)).ShouldContain("pgbackup_store_readable{store=\"offsite\",cluster=\"test\"} 0");

        File.Delete(own.Store + "-offsite");
        own.Configure(own.Config().Replace(", small]", ", no_such_database]", StringComparison.Ordinal));
        Outcome broken = await own.RunAsync(3, "run", "--quiet");
        broken.Output.ShouldBe("");
        broken.Errors.ShouldContain("WARNING: PGB-0126: offsite"); // emptied, and its folder made again
        broken.Errors.ShouldContain("FAILED: no_such_database");
    }

    [Fact]
    public async Task A_full_disk_of_the_text_file_is_a_warning_and_leaves_the_figures_of_the_night_before()
    {
        using var own = new Workspace(
            $$"""
            cluster: test
            source:
              podman: { container: {{cluster.Server.Name}}, user: postgres }
            databases: [tiny]
            encryption: none
            metrics: { textfile: STORE-disk/olympus.prom }
            stores: [{ name: local, path: STORE }]
            """
        );
        string disk = own.Store + "-disk";
        string file = Path.Combine(disk, "olympus.prom");
        Directory.CreateDirectory(disk);
        await Shell.ReadAsync("mount", ["-t", "tmpfs", "-o", "size=32k", "tmpfs", disk]);
        try
        {
            await own.RunAsync(0, "run", "--quiet");
            string before = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
            await Shell.RunAsync("dd", ["if=/dev/zero", $"of={Path.Combine(disk, "filler")}", "bs=4k"]);

            Outcome full = await own.RunAsync(0, "run", "--quiet");

            full.Errors.ShouldContain("WARNING: PGB-0220: the file of metrics is not up to date");
            (await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).ShouldBe(before);
            Directory.GetFiles(disk, "*.tmp").ShouldBeEmpty();
        }
        finally
        {
            await Shell.ReadAsync("umount", [disk]);
        }
    }

    private static Task<string> Metrics(Workspace own) => File.ReadAllTextAsync(own.Store + ".prom", TestContext.Current.CancellationToken);
}
