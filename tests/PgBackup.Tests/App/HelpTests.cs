using System.Text.RegularExpressions;

namespace PgBackup.Tests.App;

public sealed partial class HelpTests : IDisposable
{
    private static readonly string[] Verbs =
    [
        "run",
        "backup",
        "status",
        "list",
        "show",
        "diff",
        "check",
        "restore",
        "drill",
        "keys",
        "confirm",
        "log",
        "doctor",
        "serve",
        "prune",
        "pin",
        "unpin",
        "init",
        "demo",
        "completion",
    ];

    private readonly TestFolder folder = new();

    public static TheoryData<string> EveryVerb => [.. Verbs];

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task The_help_of_the_program_is_as_people_will_read_it()
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "--help");

        result.Output.ShouldBeAsExpected("help.txt");
        (result.ExitCode, result.Errors).ShouldBe((0, ""));
    }

    [Theory]
    [MemberData(nameof(EveryVerb))]
    public async Task The_help_of_a_verb_is_as_people_will_read_it(string verb)
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, verb, "--help");

        result.Output.ShouldBeAsExpected($"help-{verb}.txt");
        result.ExitCode.ShouldBe(0);
        result.Output.ShouldContain("\nExamples:\n");
        result.Output.ShouldContain("\nExit codes:\n");
    }

    [Fact]
    public async Task The_help_of_a_verb_below_a_verb_is_as_people_will_read_it()
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "keys", "test", "--help");

        result.Output.ShouldBeAsExpected("help-keys-test.txt");
        result.ExitCode.ShouldBe(0);
    }

    [Fact]
    public void Every_verb_is_among_those_whose_help_is_looked_at()
    {
        string commands = File.ReadAllText(Path.Combine(TestRun.Repository, "tests", "PgBackup.Tests", "Expected", "help.txt"))
            .Split("Commands:")[1]
            .Split("Examples:")[0];

        Verb().Matches(commands).Select(static m => m.Groups[1].Value).ShouldBe(Verbs);
    }

    [Fact]
    public async Task Help_does_not_look_into_the_store_and_needs_no_right_config()
    {
        folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: olympus\nsource: {{ podman: x }}\ndatabases: [olympus]\nencryption: none\nstores: [{{ name: local, path: "
                + $"{folder["store"]} }}]\n"
        );
        Directory.CreateDirectory(folder["store/20260301T030000Z"]);
        folder.Write("store/20260301T030000Z/manifest.json", "{");
        (await AppProcess.RunAsync(folder.Path, "list")).Output.ShouldContain("20260301T030000Z");

        string help = (await AppProcess.RunAsync(folder.Path, "--help")).Output;

        help.ShouldBe(File.ReadAllText(Path.Combine(TestRun.Repository, "tests", "PgBackup.Tests", "Expected", "help.txt")));
    }

    [GeneratedRegex(@"^  ([a-z]+)\b", RegexOptions.Multiline)]
    private static partial Regex Verb();
}
