using System.Net;
using PgBackup.Configuration;

namespace PgBackup.Tests.Configuration;

/// <summary><c>schedule:</c> and <c>serve:</c>.</summary>
public sealed class ScheduleReaderTests
{
    private const string Stores = "cluster: olympus\nstores: [{ name: local, path: /backups }]\n";

    [Fact]
    public void Jobs_have_the_arguments_of_what_runs_unattended_or_their_own()
    {
        BackupConfig config = Read(
            """
            schedule:
              run: "0 3 * * *"
              check: "0 12 1 * *"
              drill: { cron: "0 5 1 */3 *", arguments: [--store, offsite] }
              keys: "0 9 1 * *"
              prune: "0 4 * * *"
              time_zone: Europe/Berlin
              jitter: 10m
            serve: { listen: "0.0.0.0:9000" }
            """
        );

        ScheduleConfig schedule = config.Schedule.ShouldNotBeNull();
        (schedule.Zone.Id, schedule.Jitter).ShouldBe(("Europe/Berlin", TimeSpan.FromMinutes(10)));
        schedule
            .Jobs.Select(static j => $"{j.Cron}: {string.Join(' ', j.Arguments)}")
            .ShouldBe([
                "0 3 * * *: run --quiet",
                "0 4 * * *: prune",
                "0 12 1 * *: check --all --read-data",
                "0 5 1 */3 *: drill --store offsite",
                "0 9 1 * *: keys --notify",
            ]);
        schedule.Jobs.Select(static j => j.Line).ShouldBe([4, 8, 5, 6, 7]);
        config.Serve.Listen.ShouldBe(new IPEndPoint(IPAddress.Any, 9000));
    }

    [Fact]
    public void Without_them_nothing_is_scheduled_and_the_web_server_is_on_loopback()
    {
        BackupConfig config = Read("");

        config.Schedule.ShouldBeNull();
        config.Serve.Listen.ShouldBe(new IPEndPoint(IPAddress.Loopback, 8432));
    }

    [Theory]
    [InlineData("localhost:8432", "127.0.0.1:8432")]
    [InlineData("[::1]:80", "[::1]:80")]
    [InlineData("none", null)]
    public void An_address_has_a_port_or_is_none(string listen, string? expected) =>
        Read($"serve: {{ listen: \"{listen}\" }}").Serve.Listen?.ToString().ShouldBe(expected);

    [Theory]
    [InlineData("schedule: { run: \"0 3 * * *\", time_zone: Mars/Olympus }", "schedule.time_zone: \"Mars/Olympus\" is no time zone")]
    [InlineData("schedule: { run: \"0 3 * * *\", jitter: 7h }", "schedule.jitter: \"7h\" is longer than 6 hours.")]
    [InlineData("schedule: { time_zone: UTC }", "schedule.run: no job is scheduled.")]
    [InlineData("schedule: { backup: \"0 3 * * *\", run: \"0 3 * * *\" }", "schedule.backup: there is no such key.")]
    [InlineData("schedule: { base: \"0 2 * * *\", run: \"0 3 * * *\" }", "schedule.base: this version takes no base backups yet.")]
    [InlineData("schedule: { run: { arguments: [] } }", "schedule.run.cron: it is missing.")]
    [InlineData("schedule: { run: { cron: \"0 3 * * *\", arguments: [--config, x] } }", "schedule.run.arguments: --config is added")]
    [InlineData("serve: { listen: 8432 }", "serve.listen: \"8432\" is no address and port.")]
    [InlineData("serve: { listen: \"::1\" }", "serve.listen: \"::1\" is no address and port.")]
    [InlineData("serve: { port: 1 }", "serve.port: there is no such key.")]
    public void What_cannot_be_meant_is_an_error_with_its_place(string text, string error) =>
        Should.Throw<PgBackupException>(() => Read(text)).Message.ShouldContain(error);

    private static BackupConfig Read(string text) => ConfigReader.ParseStores(Stores + text, "x.yaml");
}
