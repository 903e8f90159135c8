using System.Text;
using System.Text.Json.Nodes;
using PgBackup.Operations;
using PgBackup.Operations.Drill;
using PgBackup.Storage.Local;

namespace PgBackup.Tests.Operations.Drill;

public sealed class DrillReportTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_drill_that_passed_is_as_people_will_read_it() =>
        DrillText.Write(DrillSample.Passed, []).ShouldBeAsExpected("drill-passed.md");

    [Fact]
    public void A_drill_that_failed_is_as_people_will_read_it() =>
        DrillText.Write(DrillSample.Failed, [DrillSample.Passed]).ShouldBeAsExpected("drill-failed.md");

    [Fact]
    public void A_drill_that_restored_nothing_claims_neither_time_nor_key()
    {
        string text = DrillText.Write(
            DrillSample.Passed with
            {
                Databases = [],
                Questions = [],
                Findings = [Finding.Error(ErrorCode.IdentityUnusable, "", "no key")],
            },
            []
        );

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
        DrillText
            .Write(DrillSample.Passed, [.. Enumerable.Repeat(DrillSample.Failed, 20)])
            .Split("## The last drills")[1]
            .Split('\n')
            .Count(static l => l.StartsWith("| 2026"))
            .ShouldBe(12);

    [Fact]
    public void A_report_is_read_back_as_it_was_written()
    {
        foreach (DrillReport report in (DrillReport[])[DrillSample.Passed, DrillSample.Failed])
        {
            DrillReport read = DrillReport.TryRead(report.ToJson()).ShouldNotBeNull();

            Encoding.UTF8.GetString(read.ToJson()).ShouldBe(Encoding.UTF8.GetString(report.ToJson()));
            (read.Passed, read.Snapshot, read.Databases.Count, read.RecoverySeconds).ShouldBe(
                (report.Passed, report.Snapshot, report.Databases.Count, report.RecoverySeconds)
            );
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
    public void A_report_of_a_newer_format_is_passed_over(int format) =>
        DrillReport.TryRead((DrillSample.Passed with { Format = format }).ToJson()).ShouldBeNull();

    [Theory]
    [InlineData("databases")]
    [InlineData("application_keys")]
    public void A_verdict_that_only_a_newer_version_knows_is_shown_as_unknown_and_fails_nothing(string list)
    {
        DrillReport read = DrillReport.TryRead(WithVerdict(list, "\"a new word\"")).ShouldNotBeNull();

        DrillText.Write(read, [read]).ShouldContain(" | unknown |");
        (read.Passed, DrillJudge.Failures(read).Any(), DrillJudge.Proves(read, read.Databases.Count)).ShouldBe((true, false, true));
        JsonNode.Parse(read.ToJson())![list]![0]!["verdict"]!.GetValue<string>().ShouldBe("unknown");
    }

    [Theory]
    [InlineData("databases")]
    [InlineData("application_keys")]
    public void A_report_whose_verdict_is_no_word_is_passed_over(string list)
    {
        foreach (string value in (string[])["1", "null", "{}", "[\"equal\"]"])
        {
            DrillReport.TryRead(WithVerdict(list, value)).ShouldBeNull();
        }
    }

    [Fact]
    public async Task A_store_lists_its_drills_newest_first_and_passes_over_what_is_none()
    {
        var store = new LocalStore("local", folder["store"]);
        await PutAsync(store, "drills/20260401T050000Z.json", DrillSample.Passed.ToJson());
        await PutAsync(store, "drills/20260401T050000Z.md", "# text"u8.ToArray());
        await PutAsync(store, "drills/20260402T050000Z.json", DrillSample.Failed.ToJson());
        await PutAsync(store, "drills/20260403T050000Z.json", "garbage"u8.ToArray());
        await PutAsync(store, "drills/20260404T050000Z.json", (DrillSample.Passed with { Format = 2 }).ToJson());

        IReadOnlyList<DrillReport> drills = await DrillRecord.ListAsync(store, 50, Cancel);

        drills.Select(static d => d.Started.Day).ShouldBe([2, 1]);
    }

    [Fact]
    public async Task A_report_is_written_beside_one_that_is_far_too_large()
    {
        var store = new LocalStore("local", folder["store"]);
        await PutAsync(store, "drills/20990401T050000Z.json", new byte[(16 << 20) + 1]);

        DrillReport report = await DrillRecord.WriteAsync(
            DrillSample.Passed,
            proven: false,
            [store],
            TimeProvider.System,
            new Progress(),
            Cancel
        );

        report.Failures.ShouldBeEmpty();
        Directory.GetFiles(folder["store/drills"]).Length.ShouldBe(3);
    }

    [Fact]
    public async Task A_report_that_is_far_too_large_is_named_and_not_read_whole()
    {
        var store = new LocalStore("local", folder["store"]);
        await PutAsync(store, "drills/20260401T050000Z.json", new byte[(16 << 20) + 1]);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => DrillRecord.ListAsync(store, 50, Cancel));

        error.Code.ShouldBe(ErrorCode.ObjectDamaged);
        error.Message.ShouldBe("drills/20260401T050000Z.json in the store local is larger than 16.8 MB, and no such object is.");
    }

    private static byte[] WithVerdict(string list, string value)
    {
        JsonNode json = JsonNode.Parse(DrillSample.Passed.ToJson())!;
        json[list]![0]!["verdict"] = JsonNode.Parse(value);
        return Encoding.UTF8.GetBytes(json.ToJsonString());
    }

    private static async Task PutAsync(LocalStore store, string key, byte[] content)
    {
        using var stream = new MemoryStream(content);
        await store.PutAsync(key, stream, null, Cancel);
    }
}
