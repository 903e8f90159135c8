using PgBackup.Snapshots;
using PgBackup.Tests.Snapshots;

namespace PgBackup.Tests.App;

/// <summary><c>metrics.textfile</c>: what a verb has changed is in the file of figures when it ends.</summary>
public sealed class MetricsFileTests : IDisposable
{
    private readonly TestFolder folder = new();

    public MetricsFileTests()
    {
        Configure(folder["olympus.prom"]);
        Manifest manifest = ManifestSample.Of(ManifestSample.Id);
        Directory.CreateDirectory(folder["store/" + manifest.Id]);
        File.WriteAllBytes(folder[$"store/{manifest.Id}/manifest.json"], manifest.ToJson());
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task It_is_written_after_what_does_something_and_not_after_what_only_tells()
    {
        (await AppProcess.RunAsync(folder.Path, "list")).ExitCode.ShouldBe(0);
        (await AppProcess.RunAsync(folder.Path, "status")).ExitCode.ShouldBe(1);
        (await AppProcess.RunAsync(folder.Path, "prune", "--dry-run")).ExitCode.ShouldBe(0);
        File.Exists(folder["olympus.prom"]).ShouldBeFalse();

        (await AppProcess.RunAsync(folder.Path, "pin", "latest")).ShouldBe(new AppResult(0, "20260301T030000Z is pinned in local.\n", ""));

        string written = await File.ReadAllTextAsync(folder["olympus.prom"], TestContext.Current.CancellationToken);
        written.ShouldStartWith("# HELP pgbackup_");
        Directory.GetFiles(folder.Path, "*.tmp").ShouldBeEmpty();
    }

    [Fact]
    public async Task It_is_written_after_a_check_which_others_should_know_of()
    {
        (await AppProcess.RunAsync(folder.Path, "check", "latest")).ExitCode.ShouldBe(1);

        File.Exists(folder["olympus.prom"]).ShouldBeTrue();
    }

    [Fact]
    public async Task It_tells_of_a_run_that_failed()
    {
        AppResult failed = await AppProcess.RunAsync(folder.Path, "run");

        failed.ExitCode.ShouldBe(1);
        (await File.ReadAllTextAsync(folder["olympus.prom"], TestContext.Current.CancellationToken)).ShouldContain("PGB-0185");
    }

    [Fact]
    public async Task What_keeps_it_from_being_written_is_a_warning_and_changes_no_exit_code()
    {
        string missing = folder["no-such-folder/olympus.prom"];
        Configure(missing);

        AppResult pinned = await AppProcess.RunAsync(folder.Path, "pin", "latest");

        (pinned.ExitCode, pinned.Output).ShouldBe((0, "20260301T030000Z is pinned in local.\n"));
        pinned.Errors.ShouldStartWith("WARNING: PGB-0220: the file of metrics is not up to date: the metrics could not be written into");
        pinned.Errors.ShouldContain(missing);
    }

    [Fact]
    public async Task A_file_of_somebody_else_is_never_replaced()
    {
        folder.Write("olympus.prom", "important\n");

        AppResult pinned = await AppProcess.RunAsync(folder.Path, "pin", "latest");

        pinned.ExitCode.ShouldBe(0);
        pinned.Errors.ShouldContain("PGB-0220");
        (await File.ReadAllTextAsync(folder["olympus.prom"], TestContext.Current.CancellationToken)).ShouldBe("important\n");
    }

    [Theory]
    [InlineData("olympus.prom")]
    [InlineData("/var/lib/olympus.txt")]
    public async Task A_name_that_no_collector_reads_is_an_error_of_the_config(string file)
    {
        Configure(file);

        AppResult refused = await AppProcess.RunAsync(folder.Path, "list");

        refused.ExitCode.ShouldBe(2);
        refused.Errors.ShouldContain($"metrics.textfile: \"{file}\" is not the whole path of a file whose name ends in .prom.");
    }

    private void Configure(string file) =>
        folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: olympus\nsource: {{ podman: no-such-container }}\ndatabases: [olympus]\nencryption: none\n"
                + $"metrics: {{ textfile: {file} }}\nstores: [{{ name: local, path: {folder["store"]} }}]\n"
        );
}
