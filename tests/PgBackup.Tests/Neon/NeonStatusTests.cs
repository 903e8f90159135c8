using System.Text.Json;
using System.Text.Json.Nodes;
using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Neon;
using PgBackup.Operations.Doctor;
using PgBackup.Operations.Status;
using PgBackup.Tests.App;
using PgBackup.Tests.Operations.Status;

namespace PgBackup.Tests.Neon;

/// <summary>What Neon says, in the status: beside the stores, and never in their way.</summary>
public sealed class NeonStatusTests : IAsyncDisposable
{
    private readonly StatusScene scene = new();
    private readonly TestFolder folder = new();
    private readonly NeonServer server = new();

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        scene.Dispose();
        folder.Dispose();
    }

    [Theory]
    [InlineData("", StatusLevel.Green)]
    [InlineData(", window: 1d", StatusLevel.Green)]
    [InlineData(", window: 6h", StatusLevel.Green)]
    [InlineData(", window: 7d", StatusLevel.Red)]
    public async Task A_window_that_is_shorter_than_the_config_asks_for_is_red(string window, StatusLevel level)
    {
        StatusReport report = await ReadAsync(window);

        report.Level.ShouldBe(level);
        StatusNeon neon = report.Figures.Neon.ShouldNotBeNull();
        (neon.Project, neon.WindowSeconds, neon.Branch, neon.Earliest).ShouldBe(("olympus", 86_400, "main", scene.Now.AddDays(-1)));
        if (level == StatusLevel.Red)
        {
            Finding finding = report.Findings.ShouldHaveSingleItem();
            (finding.Code, finding.Subject).ShouldBe((ErrorCode.NeonWindowShort, NeonServer.Project));
            finding.What.ShouldBe("Neon keeps the history of olympus for 1 d; the config asks for 7 d");
            finding.Fix.ShouldEndWith(
                "It takes the plan Launch or a larger one: the limits are Free 6 h, Launch 7 d, Scale 30 d, as of 2026-11-28"
            );
            report.Answers.Single(static a => a.Question == StatusQuestion.Loss).Level.ShouldBe(StatusLevel.Red);
        }
    }

    [Theory]
    [InlineData(", window: 30d", "It takes the plan Scale or a larger one")]
    [InlineData(", window: 40d", "No plan of Neon reaches back so far")]
    public async Task The_remedy_names_the_plan_that_it_takes(string window, string fix) =>
        (await ReadAsync(window)).Findings.ShouldHaveSingleItem().Fix!.ShouldContain(fix);

    [Fact]
    public async Task Without_neon_in_the_config_nobody_is_asked()
    {
        await GreenAsync();

        StatusReport report = await scene.ReadAsync();

        (report.Level, report.Figures.Neon).ShouldBe((StatusLevel.Green, null));
        server.Got.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(500)]
    [InlineData(401)]
    [InlineData(404)]
    [InlineData(0)]
    public async Task What_is_not_known_of_neon_is_yellow_and_the_stores_are_judged(int status)
    {
        server.OfProject = (status, "\u001b[31m" + NeonServer.Key);

        StatusReport report = await ReadAsync(", window: 7d");

        report.Level.ShouldBe(StatusLevel.Yellow);
        report.Findings.ShouldHaveSingleItem().Code.ShouldBe(ErrorCode.NeonUnknown);
        report.Figures.Neon.ShouldBeNull();
        report.Answers.Single(static a => a.Question == StatusQuestion.Recover).Level.ShouldBe(StatusLevel.Green);
        Json(report).ShouldNotContain(NeonServer.Key);
    }

    [Fact]
    public async Task An_api_that_hangs_keeps_nothing_back()
    {
        server.OfProject = server.OfBranches = server.OfEndpoints = null;
        await GreenAsync();
        scene.More = Neon("");
        scene.NeonBase = server.Base;
        var clock = new ManualClock(scene.Now);

        Task<StatusReport> reading = scene.Operation(clock).ReadAsync(Cancel);
        while (server.Got.Count < 3 || clock.WaitingCount < 3)
        {
            await Task.Delay(5, Cancel);
        }

        // The stores have answered long before.
        await Task.Delay(100, Cancel);
        clock.Advance(TimeSpan.FromSeconds(5));

        (await reading).Findings.ShouldHaveSingleItem().Why.ShouldBe("Neon's API: no answer within 5 s");
    }

    [Theory]
    [InlineData("ep-x.c-2.eu-central-1.aws.neon.tech", true)]
    [InlineData("EP-X.eu-central-1.aws.neon.tech", true)]
    [InlineData("ep-y.c-2.eu-central-1.aws.neon.tech", false)]
    [InlineData("ep-x.example.org", false)]
    public async Task A_source_on_another_host_than_the_branch_is_a_warning(string host, bool isSame)
    {
        StatusReport report = await ReadAsync("", $"\nsource: {{ url: 'postgres://reader@{host}/?sslmode=verify-full' }}");

        report.Findings.Select(static f => (f.Code, f.Severity)).ShouldBe(isSame ? [] : [(ErrorCode.NeonHostMismatch, Severity.Warning)]);
    }

    [Fact]
    public async Task A_source_in_a_container_has_no_host_to_compare() =>
        (await ReadAsync("", "\nsource: { podman: { container: olympus-postgres } }")).Findings.ShouldBeEmpty();

    [Fact]
    public async Task A_hostile_answer_is_shown_as_text_and_obeyed_by_nothing()
    {
        server.OfProject = (200, NeonServer.ProjectJson(3600, "<b>x</b>`rm`\\u001b[31m\\u202e\\n" + new string('x', 5000)));

        StatusReport report = await ReadAsync(", window: 7d");

        Finding finding = report.Findings.ShouldHaveSingleItem();
        finding.What.ShouldStartWith("Neon keeps the history of <b>x</b>`rm`\\x1B[31m\\u202E x");
        finding.What.Length.ShouldBeLessThan(250);
        report.Figures.Neon!.Project.Length.ShouldBe(100);
    }

    [Fact]
    public async Task The_json_has_the_documented_keys()
    {
        JsonObject neon = JsonNode.Parse(Json(await ReadAsync(", window: 6h")))!["figures"]!["neon"]!.AsObject();

        neon.Select(static k => k.Key).ShouldBe(["project", "window_seconds", "expected_seconds", "branch", "host", "earliest"]);
    }

    [Theory]
    [InlineData(86_400, "any second since 2026-03-21 04:00:01 UTC (window 1 d), project olympus, branch main")]
    [InlineData(21_600, "any second since 2026-03-21 04:00:01 UTC (window 6 h), project olympus, branch main")]
    [InlineData(0, "keeps no history, project olympus, branch main")]
    public void The_screen_has_it_in_a_line(long seconds, string line) =>
        NeonSpan
            .Of(
                new StatusNeon
                {
                    Project = "olympus",
                    WindowSeconds = seconds,
                    Branch = "main",
                    Earliest = new DateTimeOffset(2026, 3, 21, 4, 0, 0, 5, TimeSpan.Zero),
                }
            )
            .ShouldBe(line);

    [Fact]
    public async Task Where_the_api_is_down_status_says_so_and_the_steps_are_refused()
    {
        string key = folder.Write("neon.key", NeonServer.Key);
        Directory.CreateDirectory(folder["store"]);
        string stores = $"cluster: olympus\nstores: [{{ name: local, path: {folder["store"]} }}]\n";
        folder.Write("neon.yaml", $"{stores}neon: {{ project: {NeonServer.Project}, api_key_file: {key} }}\n");
        folder.Write("none.yaml", stores);
        // Nobody listens there.
        var down = new Dictionary<string, string?> { ["HTTPS_PROXY"] = "http://127.0.0.1:1", ["NO_PROXY"] = null };

        AppResult status = await AppProcess.RunAsync(folder.Path, down, ["--config", "neon.yaml", "status"]);
        AppResult steps = await AppProcess.RunAsync(
            folder.Path,
            down,
            ["--config", "neon.yaml", "status", "--neon", "2026-03-21T04:00:00Z"]
        );
        AppResult zone = await AppProcess.RunAsync(folder.Path, down, ["--config", "neon.yaml", "status", "--neon", "2026-03-21T04:00"]);
        AppResult both = await AppProcess.RunAsync(
            folder.Path,
            down,
            ["--config", "neon.yaml", "status", "--json", "--neon", "2026-03-21T04:00:00Z"]
        );
        AppResult none = await AppProcess.RunAsync(
            folder.Path,
            down,
            ["--config", "none.yaml", "status", "--neon", "2026-03-21T04:00:00Z"]
        );

        status.Output.ShouldContain("WARNING: PGB-0231: how far back Neon itself can restore is not known: Neon's API: ");
        steps.Errors.ShouldContain("PGB-0231: how far back Neon can restore is not known: ");
        (steps.ExitCode, zone.ExitCode, both.ExitCode, none.ExitCode).ShouldBe((1, 2, 2, 2));
        none.Errors.ShouldContain("the config names no project of Neon");
        foreach (AppResult result in (AppResult[])[status, steps, zone, both, none])
        {
            (result.Output + result.Errors).ShouldNotContain(NeonServer.Key);
        }
    }

    [Theory]
    [InlineData(200, "", "project wispy-wind-123456 of Neon: its history is kept for 1 d", new ErrorCode[0])]
    [InlineData(200, ", window: 2d", "project wispy-wind-123456 of Neon: its history is kept for 1 d", new[] { ErrorCode.NeonWindowShort })]
    [InlineData(403, ", window: 2d", "project wispy-wind-123456 of Neon", new[] { ErrorCode.NeonUnknown })]
    public async Task A_doctor_has_the_same_findings(int status, string window, string what, ErrorCode[] codes)
    {
        server.OfProject = (status, NeonServer.ProjectJson(86_400));
        BackupConfig config = ConfigReader.ParseStores(
            $"cluster: olympus\nstores: [{{ name: local, path: /a }}]\n{Neon(window)}\n",
            "config.yaml"
        );
        var sheet = new Sheet(DoctorArea.Source);

        await new NeonExamination(config, new NeonClient(config.Neon!, TimeProvider.System) { Base = server.Base }).RunAsync(sheet, Cancel);

        (LookedAt looked, IReadOnlyList<Finding> findings) = sheet.Close().Lines.ShouldHaveSingleItem();
        looked.What.ShouldBe(what);
        findings.Select(static f => f.Code).ShouldBe(codes);
    }

    [Fact]
    public async Task Where_computes_cannot_be_read_the_branch_is_known()
    {
        server.OfEndpoints = (500, "");

        StatusReport report = await ReadAsync("");

        report.Findings.ShouldHaveSingleItem().What.ShouldBe("on which host Neon serves the branch is not known");
        (report.Figures.Neon!.Branch, report.Figures.Neon.Host).ShouldBe(("main", null));
    }

    private async Task GreenAsync()
    {
        await scene.NightAsync(22, proven: true);
        await scene.DrillAsync(22);
    }

    private async Task<StatusReport> ReadAsync(string window, string more = "")
    {
        await GreenAsync();
        scene.More = Neon(window) + more;
        scene.NeonBase = server.Base;
        return await scene.ReadAsync();
    }

    private string Neon(string window) =>
        $"neon: {{ project: {NeonServer.Project}, api_key_file: {folder.Write("neon.key", NeonServer.Key)}{window} }}";

    private static string Json(StatusReport report) => JsonSerializer.Serialize(report, AppJson.Readable.StatusReport);
}
