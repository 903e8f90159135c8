using System.Text.Json.Nodes;
using PgBackup.Snapshots;
using PgBackup.Tests.Snapshots;

namespace PgBackup.Tests.App;

public sealed class StatusVerbTests : IDisposable
{
    private readonly TestFolder folder = new();

    public StatusVerbTests()
    {
        folder.Write(
            "olympus-pgbackup.yaml",
            $"""
            cluster: olympus
            max_age: 5000w
            stores:
              - {"{"} name: local, path: {folder["local"]} {"}"}
              - {"{"} name: other, path: {folder["other"]} {"}"}
            """
        );
        Directory.CreateDirectory(folder["local"]);
        Directory.CreateDirectory(folder["other"]);
        Put("local", ManifestSample.Of(ManifestSample.Id, "none"));
        Put("other", ManifestSample.Of(ManifestSample.Id, "none"));
        Put("other", ManifestSample.Incomplete(SnapshotId.TryParse("20260302T030000Z")!.Value));
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Status_is_a_screen_for_people_with_the_findings_below()
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "status");

        result.ExitCode.ShouldBe(1);
        string[] lines = result.Output.Split('\n');
        lines[0].ShouldMatch(@"^\[X\] RED     olympus: 1 problem and \d+ warnings, ....-..-.. ..:.. UTC$");
        lines[2].ShouldStartWith("[?] UNKNOWN Can we recover?");
        lines.ShouldAllBe(static l =>
            l.Length <= 100 || l.StartsWith("FAILED:", StringComparison.Ordinal) || l.StartsWith("WARNING:", StringComparison.Ordinal)
        );
        result.Output.ShouldContain("\nFAILED: PGB-0185: the last run left 20260302T030000Z incomplete");
    }

    [Fact]
    public async Task Nagios_gets_one_line_and_an_unknown_for_a_wrong_config()
    {
        AppResult red = await AppProcess.RunAsync(folder.Path, "status", "--nagios");
        folder.Write("olympus-pgbackup.yaml", "cluster: x\nstorse: []\n");
        AppResult unknown = await AppProcess.RunAsync(folder.Path, "status", "--nagios");

        (red.ExitCode, red.Output.Count(static c => c == '\n')).ShouldBe((2, 1));
        red.Output.ShouldStartWith("PGBACKUP CRITICAL - olympus: PGB-0185: ");
        (unknown.ExitCode, unknown.Output.Count(static c => c == '\n')).ShouldBe((3, 1));
        unknown.Output.ShouldStartWith("PGBACKUP UNKNOWN - ");
    }

    [Fact]
    public async Task Json_and_metrics_come_in_one_call_and_nagios_excludes_json()
    {
        AppResult both = await AppProcess.RunAsync(folder.Path, "status", "--json", "--metrics", "x.prom");

        JsonNode.Parse(both.Output)!["level"]!.GetValue<string>().ShouldBe("red");
        File.ReadAllText(folder["x.prom"]).ShouldContain("pgbackup_level{cluster=\"olympus\"} 2\n");
        (await AppProcess.RunAsync(folder.Path, "status", "--json", "--nagios")).ExitCode.ShouldBe(3);
    }

    [Fact]
    public async Task List_of_all_stores_says_which_snapshot_is_where()
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "list", "--all-stores");

        result.ExitCode.ShouldBe(0);
        string[][] rows = [.. result.Output.Split('\n').Select(static l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        rows[0].ShouldBe(["SNAPSHOT", "AGE", "local", "other"]);
        (rows[1][0], rows[1][^2], rows[1][^1]).ShouldBe(("20260301T030000Z", "complete", "complete"));
        (rows[2][0], rows[2][^2], rows[2][^1]).ShouldBe(("20260302T030000Z", "-", "incomplete"));
        JsonArray json = JsonNode.Parse((await AppProcess.RunAsync(folder.Path, "list", "--all-stores", "--json")).Output)!.AsArray();
        json[1]!["stores"]!.AsObject().Select(static s => s.Key).ShouldBe(["other"]);
    }

    [Fact]
    public async Task List_of_all_stores_shows_the_others_when_one_cannot_be_read()
    {
        Directory.Delete(folder["local"], recursive: true);

        AppResult result = await AppProcess.RunAsync(folder.Path, "list", "--all-stores");

        result.ExitCode.ShouldBe(1);
        result.Output.ShouldContain("20260301T030000Z");
        result.Output.Split('\n')[1].ShouldContain("?");
        result.Errors.ShouldContain("FAILED: PGB-0060");
        (await AppProcess.RunAsync(folder.Path, "list", "--all-stores", "--store", "other")).ExitCode.ShouldBe(2);
    }

    private void Put(string store, Manifest manifest)
    {
        string snapshot = Directory.CreateDirectory(Path.Combine(folder[store], manifest.Id)).FullName;
        foreach (Part part in manifest.Parts)
        {
            using FileStream file = File.Create(Path.Combine(snapshot, part.Object));
            file.SetLength(part.Size);
        }

        File.WriteAllBytes(Path.Combine(snapshot, SnapshotLayout.Manifest), manifest.ToJson());
        if (!manifest.IsComplete)
        {
            File.WriteAllText(Path.Combine(snapshot, SnapshotLayout.Incomplete), manifest.Gaps);
        }
    }
}
