using PgBackup.App.Verbs;

namespace PgBackup.Tests.App;

public sealed class InitVerbTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Init_writes_a_private_config_that_can_be_read_and_says_what_is_next()
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "init");

        (result.ExitCode, result.Errors).ShouldBe((0, ""));
        result.Output.ShouldStartWith("Wrote olympus-pgbackup.yaml.");
        (await File.ReadAllTextAsync(folder["olympus-pgbackup.yaml"], Cancel)).ShouldBe(InitVerb.Template);
        File.GetUnixFileMode(folder["olympus-pgbackup.yaml"]).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task Init_never_overwrites()
    {
        string file = folder.Write("mine.yaml", "precious");

        AppResult result = await AppProcess.RunAsync(folder.Path, "init", "mine.yaml");

        result.ExitCode.ShouldBe(2);
        result.Errors.ShouldStartWith("olympus-pgbackup: PGB-0002: mine.yaml exists already.");
        (await File.ReadAllTextAsync(file, Cancel)).ShouldBe("precious");
    }

    [Fact]
    public async Task Init_says_when_it_cannot_write()
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "init", "/nowhere/x.yaml");

        result.ExitCode.ShouldBe(2);
        result.Errors.ShouldStartWith("olympus-pgbackup: PGB-0002: /nowhere/x.yaml cannot be written: ");
    }
}
