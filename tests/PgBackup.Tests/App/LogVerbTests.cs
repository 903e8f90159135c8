using System.Text.Json.Nodes;
using PgBackup.Records;
using PgBackup.Tests.Records;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.App;

public sealed class LogVerbTests : IDisposable
{
    private readonly TestFolder folder = new();

    public LogVerbTests()
    {
        folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: olympus\nstores:\n- {{ name: local, path: {folder["local"]} }}\n- {{ name: offsite, path: {folder["offsite"]} }}\n"
        );
        Directory.CreateDirectory(folder["local/records"]);
        Directory.CreateDirectory(folder["offsite/records"]);
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_line_for_each_record_says_when_what_how_it_ended_and_who()
    {
        Put("20260301T030000Z-run-00000001", RecordSample.Of(), "local", "offsite");
        Put(
            "20260302T030000Z-restore-00000002",
            RecordSample.Of(RecordKind.Restore, RecordSample.Time.AddDays(1)) with
            {
                Result = RecordResult.Failed,
                User = "root (sudo by alice)",
                Summary = "restore into podman:x: failed (PGB-0071)",
            },
            "offsite"
        );

        AppResult table = await AppProcess.RunAsync(folder.Path, "log");

        (table.ExitCode, table.Errors).ShouldBe((0, ""));
        table.Output.ShouldBe(
            """
            TIME              KIND     RESULT  WHO                              WHAT
            20260302T030000Z  restore  failed  root (sudo by alice) on backup1  restore into podman:x: failed (PGB-0071)
            20260301T030000Z  run      ok      root on backup1                  5 databases, 12.3 MB, 2 stores; removed 1 old snapshot

            """
        );
        (await AppProcess.RunAsync(folder.Path, "log", "--store", "local")).Output.ShouldNotContain("restore");
        (await AppProcess.RunAsync(folder.Path, "log", "--kind", "restore")).Output.ShouldNotContain("run ");
        (await AppProcess.RunAsync(folder.Path, "log", "--last", "1")).Output.ShouldNotContain("run ");
        JsonArray json = JsonNode.Parse((await AppProcess.RunAsync(folder.Path, "log", "--json")).Output)!.AsArray();
        json.Select(static r => $"{r!["name"]} {r["kind"]} {string.Join('+', r["stores"]!.AsArray())} {r["record"]!["result"]}")
            .ShouldBe(["20260302T030000Z-restore-00000002 restore offsite failed", "20260301T030000Z-run-00000001 run local+offsite ok"]);
    }

    [Fact]
    public async Task One_record_is_shown_whole()
    {
        Put("20260301T030000Z-run-00000001", RecordSample.Of() with { Note = "before the migration" }, "local", "offsite");

        AppResult shown = await AppProcess.RunAsync(folder.Path, "log", "20260301T030000Z");

        (shown.ExitCode, shown.Errors).ShouldBe((0, ""));
        shown.Output.ShouldBe(
            $"""
            record     20260301T030000Z-run-00000001
            in         local, offsite
            kind       run
            result     ok
            what       5 databases, 12.3 MB, 2 stores; removed 1 old snapshot
            cluster    olympus
            snapshot   20260301T030000Z
            began      2026-03-01 03:00:00Z
            ended      2026-03-01 03:00:12Z (12.5 s)
            user       root
            host       backup1
            note       before the migration
            program    olympus-pgbackup 0.1.0, SHA-256 {new string('a', 64)}
            WARNING: PGB-0132: the key of ops was never tested. Test it

            """
        );
        JsonNode json = JsonNode.Parse((await AppProcess.RunAsync(folder.Path, "log", "20260301T030000Z", "--json")).Output)!;
        json["record"]!["note"]!.GetValue<string>().ShouldBe("before the migration");
        AppResult none = await AppProcess.RunAsync(folder.Path, "log", "20260302T030000Z");
        none.ExitCode.ShouldBe(2);
        none.Errors.ShouldContain("PGB-0002: there is no record \"20260302T030000Z\".");
    }

    [Fact]
    public async Task A_damaged_or_hostile_record_is_a_line_that_nobody_obeys()
    {
        const string Hostile = "\u001b[2J\nrun ok\u202e\u0007";
        Put(
            "20260301T030000Z-pin-00000001",
            RecordSample.Of(RecordKind.Pin) with
            {
                Summary = Hostile + new string('x', 900),
                User = Hostile,
                Host = Hostile,
                Note = Hostile,
                Store = Hostile,
                Snapshot = Hostile,
                Tool = Hostile,
                Binary = Hostile,
                Cluster = Hostile,
                Findings = [Finding.Error(ErrorCode.ToolFailed, Hostile, Hostile, Hostile, Hostile)],
            },
            "local"
        );
        folder.Write("local/records/20260302T030000Z-run-00000002.json", "{\u001b[2J");
        folder.Write("offsite/records/20260303T030000Z-base-00000003.json", "{}");

        AppResult table = await AppProcess.RunAsync(folder.Path, "log");
        AppResult one = await AppProcess.RunAsync(folder.Path, "log", "20260301T030000Z");
        AppResult bad = await AppProcess.RunAsync(folder.Path, "log", "20260302T030000Z-run");

        (table.ExitCode, table.Errors, one.ExitCode, bad.ExitCode).ShouldBe((0, "", 0, 0));
        string[] lines = table.Output.TrimEnd('\n').Split('\n');
        lines.Length.ShouldBe(4);
        lines[1]
            .ShouldBe("20260303T030000Z  unknown  cannot be read".PadRight(lines[0].IndexOf("WHAT")) + "20260303T030000Z-base-00000003");
        lines[2].ShouldContain("cannot be read");
        lines[2].ShouldEndWith("20260302T030000Z-run-00000002");
        lines[3].ShouldStartWith("20260301T030000Z  pin");
        lines[3].ShouldContain("\\x1B[2J run ok\\u202E\\x07");
        lines[3].ShouldEndWith("...");
        foreach (string output in (string[])[table.Output, one.Output, bad.Output])
        {
            output.ShouldAllBe(static c => c == '\n' || (c >= ' ' && c < '\u007f'));
        }

        one.Output.Split('\n').ShouldNotContain(static line => line.StartsWith("run ok", StringComparison.Ordinal));
        bad.Output.ShouldContain("It cannot be read");
        JsonNode json = JsonNode.Parse((await AppProcess.RunAsync(folder.Path, "log", "--json")).Output)!;
        json[1]!["record"].ShouldBeNull();
    }

    [Fact]
    public async Task A_store_that_cannot_be_read_is_a_warning_and_the_others_are_shown()
    {
        Put("20260301T030000Z-run-00000001", RecordSample.Of(), "local");
        Directory.Delete(folder["offsite"], recursive: true);

        AppResult table = await AppProcess.RunAsync(folder.Path, "log");

        table.ExitCode.ShouldBe(0);
        table.Output.ShouldContain("20260301T030000Z");
        table.Errors.ShouldStartWith("WARNING: PGB-0191: the records in offsite cannot be listed");
        Directory.Delete(folder["local"], recursive: true);
        (await AppProcess.RunAsync(folder.Path, "log")).ExitCode.ShouldBe(1);
    }

    [Theory]
    [InlineData("--kind", "everything")]
    [InlineData("--last", "0")]
    [InlineData("--last", "-1")]
    [InlineData("--last", "many")]
    [InlineData("--store", "moon")]
    public async Task What_no_log_can_show_is_wrong_usage(string option, string value)
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "log", option, value);

        (result.ExitCode, result.Output).ShouldBe((2, ""));
        result.Errors.ShouldContain("PGB-0002");
        result.Errors.ShouldContain(value);
    }

    [Fact]
    public async Task Without_records_the_log_says_so() =>
        (await AppProcess.RunAsync(folder.Path, "log")).ShouldBe(new AppResult(0, "There are no records.\n", ""));

    private void Put(string name, Record record, params string[] stores)
    {
        foreach (string store in stores)
        {
            File.WriteAllBytes(folder[$"{store}/records/{name}.json"], record.ToJson());
        }
    }
}
