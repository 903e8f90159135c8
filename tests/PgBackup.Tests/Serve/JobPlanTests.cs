using PgBackup.Configuration;
using PgBackup.Operations.Doctor;
using PgBackup.Serve;
using PgBackup.Serve.Scheduling;

namespace PgBackup.Tests.Serve;

/// <summary>A plan of a config.</summary>
public sealed class JobPlanTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Every_time_that_is_none_is_named_with_its_line()
    {
        PgBackupException error = Should.Throw<PgBackupException>(() =>
            JobPlan.Of(Config("schedule:\n  run: every night\n  check: \"0 12 1 * *\"\n  drill: \"0 3 31 2 *\"\n"), "host", Now)
        );

        (error.Code, error.ExitCode).ShouldBe((ErrorCode.ConfigInvalid, 2));
        error.Message.ShouldContain("x.yaml has 2 errors:\n  line 4: schedule.run: \"every night\" is no time of cron: ");
        error.Message.ShouldContain("\n  line 6: schedule.drill: \"0 3 31 2 *\" is no time of cron: there is no such day.");
    }

    [Fact]
    public void A_jitter_that_would_swallow_times_is_refused()
    {
        BackupConfig config = Config("schedule: { run: \"0 * * * *\", jitter: 1h }");

        Should
            .Throw<PgBackupException>(() => JobPlan.Of(config, "host", Now))
            .Message.ShouldContain("more often than jitter lets it start");
        JobPlan.Of(Config("schedule: { run: \"0 * * * *\", jitter: 59m }"), "host", Now).Jobs.Count.ShouldBe(1);
    }

    [Fact]
    public void Without_a_schedule_there_is_nothing_to_serve() =>
        Should.Throw<PgBackupException>(() => JobPlan.Of(Config(""), "host", Now)).Message.ShouldContain("x.yaml has no schedule");

    [Theory]
    [InlineData(
        "schedule: { run: \"0 3 * * *\", time_zone: Europe/Berlin }",
        Severity.Ok,
        "the schedule: run next 2026-03-02 03:00 +01:00"
    )]
    [InlineData("schedule: { run: every night }", Severity.Error, "the schedule")]
    [InlineData("schedule: { run: { cron: \"0 3 * * *\", arguments: [--fast] } }", Severity.Error, "the schedule")]
    public void Doctor_says_when_each_job_is_next_or_what_is_wrong(string text, Severity severity, string what)
    {
        var before = new DoctorReport
        {
            Looked = [],
            Findings = [],
            Seconds = 1,
        };

        DoctorReport report = ScheduleExamination.AddTo(
            before,
            Config(text),
            static a => a.Contains("--fast") ? "no such option" : null,
            new ManualClock(Now)
        );

        LookedAt looked = report.Looked.ShouldHaveSingleItem();
        (looked.Severity, looked.What, looked.Findings).ShouldBe((severity, what, report.Findings.Count));
        report.IsHealthy.ShouldBe(severity == Severity.Ok);
        ScheduleExamination.AddTo(before, Config(""), static _ => null, new ManualClock(Now)).ShouldBe(before);
    }

    private static BackupConfig Config(string text) =>
        ConfigReader.ParseStores("cluster: olympus\nstores: [{ name: local, path: /backups }]\n" + text, "x.yaml");
}
