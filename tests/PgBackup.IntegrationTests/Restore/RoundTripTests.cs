using PgBackup.Snapshots;

namespace PgBackup.IntegrationTests.Restore;

/// <summary>Backup, check and restore of the whole tricky cluster.</summary>
[Collection("olympus")]
public sealed class RoundTripTests(OlympusCluster cluster) : IAsyncLifetime
{
    private Workspace Night => cluster.Workspace;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await cluster.Target.EmptyAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task The_night_of_the_tricky_cluster_succeeds_and_says_so_in_one_line()
    {
        cluster.Backup.ExitCode.ShouldBe(0, cluster.Backup.ToString());
        cluster.Backup.Output.Trim().Split('\n').ShouldHaveSingleItem().ShouldContain("complete: 5 databases and the roles");
        Outcome list = await Night.RunAsync(0, "list");
        list.Output.ShouldContain(cluster.Snapshot);
        list.Output.ShouldContain("complete");
        Outcome show = await Night.RunAsync(0, "show", "--tables");
        show.Output.ShouldContain("one moment  all databases within");
        OlympusCluster.Databases.ShouldAllBe(d => show.Output.Contains(d));
        Manifest manifest = Night.Manifest(cluster.Snapshot);
        manifest.SkewMs.ShouldBeGreaterThan(0);
        manifest.SkewMs.ShouldBeLessThan(1000);
        show.Output.ShouldContain($"{manifest.SkewMs:0.0} ms");
    }

    [Fact]
    public async Task Every_kind_of_check_finds_the_snapshot_whole()
    {
        (await Night.RunAsync(0, "check")).Output.ShouldContain("present, sizes right");
        (await Night.RunAsync(0, "check", "--all", "--read-data")).Output.ShouldContain("digests right");
        (await Night.RunAsync(0, "check", "latest", "--identity", cluster.Keys.OpsSecret)).Output.ShouldContain(
            "decoded, equal to the proof"
        );
        Workspace.HostShouldBeClean();
    }

    [Fact]
    public async Task Stored_files_are_for_their_owner_alone()
    {
        File.GetUnixFileMode(Night.Store).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string[] files = Directory.GetFiles(Night.SnapshotFolder(cluster.Snapshot));
        files
            .Select(Path.GetFileName)
            .ShouldBe(
                [
                    "RESTORE.md",
                    "SHA256SUMS",
                    "manifest.json",
                    "manifest.sha256",
                    $"{cluster.Snapshot}-globals.sql.gpg",
                    .. OlympusCluster.Databases.Select(d => $"{cluster.Snapshot}-{d}.dump.gpg"),
                ],
                ignoreOrder: true
            );
        files.ShouldAllBe(static f => File.GetUnixFileMode(f) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
        (await Shell.ReadAsync("sha256sum", ["-c", "manifest.sha256"], folder: Night.SnapshotFolder(cluster.Snapshot))).ShouldContain(
            "manifest.json: OK"
        );
        (await Shell.ReadAsync("sha256sum", ["-c", "SHA256SUMS"], folder: Night.SnapshotFolder(cluster.Snapshot))).ShouldContain(
            "olympus.dump.gpg: OK"
        );
    }

    [Fact]
    public async Task A_restore_with_globals_into_an_empty_server_is_proven_and_in_truth_equal()
    {
        Outcome restore = await Night.RunAsync(
            0,
            "restore",
            "--target",
            cluster.Target.Target,
            "--globals",
            "--identity",
            cluster.Keys.OpsSecret
        );
        restore.Output.ShouldContain("restored and proven equal: 5 databases");
        await TargetShouldEqualSourceAsync();
        await cluster.Target.ShouldBeCleanAsync();
        Workspace.HostShouldBeClean();
    }

    [Fact]
    public async Task Several_jobs_restore_the_same_and_leave_no_plaintext()
    {
        Outcome restore = await Night.RunAsync(
            0,
            "restore",
            "--target",
            cluster.Target.Target,
            "--globals",
            "--jobs",
            "3",
            "--identity",
            cluster.Keys.EscrowSecret,
            "--passphrase-file",
            cluster.Keys.EscrowPassphrase
        );
        restore.Output.ShouldContain("restored and proven equal: 5 databases");
        await TargetShouldEqualSourceAsync();
        await cluster.Target.ShouldBeCleanAsync();
        Workspace.HostShouldBeClean();
    }

    [Fact]
    public async Task A_database_keeps_owner_privileges_settings_and_comment_under_another_name()
    {
        await Night.RunAsync(
            0,
            "restore",
            "-t",
            cluster.Target.Target,
            "--globals",
            "-d",
            "iam_kratos",
            "--as",
            "iam kratos \"copy\"",
            "-i",
            cluster.Keys.OpsSecret
        );
        (await cluster.Target.DatabasesAsync()).ShouldBe(["iam kratos \"copy\""]);
        (await Fingerprint.OfDatabaseItselfAsync(cluster.Target, "iam kratos \"copy\"")).ShouldBeSameAs(
            await Fingerprint.OfDatabaseItselfAsync(cluster.Source, "iam_kratos"),
            "database"
        );
        (await Fingerprint.OfContentsAsync(cluster.Target, "iam kratos \"copy\"")).ShouldBeSameAs(
            await cluster.SourceContentsAsync("iam_kratos"),
            "contents"
        );
    }

    [Fact]
    public async Task A_database_that_exists_and_is_empty_is_filled_and_gets_its_settings()
    {
        await Night.RunAsync(0, "restore", "-t", cluster.Target.Target, "--globals", "-d", "ciam_hydra", "-i", cluster.Keys.OpsSecret);
        await cluster.Target.SqlAsync("postgres", "CREATE DATABASE olympus");
        Outcome restore = await Night.RunAsync(0, "restore", "-t", cluster.Target.Target, "-d", "olympus", "-i", cluster.Keys.OpsSecret);
        restore.Output.ShouldContain("proven equal");
        (await Fingerprint.OfDatabaseItselfAsync(cluster.Target, "olympus")).ShouldBeSameAs(
            await Fingerprint.OfDatabaseItselfAsync(cluster.Source, "olympus"),
            "database"
        );
        (await Fingerprint.OfContentsAsync(cluster.Target, "olympus")).ShouldBeSameAs(
            await cluster.SourceContentsAsync("olympus"),
            "contents"
        );
    }

    [Fact]
    public async Task A_database_with_something_in_it_is_refused_and_left_alone()
    {
        await cluster.Target.SqlAsync("postgres", "CREATE DATABASE olympus");
        await cluster.Target.SqlAsync("olympus", "CREATE TABLE precious (v text); INSERT INTO precious VALUES ('kept')");
        string before = await Fingerprint.OfContentsAsync(cluster.Target, "olympus");
        Outcome restore = await Night.RunAsync(1, "restore", "-t", cluster.Target.Target, "--globals", "-i", cluster.Keys.OpsSecret);
        restore.Errors.ShouldContain("PGB-0071");
        restore.Errors.ShouldContain("is not empty");
        (await Fingerprint.OfContentsAsync(cluster.Target, "olympus")).ShouldBe(before);
        (await cluster.Target.DatabasesAsync()).ShouldBe(["olympus"]);
        (await Fingerprint.OfRolesAsync(cluster.Target)).ShouldNotContain("reader");
    }

    [Fact]
    public async Task A_restore_whose_roles_are_missing_is_refused_and_says_which()
    {
        Outcome restore = await Night.RunAsync(1, "restore", "-t", cluster.Target.Target, "-d", "ciam_hydra", "-i", cluster.Keys.OpsSecret);
        restore.Errors.ShouldContain("lacks roles");
        restore.Errors.ShouldContain("ciam_hydra_user");
        restore.Errors.ShouldContain("--globals");
        (await cluster.Target.DatabasesAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_database_that_is_read_only_by_default_is_restored_and_stays_so()
    {
        await cluster.Source.SqlAsync("postgres", "CREATE DATABASE frozen");
        await cluster.Source.SqlAsync(
            "frozen",
            "CREATE TABLE t AS SELECT g FROM generate_series(1, 10) g; ALTER DATABASE frozen SET default_transaction_read_only = on"
        );
        using var own = Workspace.ForContainer(cluster.Source.Name, "none", ["frozen"]);
        await own.BackupAsync();
        await own.RunAsync(0, "restore", "-t", cluster.Target.Target);
        (await cluster.Target.SqlAsync("frozen", "SHOW default_transaction_read_only; SELECT count(*) FROM t")).ShouldBe("on\n10\n");
        await cluster.Source.SqlAsync("postgres", "DROP DATABASE frozen");
    }

    [Fact]
    public async Task Age_encrypts_checks_and_restores()
    {
        using var own = Workspace.ForContainer(cluster.Source.Name, Workspace.Age(cluster.Keys), ["ciam_kratos", "olympus"]);
        string id = await own.BackupAsync();
        File.ReadAllBytes(own.PartFile(id, "olympus")).AsSpan().StartsWith("age-encryption.org/v1"u8).ShouldBeTrue();
        await own.RunAsync(0, "check", "--read-data", "--identity", cluster.Keys.AgeIdentity);
        await own.RunAsync(0, "restore", "-t", cluster.Target.Target, "--globals", "-i", cluster.Keys.AgeIdentity);
        (await Fingerprint.OfContentsAsync(cluster.Target, "olympus")).ShouldBeSameAs(
            await cluster.SourceContentsAsync("olympus"),
            "contents"
        );
        Outcome wrong = await own.RunAsync(
            1,
            "restore",
            "-t",
            cluster.Target.Target,
            "-d",
            "olympus",
            "--as",
            "other",
            "-i",
            cluster.Keys.OtherAgeIdentity
        );
        wrong.Errors.ShouldContain("PGB-0051");
        (await cluster.Target.DatabasesAsync()).ShouldBe(["ciam_kratos", "olympus"]);
    }

    [Fact]
    public async Task Without_encryption_the_objects_are_plain_archives_of_pg_dump()
    {
        using var own = Workspace.ForContainer(cluster.Source.Name, "none", ["iam_hydra"]);
        Outcome backup = await own.RunAsync(0);
        backup.Output.ShouldContain("NOT encrypted");
        string id = backup.Output.Split(' ')[0];
        File.ReadAllBytes(own.PartFile(id, "iam_hydra")).AsSpan().StartsWith("PGDMP"u8).ShouldBeTrue();
        await own.RunAsync(0, "check", "--read-data");
        await own.RunAsync(0, "restore", "-t", cluster.Target.Target, "--globals");
        (await Fingerprint.OfContentsAsync(cluster.Target, "iam_hydra")).ShouldBeSameAs(
            await cluster.SourceContentsAsync("iam_hydra"),
            "contents"
        );
    }

    [Fact]
    public async Task The_key_of_somebody_else_is_told_as_that_before_the_target_is_touched()
    {
        Outcome stranger = await Night.RunAsync(1, "restore", "-t", cluster.Target.Target, "--globals", "-i", cluster.Keys.StrangerSecret);
        stranger.Errors.ShouldContain("PGB-0051");
        Outcome locked = await Night.RunAsync(1, "restore", "-t", cluster.Target.Target, "--globals", "-i", cluster.Keys.EscrowSecret);
        locked.Errors.ShouldContain("PGB-0051");
        (await cluster.Target.DatabasesAsync()).ShouldBeEmpty();
        (await Fingerprint.OfRolesAsync(cluster.Target)).ShouldNotContain("reader");
        Workspace.HostShouldBeClean();
    }

    [Fact]
    public async Task One_byte_of_one_row_changes_the_digest_of_its_table_and_of_nothing_else()
    {
        using var own = Workspace.ForContainer(cluster.Source.Name, "none", ["ciam_kratos"]);
        Part before = own.Manifest(await own.BackupAsync()).Databases.Single();
        await cluster.Source.SqlAsync("ciam_kratos", "UPDATE support_notes SET note = 'Note 5' WHERE id = 5");
        Part after = own.Manifest(await own.BackupAsync()).Databases.Single();
        await cluster.Source.SqlAsync("ciam_kratos", "UPDATE support_notes SET note = 'note 5' WHERE id = 5");
        Part again = own.Manifest(await own.BackupAsync()).Databases.Single();

        before
            .Proof.Tables.Keys.Where(t => before.Proof.Tables[t] != after.Proof.Tables[t])
            .ShouldHaveSingleItem()
            .ShouldContain("support_notes");
        after.Proof.Schema.ShouldBe(before.Proof.Schema);
        after.Proof.LargeObjects.ShouldBe(before.Proof.LargeObjects);
        again.Proof.Tables.Keys.Where(t => before.Proof.Tables[t] != again.Proof.Tables[t]).ShouldBeEmpty();
    }

    [Fact]
    public async Task Data_that_cannot_be_restored_fails_loudly()
    {
        await using PostgresContainer broken = await PostgresContainer.StartAsync("unrestorable");
        await broken.LoadFixtureAsync("--unrestorable", "--identities", "1");
        using var own = Workspace.ForContainer(broken.Name, "none", ["olympus", "iam_kratos"]);
        await own.BackupAsync();
        Outcome restore = await own.RunAsync(1, "restore", "-t", cluster.Target.Target, "--globals");
        restore.All.ShouldContain("restore FAILED");
        foreach (string culprit in (string[])["path_check", "path_generated", "moved_goalposts", "index_name", "orphan", "twins"])
        {
            restore.All.ShouldContain(culprit);
        }

        restore.Output.ShouldContain("iam_kratos");
        restore.Output.ShouldContain("equal");
        restore.All.ShouldContain("DROP DATABASE \"olympus\"");
    }

    private async Task TargetShouldEqualSourceAsync()
    {
        (await Fingerprint.OfRolesAsync(cluster.Target)).ShouldBeSameAs(await Fingerprint.OfRolesAsync(cluster.Source), "roles");
        foreach (string database in OlympusCluster.Databases)
        {
            (await Fingerprint.OfDatabaseItselfAsync(cluster.Target, database)).ShouldBeSameAs(
                await Fingerprint.OfDatabaseItselfAsync(cluster.Source, database),
                $"database of {database}"
            );
            (await Fingerprint.OfContentsAsync(cluster.Target, database)).ShouldBeSameAs(
                await cluster.SourceContentsAsync(database),
                $"contents of {database}"
            );
        }
    }
}
