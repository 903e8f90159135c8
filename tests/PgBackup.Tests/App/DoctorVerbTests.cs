using System.Text.Json.Nodes;

namespace PgBackup.Tests.App;

/// <summary>doctor, where no server is needed.</summary>
public sealed class DoctorVerbTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task What_is_right_and_what_is_not_is_a_checklist_and_warnings_leave_the_exit_code()
    {
        Configure("store");
        AppResult absent = await AppProcess.RunAsync(folder.Path, "doctor", "--only", "stores");
        absent.Output.ShouldContain(
            $"WARNING: PGB-0060: the folder of local ({folder["store"]}) does not exist. If its disk is not mounted"
        );
        Directory.Exists(folder["store"]).ShouldBeFalse("a look makes no store");
        Directory.CreateDirectory(folder["store"]);

        AppResult result = await AppProcess.RunAsync(folder.Path, "doctor", "--only", "stores", "--only", "files");

        (result.ExitCode, result.Errors).ShouldBe((0, ""), result.Output);
        result.Output.ShouldStartWith($"stores\n  ok: local ({folder["store"]}): an object was written, listed, read and removed\n");
        result.Output.ShouldContain("\n  note: PGB-0215: no store locks what it is given");
        result.Output.ShouldContain("\n  WARNING: PGB-0216: snapshots are not encrypted");
        result.Output.ShouldContain("\nfiles\n  ok: 2 files, the config among them: others may not change any\n");
        result.Output.ShouldContain(": 0 errors, ");
        Directory.GetFileSystemEntries(folder["store"]).ShouldBeEmpty();
    }

    [Fact]
    public async Task An_error_is_exit_code_1_and_in_JSON_with_all_that_was_looked_at()
    {
        Configure("file");
        folder.Write("file", "a file is no folder");

        AppResult result = await AppProcess.RunAsync(folder.Path, "doctor", "--only", "stores", "--json");

        result.ExitCode.ShouldBe(1);
        JsonNode report = JsonNode.Parse(result.Output)!;
        JsonNode error = report["findings"]!.AsArray().Single(static f => (string)f!["severity"]! == "error")!;
        ((string)error["code"]!, (string)error["subject"]!).ShouldBe(("PGB-0060", "local"));
        ((string)report["looked"]![0]!["area"]!, (int)report["looked"]![0]!["findings"]!).ShouldBe(("stores", 1));
        ((bool)report["is_healthy"]!, (double)report["seconds"]! < 30).ShouldBe((false, true));
    }

    [Theory]
    [InlineData("doctor", "--only", "moon")]
    [InlineData("doctor")] // the config has no source
    public async Task Wrong_usage_or_config_is_exit_code_2(params string[] arguments)
    {
        Configure("store");

        (await AppProcess.RunAsync(folder.Path, arguments)).ExitCode.ShouldBe(2);
    }

    private void Configure(string store) =>
        folder.Write("olympus-pgbackup.yaml", $"cluster: olympus\nencryption: none\nstores: [{{ name: local, path: {folder[store]} }}]\n");
}
