namespace PgBackup.IntegrationTests.Backup;

/// <summary>A dump that falls silent: the time decides nothing, what the server does decides.</summary>
public sealed class StalledDumpTests
{
    private const string Dump = "/usr/lib/postgresql/17/bin/pg_dump";

    [Fact]
    public async Task A_dump_that_falls_silent_while_its_server_does_nothing_for_it_fails_and_leaves_nothing()
    {
        await using PostgresContainer server = await PostgresContainer.StartAsync("stalled");
        await server.SqlAsync("postgres", "CREATE DATABASE big");
        await server.SqlAsync("big", "CREATE TABLE t AS SELECT 1 AS i");
        using Workspace own = Workspace.ForContainer(server.Name, "none", ["big"], "{ stall_timeout: 2s }");
        string earlier = await own.BackupAsync();
        // A pg_dump that stands still, as behind a connection that was lost: it sends nothing, and the server knows of nothing to do.
        await Shell.ReadAsync(
            "podman",
            [
                "exec",
                "--user",
                "root",
                "--interactive",
                server.Name,
                "sh",
                "-c",
                $"path=$(readlink -f \"$(command -v pg_dump)\"); [ -e {Dump} ] && path={Dump}; mv \"$path\" \"$path.real\"; cat "
                    + $">\"$path\"; chmod 755 \"$path\"",
            ],
            input: """
            #!/bin/sh
            case "$*" in *--snapshot*) ;; *) exec "$0.real" "$@" ;; esac
            kill -STOP $$
            exec "$0.real" "$@"
            """
        );
        Outcome outcome = await own.RunAsync(1);
        outcome.Errors.ShouldContain("PGB-0046");
        outcome.Errors.ShouldContain("pg_dump of big sent nothing for");
        outcome.Errors.ShouldContain("the server does nothing for it");
        Directory.GetDirectories(own.Store).Select(Path.GetFileName).Where(static d => char.IsAsciiDigit(d![0])).ShouldBe([earlier]);
        await server.ShouldBeCleanAsync();
    }

    [Fact]
    public async Task A_role_that_is_dropped_before_the_roles_are_read_is_not_left_in_a_dump_alone()
    {
        await using PostgresContainer server = await LateRolesAsync("late-roles");
        await server.SqlAsync("postgres", "CREATE ROLE passing");
        await server.SqlAsync("shop", "CREATE SCHEMA theirs AUTHORIZATION passing");
        using Workspace own = Workspace.ForContainer(server.Name, "none", ["shop"]);
        await using RunningProgram run = await DumpedAsync(server, own);
        await server.SqlAsync("shop", "ALTER SCHEMA theirs OWNER TO postgres; DROP ROLE passing");
        await server.ExecAsync("touch", "/tmp/go");

        Outcome outcome = await run.EndAsync();

        outcome.ExitCode.ShouldBe(0, outcome.ToString());
        outcome.Errors.ShouldContain("schema theirs was changed");
        outcome.Errors.ShouldContain("All databases are dumped again from a new moment (2 of 3).");
    }

    [Fact]
    public async Task A_dump_whose_server_works_on_it_in_silence_is_waited_for()
    {
        await using PostgresContainer server = await PostgresContainer.StartAsync("silent");
        await server.SqlAsync("postgres", "CREATE DATABASE big");
        await server.SqlAsync("big", "CREATE TABLE t AS SELECT 1 AS i");
        using Workspace own = Workspace.ForContainer(server.Name, "none", ["big"], "{ stall_timeout: 2s }");
        // Beside the dump, under the run's name, a statement that takes its time.
        await Shell.ReadAsync(
            "podman",
            [
                "exec",
                "--user",
                "root",
                "--interactive",
                server.Name,
                "sh",
                "-c",
                $"path=$(readlink -f \"$(command -v pg_dump)\"); [ -e {Dump} ] && path={Dump}; mv \"$path\" \"$path.real\"; cat "
                    + $">\"$path\"; chmod 755 \"$path\"",
            ],
            input: """
            #!/bin/sh
            case "$*" in *--snapshot*) ;; *) exec "$0.real" "$@" ;; esac
            psql -XqAt -c "DO \$\$ BEGIN WHILE clock_timestamp() < now() + interval '12 s' LOOP END LOOP; END \$\$" >&2
            exec "$0.real" "$@"
            """
        );
        Outcome outcome = await own.RunAsync(0);
        outcome.Errors.ShouldNotContain("PGB-0046");
        own.Manifest(outcome.Output.Split('\n').Last(static l => l.Length > 0 && char.IsAsciiDigit(l[0])).Split(' ')[0])
            .Databases.Single()
            .Seconds.ShouldBeGreaterThan(10, "it was silent for longer than it takes to ask");
    }

    // A server whose roles are not dumped before /tmp/go is there. It tells by /tmp/dumped that its database is.
    private static async Task<PostgresContainer> LateRolesAsync(string name)
    {
        PostgresContainer server = await PostgresContainer.StartAsync(name);
        await server.SqlAsync("postgres", "CREATE DATABASE shop");
        await WrapAsync("pg_dumpall", "until [ -e /tmp/go ]; do sleep 0.1; done\nexec \"$0.real\" \"$@\"");
        await WrapAsync("pg_dump", "\"$0.real\" \"$@\"; code=$?\ncase $* in *--snapshot*) touch /tmp/dumped ;; esac\nexit $code");
        return server;

        Task WrapAsync(string tool, string script) =>
            Shell.ReadAsync(
                "podman",
                [
                    "exec",
                    "--user",
                    "root",
                    "--interactive",
                    server.Name,
                    "sh",
                    "-c",
                    $"cd /usr/lib/postgresql/17/bin && mv {tool} {tool}.real && cat >{tool} && chmod 755 {tool}",
                ],
                input: $"#!/bin/sh\n{script}\n"
            );
    }

    // The run when its database is dumped, and its roles are not.
    private static async Task<RunningProgram> DumpedAsync(PostgresContainer server, Workspace own)
    {
        RunningProgram run = own.Start();
        await Shell.UntilAsync(async () => (await server.ExecAsync("test", "-e", "/tmp/dumped")).ExitCode == 0, "the database is dumped");
        return run;
    }
}
