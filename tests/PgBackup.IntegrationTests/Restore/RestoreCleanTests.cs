namespace PgBackup.IntegrationTests.Restore;

/// <summary>Restores that drop what is in their way, and only if somebody said so.</summary>
[Collection("bad restores")]
public sealed class RestoreCleanTests(BadDaysCluster cluster) : IAsyncLifetime
{
    private Workspace own = null!;

    private PostgresContainer Server => cluster.Server;

    public async ValueTask InitializeAsync()
    {
        await Server.SqlAsync("postgres", "CREATE DATABASE market TEMPLATE tiny; CREATE DATABASE other TEMPLATE tiny");
        own = cluster.Plain("market", "other");
        await own.BackupAsync();
        await Server.SqlAsync("market", "UPDATE t SET v = 'later'; CREATE TABLE more AS SELECT 1 AS n");
        await Server.SqlAsync("other", "UPDATE t SET v = 'later'");
    }

    public async ValueTask DisposeAsync()
    {
        own.Dispose();
        await Server.SqlAsync("postgres", "DROP DATABASE IF EXISTS market WITH (FORCE)");
        await Server.SqlAsync("postgres", "DROP DATABASE IF EXISTS other WITH (FORCE)");
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData("--clean asks for the names", "--clean")]
    [InlineData("only one of them", "--clean", "--swap", "--yes")]
    [InlineData("only taken with one of them", "--yes")]
    public async Task Without_a_clear_word_it_is_wrong_usage_and_nothing_is_touched(string message, params string[] words)
    {
        Outcome outcome = await own.RunAsync(2, ["restore", "-t", Server.Target, .. words]);
        outcome.All.ShouldContain(message);
        await MarketShouldBeAsync("later");
    }

    [Fact]
    public async Task With_yes_it_is_dropped_with_its_sessions_and_made_anew_and_others_stay()
    {
        await using IAsyncDisposable session = await Server.HoldAsync("market", "SELECT count(*) FROM t");
        Outcome outcome = await own.RunAsync(0, "restore", "-t", Server.Target, "-d", "market", "--clean", "--yes");
        outcome.Errors.ShouldContain("market: DROPS (market, 6 objects");
        outcome.Errors.ShouldContain("checked: every byte is there (not encrypted)");
        outcome.Errors.ShouldNotContain("identity");
        outcome.Output.ShouldContain("restored and proven equal: 1 database");
        await MarketShouldBeAsync("one row");
        (await Server.SqlAsync("market", "SELECT to_regclass('more') IS NULL")).ShouldBe("t\n");
        (await Server.SqlAsync("other", "SELECT v FROM t")).ShouldBe("later\n");
        (await Server.DatabasesAsync()).ShouldBe(["big", "market", "other", "small", "tiny"]);
    }

    [Theory]
    [InlineData("market other", 0, "one row")]
    [InlineData("market market", 1, "later")]
    [InlineData("yes", 1, "later")]
    public async Task On_a_terminal_the_name_of_each_has_to_be_typed(string typed, int exitCode, string left)
    {
        Outcome outcome = await Typist.RunAsync(
            own,
            ["restore", "-t", Server.Target, "--clean"],
            typed.Split(' ').Select(static name => ("type its name: ", name))
        );
        outcome.ExitCode.ShouldBe(exitCode, outcome.ToString());
        outcome.Output.ShouldContain("type its name");
        if (exitCode != 0)
        {
            outcome.Output.ShouldContain("PGB-0077");
        }

        await MarketShouldBeAsync(left);
    }

    [Fact]
    public async Task What_cannot_be_dropped_is_refused_before_anything_is_dropped()
    {
        await Server.SqlAsync("postgres", "ALTER DATABASE other IS_TEMPLATE true");
        try
        {
            Outcome outcome = await own.RunAsync(1, "restore", "-t", Server.Target, "--clean", "--yes");
            outcome.Errors.ShouldContain("PGB-0070");
            outcome.Errors.ShouldContain("it is a template");
            await MarketShouldBeAsync("later");
        }
        finally
        {
            await Server.SqlAsync("postgres", "ALTER DATABASE other IS_TEMPLATE false");
        }
    }

    private async Task MarketShouldBeAsync(string value) => (await Server.SqlAsync("market", "SELECT v FROM t")).ShouldBe(value + "\n");
}
