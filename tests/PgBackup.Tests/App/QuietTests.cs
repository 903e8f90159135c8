namespace PgBackup.Tests.App;

/// <summary><c>--quiet</c> where nothing is run: the integration tests have real nights.</summary>
public sealed class QuietTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task What_is_wrong_is_said_and_what_is_worth_knowing_is_not()
    {
        folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: olympus\nsource: {{ podman: no-such-container }}\ndatabases: [olympus]\nencryption: none\n"
                + $"stores: [{{ name: local, path: {folder["store"]} }}]\n"
        );

        AppResult loud = await AppProcess.RunAsync(folder.Path, "run");
        AppResult quiet = await AppProcess.RunAsync(folder.Path, "run", "--quiet");
        AppResult root = await AppProcess.RunAsync(folder.Path, "-q");

        loud.Errors.ShouldEndWith(quiet.Errors);
        (quiet.ExitCode, quiet.Output).ShouldBe((1, ""));
        quiet.Errors.ShouldStartWith("olympus-pgbackup: PGB-");
        root.ShouldBe(quiet);
    }

    [Theory]
    [InlineData("--quiet and --json exclude each other.", "run", "--quiet", "--json")]
    [InlineData("`list` has no --quiet.", "--quiet", "list")]
    [InlineData("Unrecognized command or argument '--quiet'", "list", "--quiet")]
    public async Task Where_it_means_nothing_it_is_refused(string error, params string[] arguments)
    {
        AppResult refused = await AppProcess.RunAsync(folder.Path, arguments);

        refused.ExitCode.ShouldBe(2);
        refused.Errors.ShouldContain(error);
    }
}
