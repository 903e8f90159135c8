using System.Text.Json;
using System.Text.Json.Nodes;
using PgBackup.App.Render;
using PgBackup.Operations.Drill;
using PgBackup.Snapshots;
using PgBackup.Tests.Operations.Drill;
using PgBackup.Tests.Snapshots;

namespace PgBackup.Tests;

public sealed class FindingTests
{
    [Theory]
    [InlineData(null, null, "it is so")]
    [InlineData("that is why", null, "it is so: that is why")]
    [InlineData(null, "Do this", "it is so. Do this")]
    [InlineData("that is why", "Do this", "it is so: that is why. Do this")]
    [InlineData("that is why.", "Do this.", "it is so: that is why. Do this")]
    [InlineData("is that why?", "Do this", "it is so: is that why? Do this")]
    [InlineData("a tool said\n  no", "Do this", "it is so: a tool said\n  no\n  what to do: Do this")]
    public void It_reads_as_what_why_and_what_to_do(string? why, string? fix, string text)
    {
        Finding finding = Finding.Warning(ErrorCode.TableGone, "olympus.public.jobs", "it is so", why, fix);

        finding.Text.ShouldBe(text);
        finding.Line.ShouldBe($"PGB-0124: {text}");
    }

    [Fact]
    public void An_error_is_a_finding_with_its_code_and_its_remedy()
    {
        var error = new PgBackupException(ErrorCode.StoreUnavailable, "no route to host.", "Look at the cable.");

        Finding finding = Finding.Of(Severity.Error, "offsite", error);

        (finding.Code, finding.Severity, finding.Subject, finding.What, finding.Fix).ShouldBe(
            (ErrorCode.StoreUnavailable, Severity.Error, "offsite", "no route to host", "Look at the cable")
        );
    }

    [Fact]
    public void A_manifest_keeps_its_findings_as_data()
    {
        Finding loss = Finding.Warning(ErrorCode.TableGone, "olympus.public.jobs", "the table is gone", "it had 40 rows");
        Manifest manifest = ManifestSample.Of(ManifestSample.Id) with { Findings = [loss] };

        JsonElement json = JsonDocument.Parse(manifest.ToJson()).RootElement.GetProperty("findings")[0];

        json.GetRawText()
            .Replace(" ", "", StringComparison.Ordinal)
            .Replace("\n", "", StringComparison.Ordinal)
            .ShouldBe(
                """{"code":"PGB-0124","severity":"warning","subject":"olympus.public.jobs","what":"thetableisgone","why":"ithad40rows"}"""
            );
        Manifest.Read(manifest.ToJson(), "x").AllFindings.ShouldBe([loss]);
    }

    [Fact]
    public void What_an_error_kept_from_being_done_has_the_error_as_its_reason()
    {
        var error = new PgBackupException(ErrorCode.StoreUnavailable, "no route to host.", "Look at the cable.");

        Finding
            .Of(Severity.Warning, ErrorCode.NotRemoved, "offsite", "it is still there", error)
            .Line.ShouldBe("PGB-0128: it is still there: PGB-0060: no route to host. Look at the cable");
    }

    [Fact]
    public void The_warnings_of_an_earlier_version_are_findings_too()
    {
        JsonObject earlier = JsonNode.Parse(ManifestSample.Of(ManifestSample.Id).ToJson())!.AsObject();
        earlier.Remove("findings");
        earlier["warnings"] = new JsonArray("olympus: the table x is gone");

        Manifest
            .Read(System.Text.Encoding.UTF8.GetBytes(earlier.ToJsonString()), "x")
            .AllFindings.ShouldBe([Finding.Earlier(Severity.Warning, "olympus: the table x is gone")]);
    }

    [Fact]
    public void A_severity_of_a_later_version_counts_as_a_warning()
    {
        string json = System.Text.Encoding.UTF8.GetString(
            (ManifestSample.Of(ManifestSample.Id) with { Findings = [Finding.Note(ErrorCode.TableGone, "s", "w")] }).ToJson()
        );

        Manifest
            .Read(System.Text.Encoding.UTF8.GetBytes(json.Replace("\"note\"", "\"catastrophe\"", StringComparison.Ordinal)), "x")
            .Findings.ShouldHaveSingleItem()
            .Severity.ShouldBe(Severity.Warning);
    }

    [Fact]
    public void A_finding_of_a_later_version_is_read_though_its_code_has_no_name_here()
    {
        string json = System.Text.Encoding.UTF8.GetString(
            (ManifestSample.Of(ManifestSample.Id) with { Findings = [Finding.Note(ErrorCode.TableGone, "s", "w")] }).ToJson()
        );

        Finding read = Manifest
            .Read(System.Text.Encoding.UTF8.GetBytes(json.Replace("PGB-0124", "PGB-9124", StringComparison.Ordinal)), "x")
            .Findings.ShouldHaveSingleItem();

        read.Line.ShouldBe("PGB-9124: w");
    }

    [Theory]
    [InlineData("\"PGB-124\"")]
    [InlineData("\"PGB-01x4\"")]
    [InlineData("\"PGB-0000\"")]
    [InlineData("124")]
    public void What_is_no_code_makes_a_manifest_unreadable(string code)
    {
        string json = System.Text.Encoding.UTF8.GetString(
            (ManifestSample.Of(ManifestSample.Id) with { Findings = [Finding.Note(ErrorCode.TableGone, "s", "w")] }).ToJson()
        );

        Should
            .Throw<PgBackupException>(() =>
                Manifest.Read(System.Text.Encoding.UTF8.GetBytes(json.Replace("\"PGB-0124\"", code, StringComparison.Ordinal)), "x")
            )
            .Code.ShouldBe(ErrorCode.ManifestUnreadable);
    }

    [Theory]
    [InlineData("findings")]
    [InlineData("databases")]
    [InlineData("checks")]
    [InlineData("phases")]
    [InlineData("failures")]
    public void A_report_of_a_drill_with_an_empty_entry_is_none(string list)
    {
        JsonObject report = JsonNode.Parse(DrillSample.Passed.ToJson())!.AsObject();
        report[list] = new JsonArray((JsonNode?)null);

        DrillReport.TryRead(System.Text.Encoding.UTF8.GetBytes(report.ToJsonString())).ShouldBeNull();
    }

    [Theory]
    [InlineData(Severity.Note, "note: PGB-0124: it is so")]
    [InlineData(Severity.Warning, "WARNING: PGB-0124: it is so")]
    [InlineData(Severity.Error, "FAILED: PGB-0124: it is so")]
    public void It_is_printed_with_how_much_it_matters_and_as_a_step_alike(Severity severity, string line)
    {
        Finding finding = Finding.Note(ErrorCode.TableGone, "s", "it is so") with { Severity = severity };
        List<string> said = [];

        new PgBackup.Operations.Progress { Said = step => said.Add(FindingText.Of(step)) }.Say(finding);

        FindingText.Of(finding).ShouldBe(line);
        said.ShouldBe([line]);
    }

    [Fact]
    public void A_line_end_in_it_begins_no_line_that_looks_like_ours() =>
        FindingText
            .Of(Finding.Warning(ErrorCode.TableGone, "s", "x\n20260301T030000Z ok: everything"))
            .ShouldBe("WARNING: PGB-0124: x\n  20260301T030000Z ok: everything");

    [Fact]
    public void The_report_of_a_drill_keeps_what_failed_apart_from_what_is_worth_knowing()
    {
        Finding slow = Finding.Error(ErrorCode.RtoExceeded, "x", "too slow");
        Finding note = Finding.Note(ErrorCode.RestoredByJobs, "x", "by 2 jobs");

        DrillReport read = DrillReport.TryRead((DrillSample.Passed with { Findings = [note, slow] }).ToJson()).ShouldNotBeNull();

        read.Failures.ShouldBe([slow]);
        read.Notes.ShouldBe([note]);
        read.Passed.ShouldBeFalse();
    }

    [Fact]
    public void The_report_of_a_drill_of_an_earlier_version_says_the_same_as_before()
    {
        JsonObject earlier = JsonNode.Parse(DrillSample.Passed.ToJson())!.AsObject();
        earlier.Remove("findings");
        earlier["failures"] = new JsonArray("olympus differs");
        earlier["notes"] = new JsonArray("a note");

        DrillReport read = DrillReport.TryRead(System.Text.Encoding.UTF8.GetBytes(earlier.ToJsonString())).ShouldNotBeNull();

        read.Failures.Texts().ShouldBe(["olympus differs"]);
        read.Notes.Texts().ShouldBe(["a note"]);
        read.Passed.ShouldBeFalse();
    }
}
