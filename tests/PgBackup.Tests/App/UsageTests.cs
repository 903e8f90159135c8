using PgBackup.Host;

namespace PgBackup.Tests.App;

public sealed class UsageTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("--nope", "--help")]
    [InlineData("frobnicate", "--help")]
    [InlineData("list --nope", "list --help")]
    [InlineData("list --store", "list --help")]
    [InlineData("restore", "restore --help")]
    [InlineData("restore latest", "restore --help")]
    [InlineData("restore -t podman:x --table public.t", "restore --help")]
    [InlineData("restore -t podman:x -d a -d b --table public.t --into-schema s", "restore --help")]
    [InlineData("restore -t podman:x -d a --table public.t --into-schema s --swap", "restore --help")]
    [InlineData("restore -t podman:x -d a --table public.t --as b --jobs 2", "restore --help")]
    [InlineData("restore -t podman:x -d a --into-schema s", "restore --help")]
    [InlineData("restore -t podman:x --yes", "restore --help")]
    [InlineData("restore latest -t podman:x -j 0", "restore --help")]
    [InlineData("restore latest -t podman:x -j two", "restore --help")]
    [InlineData("completion tcsh", "completion --help")]
    [InlineData("check a b", "check --help")]
    public async Task What_cannot_be_understood_exits_with_2_and_names_the_help(string arguments, string help)
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, arguments.Split(' '));

        result.ExitCode.ShouldBe(2);
        result.Output.ShouldBeEmpty();
        result.Errors.ShouldStartWith("olympus-pgbackup: PGB-0002: ");
        result.Errors.ShouldContain($"what to do: `olympus-pgbackup {help}`");
    }

    [Theory]
    [InlineData("")]
    [InlineData("run")]
    [InlineData("list")]
    [InlineData("restore -t podman:x")]
    public async Task Without_a_config_it_exits_with_2_and_says_how_to_make_one(string arguments)
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        result.ExitCode.ShouldBe(2);
        result.Output.ShouldBeEmpty();
        string[] lines = result.Errors.Split('\n');
        lines.Length.ShouldBe(2);
        lines[0]
            .ShouldBe(
                "olympus-pgbackup: PGB-0010: there is no config: neither ./olympus-pgbackup.yaml nor "
                    + "/etc/olympus-pgbackup/config.yaml exists."
            );
        lines[1].ShouldContain("`olympus-pgbackup init`");
    }

    [Fact]
    public async Task Its_version_is_that_of_the_product()
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "--version");

        result.ShouldBe(new AppResult(0, ProductVersion.Text + "\n", ""));
    }

    [Theory]
    [InlineData("bash", "complete -o default -F _olympus_pgbackup olympus-pgbackup")]
    [InlineData("zsh", "compdef _olympus_pgbackup olympus-pgbackup")]
    [InlineData("fish", "complete -c olympus-pgbackup")]
    public async Task Each_shell_has_its_completion(string shell, string line)
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "completion", shell);

        (result.ExitCode, result.Errors).ShouldBe((0, ""));
        result.Output.ShouldContain(line);
    }

    [Fact]
    public async Task Verbs_are_completed()
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "[suggest:19]", "olympus-pgbackup re");

        result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldContain("restore");
    }
}
