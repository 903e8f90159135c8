namespace PgBackup.Tests.App;

/// <summary>How every verb answers a snapshot that was mistyped, or a word that only <c>diff</c> takes.</summary>
public sealed class SnapshotArgumentTests : IDisposable
{
    private readonly TestFolder folder = new();

    public SnapshotArgumentTests()
    {
        Directory.CreateDirectory(folder["store"]);
        folder.Write("olympus-pgbackup.yaml", $"cluster: olympus\nstores: [{{ name: local, path: {folder["store"]} }}]\n");
    }

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("show", "yesterday")]
    [InlineData("check", "previous")]
    [InlineData("pin", "live")]
    [InlineData("unpin", "20260301")]
    [InlineData("keys test", "Latest")]
    [InlineData("drill", "previous")]
    [InlineData("restore -t podman:x", "live")]
    [InlineData("restore -t podman:x -d a --table public.t --as b", "yesterday")]
    public async Task It_is_no_snapshot_id(string verb, string named)
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, [.. verb.Split(' '), named]);

        result.ShouldBe(
            new AppResult(
                2,
                "",
                $"olympus-pgbackup: PGB-0002: \"{named}\" is not a snapshot id.\n  what to do: An id looks like 20260301T030000Z; "
                    + "`latest` is the newest complete one; `olympus-pgbackup list` shows them."
            )
        );
        Directory.GetFileSystemEntries(folder["store"]).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("diff yesterday")]
    [InlineData("diff latest yesterday")]
    public async Task Diff_names_all_its_words(string arguments)
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, arguments.Split(' '));

        result.ShouldBe(
            new AppResult(
                2,
                "",
                "olympus-pgbackup: PGB-0002: \"yesterday\" is not a snapshot id.\n  what to do: An id looks like 20260301T030000Z; "
                    + "`latest` is the newest complete one, `previous` the complete one before the other, `live` the databases as "
                    + "they are now; `olympus-pgbackup list` shows them."
            )
        );
    }

    [Fact]
    public async Task A_list_of_drills_needs_none()
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "drill", "--list");

        (result.ExitCode, result.Errors).ShouldBe((0, ""));
        result.Output.ShouldStartWith("No drill was held yet");
    }
}
