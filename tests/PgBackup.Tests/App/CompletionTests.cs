using PgBackup.Storage.Local;
using PgBackup.Tests.Operations;

namespace PgBackup.Tests.App;

/// <summary>What the shell completes on a host that only restores, whose config has neither a source nor databases.</summary>
public sealed class CompletionTests : IDisposable
{
    private readonly TestFolder folder = new();

    public CompletionTests() =>
        folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: olympus\nstores: [{{ name: local, path: {folder["store"]} }}, {{ name: offsite, path: {folder["other"]} }}]\n"
        );

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("show ")]
    [InlineData("restore ")]
    [InlineData("check ")]
    public async Task Snapshots_are_completed(string line)
    {
        SnapshotSample snapshot = SnapshotSample.Of(SnapshotSample.Day(2));
        await snapshot.PutAsync(new LocalStore("local", folder["store"]));

        IReadOnlyList<string> offered = await OfferedAsync(line);

        offered.ShouldContain("latest");
        offered.ShouldContain(snapshot.Id.ToString());
    }

    [Theory]
    [InlineData("restore --store ")]
    [InlineData("list --store ")]
    [InlineData("keys test --store ")]
    public async Task Stores_are_completed(string line)
    {
        IReadOnlyList<string> offered = await OfferedAsync(line);

        offered.ShouldContain("local");
        offered.ShouldContain("offsite");
    }

    private async Task<IReadOnlyList<string>> OfferedAsync(string line)
    {
        string typed = $"olympus-pgbackup {line}";
        AppResult result = await AppProcess.RunAsync(folder.Path, $"[suggest:{typed.Length}]", typed);
        (result.ExitCode, result.Errors).ShouldBe((0, ""));
        return result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
