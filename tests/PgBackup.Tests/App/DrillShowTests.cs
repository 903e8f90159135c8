using System.Text.Json.Nodes;
using PgBackup.Operations.Drill;
using PgBackup.Snapshots;
using PgBackup.Tests.Operations.Drill;

namespace PgBackup.Tests.App;

public sealed class DrillShowTests : IDisposable
{
    private readonly TestFolder folder = new();

    public DrillShowTests()
    {
        folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: olympus\nstores:\n- {{ name: local, path: {folder["local"]} }}\n- {{ name: offsite, path: {folder["offsite"]} }}\n"
        );
        Directory.CreateDirectory(folder["local/drills"]);
        Directory.CreateDirectory(folder["offsite/drills"]);
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task The_report_of_a_time_or_the_newest_is_printed_from_the_first_store_that_has_it()
    {
        Put("local", 0, "# old\n");
        Put("offsite", 0, "# of offsite\n");
        Put("offsite", 1, "# new\u001b[2J\n");

        (await ShowAsync()).ShouldBe(new AppResult(0, "# new\\x1B[2J\n", ""));
        (await ShowAsync("20260401T050000Z")).Output.ShouldBe("# old\n");
        (await ShowAsync("20260401T050000Z", "--store", "offsite")).Output.ShouldBe("# of offsite\n");
        JsonNode json = JsonNode.Parse((await ShowAsync("20260401T050000Z", "--json")).Output)!;
        json["snapshot"]!.GetValue<string>().ShouldBe(DrillSample.Passed.Snapshot);
        (await AppProcess.RunAsync(folder.Path, "drill", "--list")).Output.ShouldContain("\n20260402T050000Z  ");
    }

    [Fact]
    public async Task An_unknown_time_is_wrong_usage_that_names_those_there_are()
    {
        AppResult none = await ShowAsync();
        Put("local", 0, "# old\n");
        AppResult other = await ShowAsync("20260402T050000Z");
        AppResult word = await ShowAsync("yesterday");

        (none.ExitCode, other.ExitCode, word.ExitCode).ShouldBe((2, 2, 2));
        none.Errors.ShouldContain("no store has the report of a drill.");
        other.Errors.ShouldContain("no store has the report of a drill that began at 20260402T050000Z.");
        other.Errors.ShouldContain("There are 20260401T050000Z;");
        word.Errors.ShouldContain("--show \"yesterday\" is not the time of a drill.");
    }

    [Fact]
    public async Task A_report_of_the_future_is_the_newest_only_where_there_is_no_other()
    {
        Put("local", 0, "# old\n");
        folder.Write("local/drills/20990401T050000Z.md", "# forged\n");

        (await ShowAsync()).Output.ShouldBe("# old\n");
        File.Delete(folder["local/drills/20260401T050000Z.md"]);
        (await ShowAsync()).Output.ShouldBe("# forged\n");
    }

    [Theory]
    [InlineData("--keep")]
    [InlineData("--list")]
    [InlineData("--identity", "key.txt")]
    [InlineData("--list", "latest")]
    public async Task What_only_a_drill_needs_is_refused_where_none_is_held(params string[] more)
    {
        Put("local", 0, "# old\n");

        AppResult refused = await AppProcess.RunAsync(folder.Path, ["drill", "--show", .. more]);

        refused.ExitCode.ShouldBe(2);
        refused.Errors.ShouldContain(" cannot be combined with ");
    }

    [Fact]
    public async Task A_report_that_is_damaged_in_one_store_is_read_from_another_and_a_store_that_is_away_is_a_warning()
    {
        Put("local", 0, "# old\n");
        Put("offsite", 0, "# old\n");
        folder.Write("local/drills/20260401T050000Z.json", "{");

        AppResult json = await ShowAsync("--json");
        Directory.Delete(folder["offsite"], recursive: true);
        AppResult damaged = await ShowAsync("--json");
        AppResult text = await ShowAsync();

        json.ExitCode.ShouldBe(0, json.Errors);
        damaged.ExitCode.ShouldBe(1);
        damaged.Errors.ShouldContain("PGB-0065: drills/20260401T050000Z.json in the store local is no report of a drill");
        (text.ExitCode, text.Output).ShouldBe((0, "# old\n"));
        text.Errors.ShouldStartWith("WARNING: PGB-0060");
    }

    private Task<AppResult> ShowAsync(params string[] arguments) => AppProcess.RunAsync(folder.Path, ["drill", "--show", .. arguments]);

    private void Put(string store, int day, string text)
    {
        DrillReport report = DrillSample.Passed with { Started = DrillSample.Passed.Started.AddDays(day) };
        string name = $"{store}/drills/{SnapshotId.At(report.Started)}";
        folder.Write(name + ".md", text);
        File.WriteAllBytes(folder[name + ".json"], report.ToJson());
    }
}
