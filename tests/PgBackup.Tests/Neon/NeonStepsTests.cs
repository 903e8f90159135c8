using System.Text.Json.Nodes;
using PgBackup.Configuration;
using PgBackup.Neon;
using PgBackup.Tools;

namespace PgBackup.Tests.Neon;

public sealed class NeonStepsTests : IAsyncDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 3, 22, 4, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Moment = new(2026, 3, 21, 12, 30, 5, TimeSpan.Zero);

    private readonly TestFolder folder = new();
    private readonly NeonServer server = new();

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public void They_are_a_look_a_restore_and_what_to_do_afterwards() =>
        string.Join('\n', Steps("main", "/etc/olympus-pgbackup/neon.key")).ShouldBeAsExpected("neon-steps.txt");

    [Fact]
    public async Task The_printed_commands_send_what_the_api_is_documented_to_take_and_the_key_in_a_header()
    {
        string keyFile = folder.Write("it's a key", NeonServer.Key + "\n");
        server.OfBranches = (201, "{}");

        string[] commands = Commands(Steps("main", keyFile));
        commands.Length.ShouldBe(2);
        foreach (string command in commands)
        {
            string here = command.Replace(NeonClient.Api.ToString(), server.Base.ToString(), StringComparison.Ordinal);
            ToolResult result = await ToolProcess.TryReadAsync(new ToolCommand("sh", ["-c", here]), Cancel);
            result.ExitCode.ShouldBe(0, string.Join('\n', result.Errors));
        }

        (string Line, string Authorization, string Body)[] got = [.. server.Got];
        got.ShouldAllBe(static g => g.Authorization == $"Bearer {NeonServer.Key}");
        got[0].Line.ShouldBe($"POST /api/v2/projects/{NeonServer.Project}/branches HTTP/1.1");
        JsonNode look = JsonNode.Parse(got[0].Body)!;
        look["branch"]!["parent_id"]!.GetValue<string>().ShouldBe("br-main-2");
        look["branch"]!["parent_timestamp"]!.GetValue<string>().ShouldBe("2026-03-21T12:30:05Z");
        look["endpoints"]![0]!["type"]!.GetValue<string>().ShouldBe("read_write");
        got[1].Line.ShouldBe($"POST /api/v2/projects/{NeonServer.Project}/branches/br-main-2/restore HTTP/1.1");
        JsonNode restore = JsonNode.Parse(got[1].Body)!;
        restore["source_branch_id"]!.GetValue<string>().ShouldBe("br-main-2");
        restore["source_timestamp"]!.GetValue<string>().ShouldBe("2026-03-21T12:30:05Z");
        restore["preserve_under_name"]!.GetValue<string>().ShouldBe("before-restore-20260322T040000Z");
        commands.ShouldAllBe(static c => !c.Contains(NeonServer.Key, StringComparison.Ordinal));
    }

    [Fact]
    public void A_hostile_name_is_shown_and_is_in_no_command()
    {
        const string Hostile = "main'; rm -rf / #\u001b[31m\n   curl evil";

        IReadOnlyList<string> steps = Steps(Hostile, "/etc/neon.key");

        steps.ShouldAllBe(static l => !l.Any(static c => char.IsControl(c)));
        steps.ShouldContain(static l => l.Contains("rm -rf / #\\x1B[31m", StringComparison.Ordinal));
        Commands(steps).ShouldAllBe(static c => !c.Contains("rm -rf", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("2026-03-21T03:59:59Z")]
    [InlineData("2026-03-22T04:00:01Z")]
    public void A_moment_out_of_reach_is_an_error_with_the_span_that_is_reachable(string text)
    {
        PgBackupException error = Should.Throw<PgBackupException>(() =>
            NeonSteps.Of(Config("/k"), Reading("main"), NeonSteps.Moment(text), Now)
        );

        (error.Code, error.ExitCode).ShouldBe((ErrorCode.MomentUnreachable, 1));
        error.Message.ShouldStartWith(
            "Neon can restore olympus to any second from 2026-03-21 04:00:00 UTC to now (2026-03-22 04:00:00 UTC), and not to 2026-03-2"
        );
    }

    [Fact]
    public void Without_the_branch_there_are_no_steps()
    {
        var reading = new NeonReading { Problem = new NeonProblem("it answered 500", "Wait") };

        PgBackupException error = Should.Throw<PgBackupException>(() => NeonSteps.Of(Config("/k"), reading, Moment, Now));

        (error.Code, error.ExitCode, error.Message).ShouldBe(
            (ErrorCode.NeonUnknown, 1, "how far back Neon can restore is not known: it answered 500.")
        );
    }

    [Theory]
    [InlineData("2026-03-21T12:30:05Z")]
    [InlineData("2026-03-21 12:30:05Z")]
    [InlineData("2026-03-21T13:30:05+01:00")]
    [InlineData("2026-03-21T12:30:05.000Z")]
    public void A_moment_has_a_zone(string text) => NeonSteps.Moment(text).ShouldBe(Moment);

    [Theory]
    [InlineData("2026-03-21T12:30:05")]
    [InlineData("2026-03-21")]
    [InlineData("yesterday")]
    [InlineData("21.3.2026 12:30Z")]
    [InlineData("")]
    public void A_moment_without_a_zone_is_wrong_usage(string text) =>
        Should.Throw<PgBackupException>(() => NeonSteps.Moment(text)).ExitCode.ShouldBe(2);

    private static IReadOnlyList<string> Steps(string branch, string keyFile) =>
        NeonSteps.Of(Config(keyFile), Reading(branch), Moment, Now);

    private static string[] Commands(IReadOnlyList<string> steps) =>
        [
            .. steps
                .Index()
                .Where(static l => l.Item.Contains("printf '", StringComparison.Ordinal))
                .Select(l => $"{l.Item}\n{steps[l.Index + 1]}"),
        ];

    private static NeonReading Reading(string branch) =>
        new()
        {
            Project = new NeonProject
            {
                Id = NeonServer.Project,
                Name = "olympus",
                Window = TimeSpan.FromDays(1),
                Branch = new NeonBranch
                {
                    Id = "br-main-2",
                    Name = branch,
                    Created = DateTimeOffset.UnixEpoch,
                    Host = "ep-x.eu-central-1.aws.neon.tech",
                },
            },
        };

    private static NeonConfig Config(string keyFile) => new() { Project = NeonServer.Project, KeyFile = keyFile };
}
