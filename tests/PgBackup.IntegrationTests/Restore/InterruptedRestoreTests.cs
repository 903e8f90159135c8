namespace PgBackup.IntegrationTests.Restore;

/// <summary>Restores that are stopped in the middle.</summary>
[Collection("bad restores")]
public sealed class InterruptedRestoreTests(BadDaysCluster cluster)
{
    [Theory]
    [InlineData("TERM", 1)]
    [InlineData("TERM", 3)]
    [InlineData("KILL", 1)]
    [InlineData("KILL", 3)]
    public async Task A_restore_that_is_stopped_leaves_no_plaintext_no_backend_and_the_database_closed(string signal, int jobs)
    {
        using Workspace own = cluster.Gpg("big");
        await own.BackupAsync();
        try
        {
            // The first decryptions check the whole of it, and look at the schema, before anything is changed.
            using (var hold = new Hold(own, "--decrypt", passing: 2))
            {
                await using RunningProgram run = own.Start(
                    "restore",
                    "-t",
                    cluster.Server.Target,
                    "-d",
                    "big",
                    "--as",
                    "half",
                    "--jobs",
                    $"{jobs}",
                    "-i",
                    cluster.Keys.OpsSecret
                );
                await hold.EnteredAsync(1);
                await run.SignalAsync(signal);
                Outcome outcome = await run.EndAsync();
                outcome.ExitCode.ShouldBe(signal == "TERM" ? 1 : 137, outcome.ToString());
                await Shell.UntilAsync(
                    async () =>
                        (await Shell.RunAsync("pgrep", ["--full", $"^gpg-agent --homedir [^ ]*/olympus-pgbackup-{run.Id}-"])).ExitCode == 1,
                    "no agent has the private key any more"
                );
                if (signal == "TERM")
                {
                    outcome.Errors.ShouldContain("PGB-0003");
                    outcome.Errors.ShouldNotContain("what was half-written was removed");
                    outcome.Errors.ShouldContain("half");
                }
            }

            await cluster.Server.ShouldBeCleanAsync();
            (await cluster.Server.SqlAsync("postgres", "SELECT has_database_privilege('public', 'half', 'CONNECT')")).ShouldBe("f\n");
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE half");
            await own.RunAsync(
                0,
                "restore",
                "-t",
                cluster.Server.Target,
                "-d",
                "big",
                "--as",
                "half",
                "--jobs",
                "2",
                "-i",
                cluster.Keys.OpsSecret
            );
            Workspace.HostShouldBeClean();
        }
        finally
        {
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE IF EXISTS half");
        }
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("KILL")]
    public async Task A_restore_that_is_stopped_while_its_jobs_work_ends_them_and_disturbs_no_other_session(string signal)
    {
        // Building these indexes takes a minute each, but not in the source.
        await cluster.Server.SqlAsync("postgres", "CREATE DATABASE sleepy");
        await cluster.Server.SqlAsync(
            "sleepy",
            """
            CREATE FUNCTION public.slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN IF current_database() <> 'sleepy' THEN PERFORM pg_catalog.pg_sleep(1); END IF; RETURN n; END $f$;
            CREATE TABLE a AS SELECT g FROM generate_series(1, 60) g; CREATE INDEX ON a (public.slow(g));
            CREATE TABLE b AS SELECT g FROM generate_series(1, 60) g; CREATE INDEX ON b (public.slow(g));
            """
        );
        try
        {
            using Workspace own = cluster.Plain("sleepy");
            await own.BackupAsync();
            await using IAsyncDisposable bystander = await cluster.Server.HoldAsync("tiny", "SELECT 1");
            await using RunningProgram run = own.Start(
                "restore",
                "-t",
                cluster.Server.Target,
                "-d",
                "sleepy",
                "--as",
                "half",
                "--jobs",
                "3"
            );
            await Shell.UntilAsync(
                async () =>
                    (
                        await cluster.Server.SqlAsync(
                            "postgres",
                            "SELECT count(*) FROM pg_stat_activity WHERE datname = 'half' AND query LIKE 'CREATE INDEX%' AND state = "
                                + "'active'"
                        )
                    ).Trim() == "2",
                "two jobs build an index"
            );
            await run.SignalAsync(signal);
            (await run.EndAsync()).ExitCode.ShouldBe(signal == "TERM" ? 1 : 137);
            await cluster.Server.ShouldBeCleanAsync();
            (await cluster.Server.SqlAsync("postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = 'tiny'")).ShouldBe("1\n");
        }
        finally
        {
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE IF EXISTS half WITH (FORCE)");
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE sleepy");
        }
    }

    [Fact]
    public async Task A_restore_that_loses_its_connection_fails_and_says_so()
    {
        using Workspace own = cluster.Gpg("big");
        await own.BackupAsync();
        try
        {
            using var hold = new Hold(own, "--decrypt", passing: 2);
            await using RunningProgram run = own.Start(
                "restore",
                "-t",
                cluster.Server.Target,
                "-d",
                "big",
                "--as",
                "half",
                "-i",
                cluster.Keys.OpsSecret
            );
            await hold.EnteredAsync(1);
            await Shell.UntilAsync(
                async () =>
                    (
                        await cluster.Server.SqlAsync(
                            "postgres",
                            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'half' AND "
                                + "application_name LIKE 'olympus-pgbackup%'"
                        )
                    ).Trim() != "0",
                "pg_restore is connected"
            );
            hold.Release();
            Outcome outcome = await run.EndAsync();
            outcome.ExitCode.ShouldBe(1, outcome.ToString());
            outcome.All.ShouldContain("FAILED");
            outcome.All.ShouldContain("half");
        }
        finally
        {
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE IF EXISTS half");
        }
    }

    [Theory]
    [InlineData("podman:no-such-container", 1, "PGB-0023")]
    [InlineData("somewhere", 2, "PGB-0002")]
    [InlineData("postgres://postgres@ep-x-pooler.neon.tech/", 1, "PGB-0031")]
    public async Task A_target_that_cannot_be_used_is_told(string target, int exitCode, string code)
    {
        using Workspace own = cluster.Plain("tiny");
        await own.BackupAsync();
        Outcome outcome = await own.RunAsync(exitCode, "restore", "-t", target);
        outcome.Errors.ShouldContain(code);
    }

    [Fact]
    public async Task A_tablespace_that_the_target_lacks_is_told_and_everything_else_is_equal()
    {
        await cluster.Server.ExecAsync("install", "-d", "-o", "postgres", "-m", "700", "/tmp/fast");
        await cluster.Server.SqlAsync("postgres", "CREATE TABLESPACE fast LOCATION '/tmp/fast'");
        await cluster.Server.SqlAsync("postgres", "CREATE DATABASE placed");
        await cluster.Server.SqlAsync(
            "placed",
            "CREATE TABLE t (v text PRIMARY KEY USING INDEX TABLESPACE fast) TABLESPACE fast; INSERT INTO t VALUES ('here')"
        );
        try
        {
            using Workspace own = cluster.Plain("placed");
            await own.BackupAsync();
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE placed");
            await cluster.Server.SqlAsync("postgres", "DROP TABLESPACE fast");
            Outcome outcome = await own.RunAsync(0, "restore", "--swap", "-t", cluster.Server.Target);
            outcome.Errors.ShouldContain("no tablespace fast");
            (await cluster.Server.SqlAsync("placed", "SELECT v FROM t")).ShouldBe("here\n");
        }
        finally
        {
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE IF EXISTS placed");
            await cluster.Server.SqlAsync("postgres", "DROP TABLESPACE IF EXISTS fast");
        }
    }

    [Fact]
    public async Task Machine_output_is_JSON_on_stdout_and_nothing_else()
    {
        using Workspace own = cluster.Plain("tiny");
        string[][] calls =
        [
            ["run", "--json"],
            ["list", "--json"],
            ["show", "--json"],
            ["check", "--read-data", "--json"],
            ["restore", "--json", "-t", cluster.Server.Target, "-d", "tiny", "--as", "json"],
        ];
        foreach (string[] call in calls)
        {
            Outcome outcome = await own.RunAsync(0, call);
            using var document = System.Text.Json.JsonDocument.Parse(outcome.Output);
        }

        await cluster.Server.SqlAsync("postgres", "DROP DATABASE json");
    }

    [Fact]
    public async Task The_bare_environment_of_cron_is_enough()
    {
        using Workspace own = cluster.Gpg("tiny");
        string? containers = Environment.GetEnvironmentVariable("CONTAINERS_CONF");
        Outcome outcome = await Shell.RunAsync(
            "env",
            [
                "-i",
                "PATH=/usr/bin:/bin",
                .. containers is null ? Array.Empty<string>() : ["CONTAINERS_CONF=" + containers],
                Surroundings.Binary,
                "--config",
                own.ConfigFile,
            ],
            folder: "/"
        );
        outcome.ExitCode.ShouldBe(0, outcome.ToString());
    }
}
