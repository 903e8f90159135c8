using PgBackup.Postgres;
using PgBackup.Tools;

namespace PgBackup.Tests.Postgres;

/// <summary>Which of a host's client tools serve a server. The tools are scripts; every psql of them reaches the same server.</summary>
public sealed class ToolFinderTests : IDisposable
{
    private static readonly PgConnection Connection = PgConnection.Parse("postgres://localhost/");

    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(17)]
    public async Task Of_several_majors_those_of_the_servers_own_are_taken(int server)
    {
        IReadOnlyList<PostgresTools> onHost = await InstallAsync(server, 17, 16, 15);

        await using FoundTools found = await ToolFinder.AmongAsync(
            onHost,
            Connection,
            hostOnly: true,
            TimeSpan.Zero,
            TimeProvider.System,
            Cancel
        );

        (found.Tools.Major, ((HostTools)found.Tools.Host).Folder).ShouldBe((server, folder[$"{server}"]));
        found.Container.ShouldBeNull();
    }

    [Fact]
    public async Task Where_none_fits_the_error_says_what_there_is_and_what_is_needed()
    {
        IReadOnlyList<PostgresTools> onHost = await InstallAsync(14, 17, 15);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            ToolFinder.AmongAsync(onHost, Connection, hostOnly: true, TimeSpan.Zero, TimeProvider.System, Cancel)
        );

        error.Code.ShouldBe(ErrorCode.ToolVersion);
        error.Message.ShouldBe(
            $"the server runs Postgres 14.3, and this host has no client tools of version 14; found: 17.1 on this host "
                + $"({folder["17"]}), 15.1 on this host ({folder["15"]})."
        );
        error.Remedy.ShouldNotBeNull().ShouldContain("postgresql-client-14");
    }

    [Fact]
    public async Task Containers_that_speak_of_Postgres_are_servers_but_not_those_that_this_program_started()
    {
        string engine = folder.Write(
            "engine",
            """
            #!/bin/sh
            printf '%s\t%s\t%s\n' olympus-postgres docker.io/library/debian ''
            printf '%s\t%s\t%s\n' db timescale/timescaledb:pg17 ''
            printf '%s\t%s\t%s\n' odd registry/odd 'title=PostgreSQL'
            printf '%s\t%s\t%s\n' web nginx ''
            printf '%s\t%s\t%s\n' drill postgres:17 'olympus-pgbackup=scratch'

            """
        );
        File.SetUnixFileMode(engine, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        IReadOnlyList<RunningContainer> servers = await ToolFinder.ServersAsync(new ContainerEngine(engine, TimeProvider.System), Cancel);

        servers.Select(static s => s.Name).ShouldBe(["olympus-postgres", "db", "odd"]);
        (await ToolFinder.ServersAsync(new ContainerEngine("no-such-engine", TimeProvider.System), Cancel)).ShouldBeEmpty();
    }

    // psql as far as a session needs it: it answers every \echo, and one row to the questions who logged in and who the server is.
    private async Task<IReadOnlyList<PostgresTools>> InstallAsync(int server, params int[] majors)
    {
        string psql = $$"""
            #!/bin/sh
            while read -r verb marker rest; do
              case "$verb $rest" in
              *server_version*) echo '{"version":"{{server}}.3 (Debian)","number":{{server}}0003,"role":"r","superuser":true,"reads_passwords":true,"bootstrap":"postgres"}' ;;
              *'rolsuper)'*) echo '{"timeouts":5,"superuser":true}' ;;
              '\echo :ERROR '*) echo "$marker false 00000" ;;
              '\echo ') [ "$marker" = :LAST_ERROR_MESSAGE ] && echo || echo "$marker" ;;
              esac
            done
            """;
        List<PostgresTools> tools = [];
        foreach (int major in majors)
        {
            Directory.CreateDirectory(folder[$"{major}"]);
            foreach (
                (string name, string script) in ((string, string)[])
                    [("pg_dump", $"#!/bin/sh\necho 'pg_dump (PostgreSQL) {major}.1'\n"), ("psql", psql)]
            )
            {
                string file = folder.Write($"{major}/{name}", script);
                File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute);
            }

            tools.Add(await PostgresTools.AtAsync(new HostTools(folder[$"{major}"], TimeProvider.System), Cancel));
        }

        return tools;
    }
}
