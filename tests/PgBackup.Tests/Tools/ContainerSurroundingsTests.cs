using PgBackup.Tools;

namespace PgBackup.Tests.Tools;

public sealed class ContainerSurroundingsTests
{
    [Theory]
    [InlineData("server 6000 /var/run/postgresql\nsocket 5432 /tmp\n", "/var/run/postgresql", 6000)]
    [InlineData("server 6000 *\n", "localhost", 6000)]
    [InlineData("socket 6000 /run/my socket\n", "/run/my socket", 6000)]
    [InlineData("socket 6432 /var/run/postgresql\nsocket 5432 /var/run/postgresql\n", "/var/run/postgresql", 5432)]
    [InlineData("socket 6432 /var/run/postgresql\nsocket 6000 /var/run/postgresql\n", null, null)]
    [InlineData("own PGPORT\nserver 6000 /var/run/postgresql\n", null, null)]
    [InlineData("server  /var/run/postgresql\n", null, null)]
    [InlineData("", null, null)]
    public void The_server_is_where_it_says_or_where_only_one_listens(string told, string? host, int? port)
    {
        var found = ContainerSurroundings.Read(told);

        (found.Host, found.Port).ShouldBe((host, port));
    }

    [Fact]
    public void A_tool_speaks_English_and_is_told_where_the_server_is()
    {
        ToolCommand there = ContainerSurroundings.Read("server 6000 /socket\n").Apply(Of(new() { ["PGUSER"] = "u", ["PGPORT"] = null }));

        there.FileName.ShouldBe("psql");
        there.Environment["LC_ALL"].ShouldBe("C.UTF-8");
        there.Environment["LANGUAGE"].ShouldBe("");
        (there.Environment["PGHOST"], there.Environment["PGPORT"]).ShouldBe(("/socket", "6000"));
    }

    [Fact]
    public void Where_the_connection_says_so_itself_it_goes_there()
    {
        ToolCommand there = ContainerSurroundings.Read("server 6000 /socket\n").Apply(Of(new() { ["PGHOST"] = "db", ["PGPORT"] = null }));

        (there.Environment["PGHOST"], there.Environment["PGPORT"]).ShouldBe(("db", null));
    }

    [Fact]
    public void Variables_of_the_container_that_would_change_what_a_tool_does_are_removed_but_for_its_own_place()
    {
        var surroundings = ContainerSurroundings.Read("variable PGTZ\nvariable PGSERVICE\nvariable PGPORT\nvariable PGDATA\nown PGPORT\n");

        ToolCommand there = surroundings.Apply(
            Of(
                new()
                {
                    ["PGTZ"] = null,
                    ["PGSERVICE"] = null,
                    ["PGPORT"] = null,
                    ["PGSSLMODE"] = null,
                    ["PGUSER"] = "u",
                }
            )
        );

        there.FileName.ShouldBe("env");
        there.Arguments.ShouldBe(["-u", "PGSERVICE", "-u", "PGTZ", "psql", "--quiet"]);
        there.Label.ShouldBe("the session");
        there.MayStopReading.ShouldBeTrue();
    }

    private static ToolCommand Of(Dictionary<string, string?> environment) =>
        new ToolCommand("psql", "--quiet") { Environment = environment, MayStopReading = true }.Named("the session");
}
