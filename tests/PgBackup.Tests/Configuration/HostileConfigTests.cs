using PgBackup.Tests.App;
using static PgBackup.Tests.Configuration.ConfigText;

namespace PgBackup.Tests.Configuration;

/// <summary>What nobody would write, and what should never have been written: errors of the config, and nothing else.</summary>
public sealed class HostileConfigTests
{
    private const string Secret = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ";

    [Theory]
    [InlineData("recipients: [age1x, age1y]", $"recipients: [{Secret}]", "encryption.age.recipients")]
    [InlineData("recipients: [age1x, age1y]", "recipients: [age-secret-key-1qqqqqq]", "encryption.age.recipients")]
    [InlineData("recipients: [age1x, age1y]", "recipients: [AGE-SECRET-KEY-PQ-1QQQQQQ]", "encryption.age.recipients")]
    [InlineData("recipients: [age1x, age1y]", "recipients: [AGE-PLUGIN-YUBIKEY-1QQQQQQ]", "encryption.age.recipients")]
    [InlineData(
        "recipients: [age1x, age1y]",
        "recipients: [\"-----BEGIN PGP PRIVATE KEY BLOCK-----\\nQQQQQQ\"]",
        "encryption.age.recipients"
    )]
    [InlineData(
        "recipients: [age1x, age1y]",
        "recipients: [\"-----BEGIN OPENSSH PRIVATE KEY-----\\nQQQQQQ\"]",
        "encryption.age.recipients"
    )]
    [InlineData("identity_file: /keys/age", $"identity_file: {Secret}", "encryption.age.identity_file")]
    [InlineData("cluster: olympus", $"cluster: {Secret}", "cluster")]
    public void A_private_key_is_refused_wherever_it_stands_and_never_shown(string piece, string instead, string key)
    {
        string error = ErrorsOf(With(piece, instead)).First();

        error.ShouldContain($"{key}: this is a private key (it is not shown here). Write the public half:");
        error.ShouldNotContain("QQQQQQ");
        error.ShouldNotContain("qqqqqq");
    }

    [Fact]
    public async Task A_private_key_as_an_option_is_refused_and_never_shown()
    {
        using var folder = new TestFolder();
        folder.Write("olympus-pgbackup.yaml", Right);

        AppResult result = await AppProcess.RunAsync(folder.Path, "check", "--identity", Secret);

        result.ExitCode.ShouldBe(2);
        result.Errors.ShouldContain("PGB-0002: --identity takes a file, and this is a private key");
        (result.Output + result.Errors).ShouldNotContain("QQQQQQ");
    }

    [Theory]
    [InlineData('[', ']')]
    [InlineData('{', '}')]
    public void A_hundred_thousand_nested_brackets_are_an_error_of_the_YAML(char open, char close) =>
        ErrorsOf($"cluster: {new string(open, 100_000)}{new string(close, 100_000)}").ShouldHaveSingleItem().ShouldContain("(YAML):");

    [Fact]
    public void A_hundred_thousand_levels_of_lists_are_an_error_of_the_YAML() =>
        ErrorsOf("cluster: olympus\na:\n  " + string.Concat(Enumerable.Repeat("- ", 100_000)) + "x")
            .ShouldHaveSingleItem()
            .ShouldContain("(YAML):");

    [Fact]
    public void A_value_that_holds_itself_is_an_error() =>
        ErrorsOf(With("databases: [ciam_kratos, olympus]", "databases: &a [*a]")).ShouldNotBeEmpty();

    [Fact]
    public void A_zero_byte_is_an_error_of_its_line() =>
        ErrorsOf(With("path: /backups", "path: \"/back\\0ups\""))
            .ShouldContain("line 8: stores[0].path: there is a zero byte in it. Write it without.");

    [Fact]
    public void A_name_of_a_hundred_thousand_characters_is_an_error_that_does_not_repeat_it()
    {
        string error = ErrorsOf(With("databases: [ciam_kratos, olympus]", $"databases: [{new string('x', 100_000)}]")).First();

        error.ShouldBe("line 4: databases: it has 100000 characters. Write at most 20000.");
    }

    [Fact]
    public void Ten_thousand_databases_are_more_than_one_moment_holds() =>
        ErrorsOf(
                With(
                    "databases: [ciam_kratos, olympus]",
                    $"databases: [{string.Join(", ", Enumerable.Range(0, 10_000).Select(static i => $"d{i}"))}]"
                )
            )
            .ShouldHaveSingleItem()
            .ShouldStartWith("line 4: databases: 10000 databases are named");
}
