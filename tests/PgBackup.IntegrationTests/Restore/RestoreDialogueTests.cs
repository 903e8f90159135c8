namespace PgBackup.IntegrationTests.Restore;

/// <summary><c>restore</c> without arguments, answered on a terminal.</summary>
[Collection("bad restores")]
public sealed class RestoreDialogueTests(BadDaysCluster cluster) : IAsyncLifetime
{
    private const string LastQuestion = "To do this, type yes: ";

    private Workspace own = null!;

    private PostgresContainer Server => cluster.Server;

    public async ValueTask InitializeAsync()
    {
        await Server.SqlAsync("postgres", "CREATE DATABASE market TEMPLATE tiny");
        own = cluster.Gpg("market", "tiny");
        await own.BackupAsync();
        await Server.SqlAsync("market", "UPDATE t SET v = 'later'");
    }

    public async ValueTask DisposeAsync()
    {
        own.Dispose();
        await Server.SqlAsync(
            "postgres",
            """
            SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE NOT datistemplate AND datname NOT IN ('postgres', 'big', 'small', 'tiny')
            \gexec
            """
        );
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task It_asks_for_everything_tells_the_command_for_it_and_restores_after_a_yes()
    {
        Outcome outcome = await Typist.RunAsync(
            own,
            ["restore"],
            ("snapshot [1]: ", "9"),
            ("snapshot [1]: ", ""),
            ("[all]: ", "market"),
            ("server: ", "podman:no-such-container"),
            ("server: ", Server.Target),
            ("how (write the word): ", "over"),
            ("how (write the word): ", "beside"),
            ("[market_restored]: ", "postgres"),
            ("[market_restored]: ", ""),
            ("a file with it [gpg's own keyring]: ", "/no/such/key"),
            ("a file with it", cluster.Keys.StrangerSecret),
            ("passphrase [it has none]: ", ""),
            ("a file with it", cluster.Keys.OpsSecret),
            ("passphrase [it has none]: ", ""),
            (LastQuestion, "yes")
        );

        outcome.ExitCode.ShouldBe(0, outcome.ToString());
        foreach (
            string said in (string[])
                [
                    "1 snapshots, the newest complete one",
                    "complete",
                    "THE LIVE ONE: the source of the config",
                    "PGB-0023",
                    "market   there: 3 objects",
                    "Write beside, swap or clean.",
                    "none of Postgres's own databases",
                    "There is no such file.",
                    $"PGB-0051: gpg has no secret key for this snapshot in {cluster.Keys.StrangerSecret}",
                    "It decrypts the snapshot.",
                    "No drill was held yet",
                    "makes market_restored, which is not there",
                    "restored and proven equal",
                ]
        )
        {
            outcome.Output.ShouldContain(said);
        }

        (await Server.SqlAsync("market_restored", "SELECT v FROM t")).ShouldBe("one row\n");
        (await Server.SqlAsync("market", "SELECT v FROM t")).ShouldBe("later\n");

        // The command that it told does the same.
        await Server.SqlAsync("postgres", "DROP DATABASE market_restored");
        string command = outcome
            .Output.Split('\n')
            .Single(static l => l.StartsWith("  olympus-pgbackup restore", StringComparison.Ordinal))
            .Trim();
        Outcome same = await Shell.RunAsync("bash", ["-c", Surroundings.Binary + command["olympus-pgbackup".Length..]]);
        same.ExitCode.ShouldBe(0, same.ToString());
        (await Server.SqlAsync("market_restored", "SELECT v FROM t")).ShouldBe("one row\n");
    }

    [Fact]
    public async Task Without_a_last_yes_or_with_another_name_for_what_is_dropped_nothing_is_changed()
    {
        (string, string)[] first =
        [
            ("snapshot [1]: ", ""),
            ("[all]: ", "1"),
            ("server: ", Server.Target),
            ("how (write the word): ", "clean"),
            ("a file with it", cluster.Keys.OpsSecret),
            ("passphrase", ""),
            ("roles, yes or no [no]: ", ""),
        ];
        Outcome wrong = await Typist.RunAsync(own, ["restore"], [.. first, ("type its name: ", "yes")]);
        Outcome unsure = await Typist.RunAsync(own, ["restore"], [.. first, ("type its name: ", "market"), (LastQuestion, "")]);
        foreach (Outcome outcome in (Outcome[])[wrong, unsure])
        {
            outcome.ExitCode.ShouldBe(1, outcome.ToString());
            outcome.Output.ShouldContain("PGB-0077");
        }

        (await Server.SqlAsync("market", "SELECT v FROM t")).ShouldBe("later\n");
    }

    [Theory]
    [InlineData("snapshot [1]: ", Typist.Interrupt, "cancelled by SIGINT: nothing was changed.")]
    [InlineData("snapshot [1]: ", Typist.EndOfInput, "the input ended before the last question; nothing was changed.")]
    public async Task Whoever_leaves_it_has_changed_nothing(string at, string how, string said)
    {
        Outcome outcome = await Typist.RunAsync(own, ["restore"], (at, how));
        outcome.ExitCode.ShouldBe(1, outcome.ToString());
        outcome.Output.ShouldContain(said);
    }

    [Fact]
    public async Task Where_nobody_can_answer_it_is_wrong_usage() =>
        (await own.RunAsync(2, "restore")).Errors.ShouldContain("Option '--target' is required.");
}
