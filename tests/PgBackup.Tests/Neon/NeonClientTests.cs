using PgBackup.Configuration;
using PgBackup.Neon;

namespace PgBackup.Tests.Neon;

/// <summary>Bad days of Neon's API, against a server of the tests' own.</summary>
public sealed class NeonClientTests : IAsyncDisposable
{
    private const string Nonsense = "what it answered is not what Neon's API answers";

    private static readonly DateTimeOffset Now = new(2026, 3, 22, 4, 0, 0, TimeSpan.Zero);

    private readonly TestFolder folder = new();
    private readonly NeonServer server = new();
    private readonly string keyFile;

    public NeonClientTests() => keyFile = folder.Write("neon.key", NeonServer.Key + "\n");

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public async Task The_window_the_default_branch_and_its_host_are_read_with_the_key_of_the_file()
    {
        NeonReading reading = await ReadAsync();

        reading.Problem.ShouldBeNull();
        NeonProject project = reading.Project.ShouldNotBeNull();
        (project.Id, project.Name, project.Window).ShouldBe((NeonServer.Project, "olympus", TimeSpan.FromDays(1)));
        (project.Branch!.Id, project.Branch.Name, project.Branch.Host).ShouldBe(
            ("br-main-2", "main", "ep-x.c-2.eu-central-1.aws.neon.tech")
        );
        project.EarliestAt(Now).ShouldBe(Now.AddDays(-1));
        server
            .Got.Select(static g => g.Line)
            .ShouldBe(
                [
                    $"GET /api/v2/projects/{NeonServer.Project} HTTP/1.1",
                    $"GET /api/v2/projects/{NeonServer.Project}/branches?limit=500 HTTP/1.1",
                    $"GET /api/v2/projects/{NeonServer.Project}/endpoints HTTP/1.1",
                ],
                ignoreOrder: true
            );
        server.Got.ShouldAllBe(static g => g.Authorization == $"Bearer {NeonServer.Key}" && g.Body.Length == 0);
    }

    [Theory]
    [InlineData("old")]
    [InlineData("br-old-1")]
    public async Task The_branch_of_the_config_is_found_by_its_name_and_by_its_id(string branch)
    {
        NeonReading reading = await ReadAsync(branch);

        (reading.Project?.Branch?.Id, reading.Project?.Branch?.Host, reading.Problem).ShouldBe(("br-old-1", null, null));
    }

    [Fact]
    public async Task A_branch_that_is_younger_than_the_window_reaches_back_to_its_own_beginning()
    {
        server.OfBranches = (
            200,
            """{ "branches": [{ "id": "br-1", "name": "b", "primary": true, "created_at": "2026-03-22T01:00:00Z" }] }"""
        );

        (await ReadAsync()).Project!.EarliestAt(Now).ShouldBe(new DateTimeOffset(2026, 3, 22, 1, 0, 0, TimeSpan.Zero));
    }

    [Theory]
    [InlineData(401, "{}", "the key has no right to it (it answered 401)")]
    [InlineData(403, "{}", "the key has no right to it (it answered 403)")]
    [InlineData(404, "{}", "there is no such project for this key (it answered 404)")]
    [InlineData(429, "{}", "it answered 429")]
    [InlineData(500, "<html>sorry</html>", "it answered 500")]
    [InlineData(302, "", "it answered 302, and leads elsewhere: redirects are not followed")]
    [InlineData(200, "<html><body>Sign in</body></html>", Nonsense)]
    [InlineData(200, "", Nonsense)]
    [InlineData(200, "null", Nonsense)]
    [InlineData(200, "[1]", Nonsense)]
    [InlineData(200, """{ "project": "olympus" }""", Nonsense)]
    [InlineData(200, """{ "project": { "history_retention_seconds": "86400" } }""", Nonsense)]
    [InlineData(200, """{ "project": { "history_retention_seconds": 99999999999999999999 } }""", Nonsense)]
    [InlineData(200, """{ "project": { "history_retention_seconds": -5 } }""", "it says that it keeps history for -5 s")]
    [InlineData(
        200,
        """{ "project": { "history_retention_seconds": 999999999999 } }""",
        "it says that it keeps history for 999999999999 s"
    )]
    [InlineData(200, """{ "project": { "name": "olympus" } }""", "its answer does not have how long it keeps history")]
    [InlineData(200, """{ "project": null }""", "its answer does not have how long it keeps history")]
    [InlineData(200, "{}", "its answer does not have how long it keeps history")]
    [InlineData(0, "", "it did not answer as a server of HTTP does")]
    public async Task What_cannot_be_read_is_said(int status, string body, string why)
    {
        server.OfProject = (status, body);

        NeonReading reading = await ReadAsync();

        reading.Project.ShouldBeNull();
        reading.Problem!.Why.ShouldBe(why);
        reading.ToString().ShouldNotContain(NeonServer.Key);
    }

    [Fact]
    public async Task An_answer_that_is_too_large_or_too_deep_is_not_taken()
    {
        server.OfProject = (200, new string(' ', 2 * 1024 * 1024));
        (await ReadAsync()).Problem!.Why.ShouldBe("its answer is larger than 1 MiB");

        server.OfProject = (200, "{\"project\":" + new string('[', 100_000));
        (await ReadAsync()).Problem!.Why.ShouldBe(Nonsense);
    }

    [Fact]
    public async Task An_api_that_is_down_is_said()
    {
        Uri gone = server.Base;
        await server.DisposeAsync();

        (await ReadAsync(address: gone)).Problem!.Why.ShouldBe("no connection");
    }

    [Fact]
    public async Task An_api_that_never_answers_is_waited_for_five_seconds()
    {
        server.OfProject = server.OfBranches = server.OfEndpoints = null;
        var clock = new ManualClock(Now);

        Task<NeonReading> reading = Client(null, clock).ReadAsync(Cancel);
        // All three are asked, and waited for.
        while (server.Got.Count < 3 || clock.WaitingCount < 3)
        {
            await Task.Delay(5, Cancel);
        }

        clock.Advance(TimeSpan.FromSeconds(4.9));
        await Task.Delay(100, Cancel);
        reading.IsCompleted.ShouldBeFalse();
        clock.Advance(TimeSpan.FromSeconds(0.1));

        (await reading).Problem!.Why.ShouldBe("no answer within 5 s");
    }

    [Theory]
    [InlineData(500, "", "it answered 500")]
    [InlineData(200, "{}", "no default branch is among the 0 branches that it names")]
    [InlineData(200, """{ "branches": [null, { "id": "br-1", "name": "x" }] }""", "no default branch is among the 1 branch that it names")]
    [InlineData(
        200,
        """{ "branches": [{ "id": "../../x", "name": "x", "default": true, "created_at": "2026-01-01T00:00:00Z" }] }""",
        "it does not say which branch that is, and since when there is one"
    )]
    [InlineData(
        200,
        """{ "branches": [{ "id": "br-1", "name": "x", "default": true }] }""",
        "it does not say which branch that is, and since when there is one"
    )]
    [InlineData(200, """{ "branches": [{ "id": "br-1", "default": true, "created_at": "yesterday" }] }""", Nonsense)]
    public async Task Without_the_branch_the_window_is_still_known(int status, string body, string why)
    {
        server.OfBranches = (status, body);

        NeonReading reading = await ReadAsync();

        (reading.Project?.Window, reading.Project?.Branch, reading.Project?.EarliestAt(Now)).ShouldBe((TimeSpan.FromDays(1), null, null));
        reading.Problem!.Why.ShouldBe(why);
    }

    [Fact]
    public async Task A_branch_of_the_config_that_is_not_there_is_said() =>
        (await ReadAsync("mian")).Problem!.Why.ShouldBe("no branch \"mian\" is among the 2 branches that it names");

    [Theory]
    [InlineData("ep-x.neon.tech'; rm -rf /")]
    [InlineData("ep-x\\u001b[31m.neon.tech")]
    [InlineData("")]
    public async Task A_host_that_is_none_is_taken_for_none(string host)
    {
        server.OfEndpoints = (200, $$"""{ "endpoints": [{ "host": "{{host}}", "branch_id": "br-main-2", "type": "read_write" }, null] }""");

        (await ReadAsync()).Project!.Branch!.Host.ShouldBeNull();
    }

    [Theory]
    [InlineData("", "holds is no API key, in one line")]
    [InlineData("one\ntwo\n", "holds is no API key, in one line")]
    [InlineData("s3cr3t k3y\n", "holds is no API key, in one line")]
    [InlineData("s3cr3t\u20ACk3y\n", "holds is no API key, in one line")]
    public async Task A_file_that_holds_no_key_is_said_without_what_it_holds(string text, string why)
    {
        folder.Write("neon.key", text);

        NeonReading reading = await ReadAsync();

        reading.Problem!.Why.ShouldBe($"what {keyFile} {why}");
        reading.ToString().ShouldNotContain("s3cr3t");
        server.Got.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_key_that_others_could_exchange_is_not_sent()
    {
        File.SetUnixFileMode(keyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherWrite);

        NeonReading reading = await ReadAsync();

        reading.Problem!.Why.ShouldContain("may be written by other users");
        server.Got.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_key_that_is_not_there_is_said()
    {
        File.Delete(keyFile);

        (await ReadAsync()).Problem!.Why.ShouldBe($"the file {keyFile} does not exist");
    }

    [Fact]
    public void Without_tests_the_key_goes_to_neon_alone_and_encrypted() =>
        new NeonClient(Config(null), TimeProvider.System).Base.ToString().ShouldBe("https://console.neon.tech/api/v2/");

    private Task<NeonReading> ReadAsync(string? branch = null, Uri? address = null) =>
        Client(branch, new ManualClock(Now), address).ReadAsync(Cancel);

    private NeonClient Client(string? branch, TimeProvider clock, Uri? address = null) =>
        new(Config(branch), clock) { Base = address ?? server.Base };

    private NeonConfig Config(string? branch) =>
        new()
        {
            Project = NeonServer.Project,
            KeyFile = keyFile,
            Branch = branch,
        };
}
