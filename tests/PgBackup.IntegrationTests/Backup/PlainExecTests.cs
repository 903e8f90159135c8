namespace PgBackup.IntegrationTests.Backup;

/// <summary>A user who cannot see into the container (rootless, remote engines): every tool then has an exec of its own.</summary>
[Collection("olympus")]
public sealed class PlainExecTests(OlympusCluster cluster) : IAsyncLifetime
{
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await cluster.Target.EmptyAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Without_a_look_into_the_container_backup_and_restore_work_all_the_same()
    {
        using Workspace night = Blind();
        string id = await night.BackupAsync();
        night.Manifest(id).IsComplete.ShouldBeTrue();

        Outcome restore = await night.RunAsync(
            0,
            "restore",
            "latest",
            "--globals",
            "--target",
            cluster.Target.Target,
            "--identity",
            cluster.Keys.OpsSecret
        );
        restore.Output.ShouldContain("restored and proven equal: 5 databases");
    }

    [Fact]
    public async Task Several_jobs_are_refused_where_the_decrypted_file_could_stay_behind()
    {
        using Workspace night = Blind();
        await night.BackupAsync();

        Outcome restore = await night.RunAsync(
            1,
            "restore",
            "latest",
            "--globals",
            "--jobs",
            "2",
            "--target",
            cluster.Target.Target,
            "--identity",
            cluster.Keys.OpsSecret
        );
        restore.All.ShouldContain("Leave out --jobs");
    }

    private Workspace Blind()
    {
        Workspace night = Workspace.ForContainer(cluster.Source.Name, Workspace.Gpg(cluster.Keys, Keys.Ops), OlympusCluster.Databases);
        night.BlindPodman();
        return night;
    }
}
