using System.Text;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Host;
using PgBackup.Operations.Status;
using PgBackup.Serve.Http;
using PgBackup.Tools;

namespace PgBackup.Tests.App;

public sealed class StatusTextTests : IDisposable
{
    private static async Task<string> MetricsAsync() => Encoding.UTF8.GetString(await StatusMetrics.TextAsync(Report));

    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static StatusReport Report { get; } =
        new()
        {
            Format = StatusReport.CurrentFormat,
            Cluster = "olympus",
            Time = new DateTimeOffset(2026, 3, 22, 4, 0, 0, TimeSpan.Zero),
            Level = StatusLevel.Red,
            Answers =
            [
                new StatusAnswer
                {
                    Question = StatusQuestion.Loss,
                    Level = StatusLevel.Red,
                    Text = "the last 8 d",
                },
            ],
            Figures = new StatusFigures
            {
                NewestComplete = new PlacedSnapshot
                {
                    Id = "20260314T030000Z",
                    AgeSeconds = 694_800,
                    Stores = ["local"],
                    Bytes = 1_234,
                },
                RestoreSeconds = 12.5,
                RecoverySeconds = 1_812.5,
                RtoSeconds = 1_800,
                MaxAgeSeconds = 93_600,
                Keys =
                [
                    new StatusKey { Name = "ops \"x\\", Fingerprint = "AAAA" },
                    new StatusKey
                    {
                        Name = "escrow",
                        Fingerprint = "BBBB",
                        LastTested = DateTimeOffset.UnixEpoch.AddSeconds(1_700_000_000),
                    },
                ],
                Bytes = new Dictionary<string, long> { ["olympus"] = 1_234 },
                Rows = new Dictionary<string, long> { ["ciam_kratos"] = 111_426 },
                SkewMs = 4.25,
                RunSeconds = 3.5,
            },
            Stores =
            [
                new StoreStatus
                {
                    Name = "local",
                    Location = "/backups",
                    IsReadable = true,
                    IsOffHost = false,
                    Snapshots = 3,
                    Complete = 2,
                    NewestComplete = "20260314T030000Z",
                    AgeSeconds = 694_800,
                    Bytes = 3_702,
                },
                new StoreStatus
                {
                    Name = "offsite",
                    Location = "s3://x",
                    IsReadable = false,
                    IsOffHost = true,
                },
            ],
            Events = [],
            Findings =
            [
                Finding.Error(ErrorCode.SnapshotTooOld, "local", "TOO OLD: it | is \u001b[31mold", "max_age allows 26 h", "Look"),
                Finding.Warning(ErrorCode.NothingOffHost, "olympus", "every store is on this host"),
            ],
        };

    [Theory]
    [InlineData(StatusLevel.Green, 0)]
    [InlineData(StatusLevel.Yellow, 1)]
    [InlineData(StatusLevel.Red, 2)]
    [InlineData(StatusLevel.Unknown, 3)]
    public void Nagios_gets_its_own_exit_codes(StatusLevel level, int code) => NagiosText.ExitCode(level).ShouldBe(code);

    [Fact]
    public void Nagios_gets_one_line_with_the_worst_finding_and_figures() =>
        NagiosText
            .Of(Report)
            .ShouldBe(
                "PGBACKUP CRITICAL - olympus: PGB-0181: TOO OLD: it / is \\x1B[31mold (and 1 more) | age=694800s;;93600;0 "
                    + "restore=12.5s;;1800;0 'bytes_local'=3702B;;;0"
            );

    [Fact]
    public async Task Metrics_are_as_a_collector_reads_them() => (await MetricsAsync()).ShouldBeAsExpected("status.prom");

    [Fact]
    public async Task Metrics_of_what_is_not_known_are_left_out()
    {
        string text = await MetricsAsync();

        text.ShouldNotContain("newest_proven_age_seconds");
        text.ShouldNotContain("store_bytes{store=\"offsite\",cluster=\"olympus\"}");
        text.ShouldContain("pgbackup_store_readable{store=\"offsite\",cluster=\"olympus\"} 0\n");
    }

    [Fact]
    public async Task A_file_of_metrics_is_replaced_as_a_whole_and_may_be_read_by_others()
    {
        string file = folder.Write("olympus.prom", "# HELP pgbackup_level of yesterday\n");

        await MetricsText.WriteAsync(Report, file);

        (await File.ReadAllTextAsync(file, Cancel)).ShouldBe(await MetricsAsync());
        File.GetUnixFileMode(file).HasFlag(UnixFileMode.OtherRead).ShouldBeTrue();
        Directory.GetFiles(folder.Path).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_folder_that_is_not_there_is_an_error_of_usage_and_leaves_nothing() =>
        (
            await Should.ThrowAsync<PgBackupException>(() => MetricsText.WriteAsync(Report, Path.Combine(folder.Path, "none", "x.prom")))
        ).Code.ShouldBe(ErrorCode.Usage);

    [Fact]
    public async Task What_is_no_file_of_metrics_is_never_replaced()
    {
        string config = folder.Write("config.yaml", "cluster: olympus\n");
        string link = folder["link.prom"];
        File.CreateSymbolicLink(link, config);
        string pipe = folder["pipe.prom"];
        await ToolProcess.ReadAsync(new ToolCommand("mkfifo", pipe), Cancel);
        foreach (string file in (string[])[config, link, pipe, "/dev/full", folder.Path, ""])
        {
            (await Should.ThrowAsync<PgBackupException>(() => MetricsText.WriteAsync(Report, file))).Code.ShouldBe(ErrorCode.Usage, file);
        }

        (await File.ReadAllTextAsync(config, Cancel)).ShouldBe("cluster: olympus\n");
        NamedFile.IsRegular(pipe).ShouldBe(false, "it is still a pipe");
        new FileInfo(link).LinkTarget.ShouldBe(config);
    }

    [Fact]
    public void Its_json_has_the_documented_keys() =>
        JsonSerializer.Serialize(Report, AppJson.Readable.StatusReport).ShouldBeAsExpected("status.json");
}
