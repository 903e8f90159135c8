using System.Text;
using System.Text.Json.Nodes;
using PgBackup.Operations.Drill;
using PgBackup.Storage.Local;

namespace PgBackup.Tests.Operations.Drill;

public sealed class DrillReportTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_drill_that_passed_is_as_people_will_read_it() => DrillText.Write(DrillSample.Passed, []).ShouldBeAsExpected("drill-passed.md");

    [Fact]
    public void A_drill_that_failed_is_as_people_will_read_it() => DrillText.Write(DrillSample.Failed, [DrillSample.Passed]).ShouldBeAsExpected("drill-failed.md");

    [Fact]
    public void A_drill_that_restored_nothing_claims_neither_time_nor_key()
    {
        string text = DrillText.Write(DrillSample.Passed with { Databases = [], Checks = [], Failures = ["PGB-0051: no key"] }, []);

        text.ShouldContain("was to be restored from");
        text.ShouldContain("| restore (RTO) | not restored | 30 min 0 s | **NO** |");
        text.ShouldContain("To be decrypted with the private key of one of these:");
    }

    [Fact]
    public void Every_line_of_a_table_has_as_many_cells_as_its_head()
    {
        int cells = 0;
        foreach (string line in DrillText.Write(DrillSample.Failed, [DrillSample.Passed]).Split('\n'))
        {
            int count = line.Replace("\\|", "", StringComparison.Ordinal).Count(static c => c == '|');
            (line.Length == 0 || count == 0 || cells is 0 || count == cells).ShouldBeTrue(line);
            cells = count;
        }
    }

    [Fact]
    public void The_trend_has_the_last_twelve() =>
        DrillText.Write(DrillSample.Passed, [.. Enumerable.Repeat(DrillSample.Failed, 20)]).Split("## The last drills")[1].Split('\n').Count(static l => l.StartsWith("| 2026")).ShouldBe(12);

    [Fact]
    public void A_report_is_read_back_as_it_was_written()
    {
        foreach (DrillReport report in (DrillReport[])[DrillSample.Passed, DrillSample.Failed])
        {
            DrillReport read = DrillReport.TryRead(report.ToJson()).ShouldNotBeNull();

            Encoding.UTF8.GetString(read.ToJson()).ShouldBe(Encoding.UTF8.GetString(report.ToJson()));
            (read.Passed, read.Snapshot, read.Databases.Count, read.RecoverySeconds).ShouldBe((report.Passed, report.Snapshot, report.Databases.Count, report.RecoverySeconds));
        }
    }

    [Fact]
    public void A_report_from_before_there_were_application_keys_is_read_and_says_that_they_were_not_tested()
    {
        JsonObject json = JsonNode.Parse(DrillSample.Passed.ToJson())!.AsObject();
        json.Remove("application_keys").ShouldBeTrue();

        DrillReport read = DrillReport.TryRead(Encoding.UTF8.GetBytes(json.ToJsonString())).ShouldNotBeNull();

        read.ApplicationKeys.ShouldBeEmpty();
        DrillText.Write(read, []).ShouldContain("with the keys in your secret store, was not tested.");
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{ \"format\": 1 }")]
    [InlineData("{ \"format\": 1, \"cluster\": null }")]
    [InlineData("not json at all")]
    public void What_is_no_report_is_passed_over(string text) => DrillReport.TryRead(Encoding.UTF8.GetBytes(text)).ShouldBeNull();

    [Theory]
    [InlineData(2)]
    [InlineData(99)]
    [InlineData(0)]
    public void A_report_of_a_newer_format_is_passed_over(int format) => DrillReport.TryRead((DrillSample.Passed with { Format = format }).ToJson()).ShouldBeNull();

    [Fact]
    public async Task A_store_lists_its_drills_newest_first_and_passes_over_what_is_none()
    {
        var store = new LocalStore("local", folder["store"]);
        await PutAsync(store, "drills/20260401T050000Z.json", DrillSample.Passed.ToJson());
        await PutAsync(store, "drills/20260401T050000Z.md", "# text"u8.ToArray());
        await PutAsync(store, "drills/20260402T050000Z.json", DrillSample.Failed.ToJson());
        await PutAsync(store, "drills/20260403T050000Z.json", "garbage"u8.ToArray());
        await PutAsync(store, "drills/20260404T050000Z.json", (DrillSample.Passed with { Format = 2 }).ToJson());

        IReadOnlyList<DrillReport> drills = await DrillOperation.ListAsync(store, 50, Cancel);

        drills.Select(static d => d.Started.Day).ShouldBe([2, 1]);
    }

    private static async Task PutAsync(LocalStore store, string key, byte[] content)
    {
        using var stream = new MemoryStream(content);
        await store.PutAsync(key, stream, null, Cancel);
    }
}
