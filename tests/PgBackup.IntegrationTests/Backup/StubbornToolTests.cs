namespace PgBackup.IntegrationTests.Backup;

/// <summary>Tools in the container that do not behave as they usually do.</summary>
[Collection("bad days")]
public sealed class StubbornToolTests(BadDaysCluster cluster)
{
    [Fact]
    public async Task A_run_is_cancelled_though_its_pg_dump_does_not_go()
    {
        // No table: those are locked before a dump starts. Of the catalogs, pg_dump alone reads this one.
        await using IAsyncDisposable held = await cluster.Server.HoldAsync("tiny", "LOCK TABLE pg_catalog.pg_ts_template");
        using Workspace night = cluster.Plain("tiny");
        await using RunningProgram run = night.Start();
        string found = "";
        await Shell.UntilAsync(
            async () =>
                (
                    found = (
                        await cluster.Server.ExecAsync(
                            "sh",
                            "-c",
                            "for p in /proc/[0-9]*; do grep -qx pg_dump $p/comm 2>/dev/null && echo ${p#/proc/}; done"
                        )
                    ).Output
                ).Length > 0,
            "pg_dump waits for the catalog"
        );
        (await cluster.Server.ExecAsync("sh", "-c", $"kill -STOP {found.Replace('\n', ' ')}")).ExitCode.ShouldBe(0);

        await run.SignalAsync("TERM");

        Outcome outcome = await run.EndAsync();
        outcome.ExitCode.ShouldBe(1, outcome.ToString());
        outcome.Errors.ShouldContain("PGB-0003");
        await cluster.Server.ShouldBeCleanAsync();
        Directory.GetDirectories(night.Store).Select(Path.GetFileName).ShouldBe(["records"]);
    }

    [Theory]
    [InlineData("deadlock detected", "met in a deadlock")]
    [InlineData(
        "permission denied for schema quiet\nCommand was: GRANT SELECT ON TABLE quiet.a TO reader;",
        "granted privileges in another order than they depend on each other"
    )]
    public async Task Jobs_that_got_in_each_others_way_are_followed_by_one_that_cannot(string said, string why)
    {
        // The first pg_restore with jobs restores a part, and ends as one that was chosen as the victim of a deadlock, or that came too
        // early.
        await using PostgresContainer server = await PostgresContainer.StartAsync("deadlock");
        await server.SqlAsync("postgres", "CREATE DATABASE busy");
        await server.SqlAsync(
            "busy",
            "CREATE TABLE a AS SELECT g FROM generate_series(1, 1000) g; CREATE TABLE b (v text); INSERT INTO b VALUES ('one row')"
        );
        using Workspace night = Workspace.ForContainer(server.Name, "none", ["busy"]);
        await night.BackupAsync();
        string tool = (await server.ExecAsync("sh", "-c", "readlink -f \"$(command -v pg_restore)\"")).Output.Trim();
        const string Wrapper = """
            #!/bin/sh
            case " $* " in
            *" --jobs="*)
              REAL --section=pre-data "$@" || exit 2
              echo jobs >>/tmp/calls
              echo 'pg_restore: error: could not execute query: ERROR:  SAID' >&2
              exit 1 ;;
            *" --dbname="*) echo single >>/tmp/calls ;;
            esac
            exec REAL "$@"
            """;
        string script = Wrapper.Replace("REAL", tool + ".real", StringComparison.Ordinal).Replace("SAID", said, StringComparison.Ordinal);
        await Shell.ReadAsync(
            "podman",
            ["exec", "--interactive", server.Name, "sh", "-c", $"mv {tool} {tool}.real && cat >{tool} && chmod 755 {tool}"],
            input: script
        );

        Outcome restore = await night.RunAsync(0, "restore", "-t", server.Target, "-d", "busy", "--as", "calm", "--jobs", "3");

        restore.Output.ShouldContain("proven equal");
        restore.Errors.ShouldContain($"note: PGB-0143: calm: the 3 jobs of pg_restore {why}; it was restored again with one");
        (await server.ExecAsync("cat", "/tmp/calls")).Output.ShouldBe("jobs\nsingle\n");
        (await server.SqlAsync("calm", "SELECT count(*) FROM a; SELECT v FROM b")).ShouldBe("1000\none row\n");
        await server.ShouldBeCleanAsync();
    }
}
